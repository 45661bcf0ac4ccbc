package conformance_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// linkOf is the link of a block under a hash whose digest is cut to some length.
func linkOf(t *testing.T, block []byte, hash uint64, length int) datamodel.Link {
	t.Helper()
	whole := hamttest.Must(multihash.Sum(block, hash, -1))
	digest := hamttest.Must(multihash.Decode(whole)).Digest
	cut := hamttest.Must(multihash.Encode(digest[:min(length, len(digest))], hash))
	return cidlink.Link{Cid: cid.NewCidV1(cid.DagCBOR, cut)}
}

// TestWeakDigests: no block is asked for by a link whose digest is too short to
// say which one is meant, be it the root or below it; unless that is asked for.
func TestWeakDigests(t *testing.T) {
	for _, test := range []struct {
		hash   uint64
		length int
		weak   bool
	}{
		{multihash.SHA2_256, 0, true}, // bafyreaa, which is the link of any block
		{multihash.SHA2_256, 1, true},
		{multihash.SHA2_256, 19, true},
		{multihash.SHA2_256, 20, false},
		{multihash.SHA1, 20, false},
		{multihash.SHA2_512, 8, true},
		{multihash.MURMUR3X64_64, 8, true},
		{multihash.MD5, 16, true},
	} {
		t.Run(fmt.Sprint(multicodec.Code(test.hash), "/", test.length), func(t *testing.T) {
			s := hamttest.NewStore()
			n := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem()}, hamttest.Numbered(3))
			block := s.Block(hamttest.RootOf(t, n))
			link := linkOf(t, block, test.hash, test.length)
			s.Put(link.(cidlink.Link).Cid, block)
			s.TakeLoads()
			// With no digest at all, both links are the same: hence another store.
			b := hamttest.NewStore()
			above := rootLinkingTo(linkOf(t, []byte("\x82\x41\x01\x81\x81\x82\x42\x00\x00\x05"), test.hash, test.length)) // {"\x00\x00": 5}
			b.Put(above.Link.(cidlink.Link).Cid, above.Bytes)
			below := linkOf(t, []byte("\x82\x41\x01\x81\x81\x82\x42\x00\x00\x05"), test.hash, test.length)
			b.Put(below.(cidlink.Link).Cid, []byte("\x82\x41\x01\x81\x81\x82\x42\x00\x00\x05"))
			uses := map[string]func(options ...hamt.Option) error{
				"the root": func(options ...hamt.Option) error {
					_, err := hamt.Load(t.Context(), s.LinkSystem(), link, options...)
					return err
				},
				"a root that was loaded": func(options ...hamt.Option) error {
					_, err := hamt.Reifier(options...)(linking.LinkContext{LinkNode: basicnode.NewLink(link)}, n.Substrate(), s.LinkSystem())
					return err
				},
			}
			child := func(use func(options ...hamt.Option) error) func(options ...hamt.Option) error {
				return func(options ...hamt.Option) error {
					err := use(options...)
					if err != nil {
						hamttest.ExpectFaultAt(t, err, fault.ErrWeakDigest, below, fault.Path{0})
					}
					return err
				}
			}
			uses["Get"] = child(func(options ...hamt.Option) error {
				_, err := hamttest.Load(t, b, above.Link, options...).Get(t.Context(), []byte{0, 0})
				return err
			})
			uses["Count"] = child(func(options ...hamt.Option) error {
				_, err := hamttest.Load(t, b, above.Link, options...).Count(t.Context())
				return err
			})
			uses["Verify"] = child(func(options ...hamt.Option) error {
				for err := range hamttest.Load(t, b, above.Link, options...).Verify(t.Context()) {
					if errors.Is(err, fault.ErrWeakDigest) {
						return err
					}
				}
				return nil
			})
			uses["Commit"] = child(func(options ...hamt.Option) error {
				txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, b, above.Link, options...)))
				if err := txn.Set([]byte{0, 32}, datamodel.Null); err != nil {
					return err
				}
				_, _, err := txn.Commit(t.Context())
				return err
			})
			for name, use := range uses {
				if err := use(); errors.Is(err, fault.ErrWeakDigest) != test.weak || !test.weak && err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if loads := append(s.TakeLoads(), b.TakeLoads()...); test.weak && (len(loads) > 1 || len(loads) == 1 && loads[0] != above.Link.String()) {
					t.Errorf("%s: %d blocks are asked for", name, len(loads))
				}
				if err := use(hamt.WithWeakDigests()); err != nil {
					t.Errorf("%s, allowed: %v", name, err)
				}
				s.TakeLoads()
				b.TakeLoads()
			}
		})
	}
}

// TestWeakDigestsWritten: what would not be read is not written.
func TestWeakDigestsWritten(t *testing.T) {
	for _, test := range []struct {
		hash   multicodec.Code
		length int
		weak   bool
	}{
		{multicodec.Md5, -1, true},
		{multicodec.Murmur3X64_64, -1, true},
		{multicodec.Sha2_256, 0, true},
		{multicodec.Sha2_256, 19, true},
		{multicodec.Sha2_256, 20, false},
		{multicodec.Sha1, -1, false},
	} {
		s := hamttest.NewStore()
		p := builder.Prototype{LinkSystem: s.LinkSystem(), LinkPrototype: hamttest.LinkPrototype(multicodec.DagCbor, test.hash, test.length)}
		if _, err := p.NewTxn(); errors.Is(err, fault.ErrWeakDigest) != test.weak || !test.weak && err != nil {
			t.Errorf("%v, %d bytes: %v", test.hash, test.length, err)
		}
		p = p.ReadWith(hamt.WithWeakDigests())
		n := hamttest.Build(t, p, hamttest.Numbered(3)) // and read again below
		txn := hamttest.Must(builder.NewTxn(n))
		if _, err := txn.Delete(t.Context(), []byte("key-1")); err != nil {
			t.Errorf("%v, %d bytes, allowed: %v", test.hash, test.length, err)
		}
		if _, _, err := txn.Commit(t.Context()); err != nil {
			t.Errorf("%v, %d bytes, allowed: %v", test.hash, test.length, err)
		}
	}
}

// TestShortDigestCycle: a digest of a byte is found by trying, and so a node that
// links to itself. It is refused at the first link, and not after many.
func TestShortDigestCycle(t *testing.T) {
	s := hamttest.NewStore()
	link := linkOf(t, nil, multihash.SHA2_256, 1)
	digest := link.Binary()[len(link.Binary())-1]
	element := append([]byte{0xd8, 0x2a, 0x46, 0}, link.Binary()...)
	var node []byte
	for i := 0; node == nil; i++ { // the value of the key at index 1
		block := append(append([]byte("\x82\x41\x03\x82"), element...), fmt.Appendf(nil, "\x81\x82\x43\x20\x00\x00\x1a\x7f%c%c\x01", byte(i>>8), byte(i))...)
		if sha256.Sum256(block)[0] == digest {
			node = block
		}
	}
	s.Put(link.(cidlink.Link).Cid, node)
	root := rootLinkingTo(link)
	s.Put(root.Link.(cidlink.Link).Cid, root.Bytes)
	s.TakeLoads()
	_, err := hamttest.Load(t, s, root.Link).Count(t.Context())
	hamttest.ExpectFaultAt(t, err, fault.ErrWeakDigest, link, fault.Path{0})
	if loads := s.TakeLoads(); len(loads) != 1 {
		t.Errorf("%d blocks are asked for", len(loads))
	}
	// Who allows it gets the cycle, up to where no node can be.
	if _, err := hamttest.Load(t, s, root.Link, hamt.WithWeakDigests()).Count(t.Context()); !errors.Is(err, fault.ErrMaxDepth) {
		t.Errorf("allowed: %v", err)
	}
}

// TestInlinedBlocks: a link may hold its block by itself, as far as that does not
// multiply what is read.
func TestInlinedBlocks(t *testing.T) {
	for _, size := range []int{128, 129} {
		s := hamttest.NewStore()
		var link datamodel.Link
		for n := size; ; n-- { // of the value, so that the block has that size
			block := append(append([]byte("\x82\x41\x01\x81\x81\x82\x42\x00\x00\x58"), byte(n)), bytes.Repeat([]byte{'v'}, n)...)
			if len(block) == size {
				link = linkOf(t, block, multihash.IDENTITY, size)
				s.Put(link.(cidlink.Link).Cid, block)
				break
			}
		}
		root := rootLinkingTo(link)
		s.Put(root.Link.(cidlink.Link).Cid, root.Bytes)
		for _, options := range [][]hamt.Option{nil, {hamt.WithWeakDigests()}} {
			_, err := hamttest.Load(t, s, root.Link, options...).Get(t.Context(), []byte{0, 0})
			if size == 128 && err != nil {
				t.Error(err)
			}
			if size > 128 {
				hamttest.ExpectFaultAt(t, err, fault.ErrTooLarge, link, fault.Path{0})
			}
		}
		prototype := builder.Prototype{LinkSystem: s.LinkSystem(), LinkPrototype: hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Identity, -1)}
		_, err := hamttest.ByBulk(t.Context(), prototype, hamttest.Model{"": basicnode.NewBytes(make([]byte, 128))})
		if !errors.Is(err, fault.ErrTooLarge) {
			t.Errorf("written: %v", err)
		}
	}
}
