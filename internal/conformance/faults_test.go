package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestFaultsNameBlockAndPath breaks a block at depth 2 in every way, and
// expects that every way into it says what is wrong, and where.
func TestFaultsNameBlockAndPath(t *testing.T) {
	for name, c := range map[string]struct {
		breakIt func(b hamttest.BrokenTree)
		options []hamt.Option
		kind    error
		cause   error
	}{
		"missing":   {breakIt: func(b hamttest.BrokenTree) { b.Store.Remove(b.Link) }, kind: fault.ErrMissing, cause: nil},
		"truncated": {breakIt: func(b hamttest.BrokenTree) { b.Answer(func(raw []byte) []byte { return raw[:len(raw)-1] }) }, kind: fault.ErrHashMismatch},
		"empty":     {breakIt: func(b hamttest.BrokenTree) { b.Answer(func([]byte) []byte { return nil }) }, kind: fault.ErrHashMismatch},
		"another":   {breakIt: func(b hamttest.BrokenTree) { b.Answer(func([]byte) []byte { return b.Store.Block(b.Root) }) }, kind: fault.ErrHashMismatch},
		"too large": {breakIt: func(b hamttest.BrokenTree) {
			b.Answer(func(raw []byte) []byte { return append(bytes.Clone(raw), make([]byte, 2000)...) })
		},
			options: []hamt.Option{hamt.WithMaxBlockBytes(1000)}, kind: fault.ErrTooLarge},
		"store error": {breakIt: func(b hamttest.BrokenTree) {
			b.Store.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
				if link == b.Link {
					return nil, hamttest.ErrStore
				}
				return raw, nil
			}
		}, kind: fault.ErrMissing, cause: hamttest.ErrStore},
	} {
		for way, use := range hamttest.Uses {
			t.Run(name+"/"+way, func(t *testing.T) {
				b := hamttest.NewBrokenTree(t)
				c.breakIt(b)
				hamttest.ExpectFaultAt(t, use(t.Context(), hamttest.Load(t, b.Store, b.Root, c.options...), b.Key), c.kind, b.Link, b.Path)
				if err := use(t.Context(), hamttest.Load(t, b.Store, b.Root, c.options...), b.Key); c.cause != nil && !errors.Is(err, c.cause) {
					t.Errorf("%v does not have the store's error in it", err)
				}
			})
		}
	}
}

// TestNotFoundPassesThrough: go-ipld-prime's convention for stores.
func TestNotFoundPassesThrough(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	_, err := hamttest.Load(t, b.Store, b.Root).GetString(t.Context(), b.Key)
	var notFound interface{ NotFound() bool }
	if !errors.As(err, &notFound) || !notFound.NotFound() {
		t.Errorf("%v", err)
	}
}

// TestOtherKeysStayReadable: only what is below a broken block is out of reach.
func TestOtherKeysStayReadable(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	n := hamttest.Load(t, b.Store, b.Root)
	lost := 0
	for key, value := range hamttest.Numbered(200) {
		got, err := n.GetString(t.Context(), key)
		if slices.Equal(hamttest.PathOf(key, 2), b.Path) {
			lost++
			if !errors.Is(err, fault.ErrMissing) {
				t.Errorf("%s: %v", key, err)
			}
		} else if err != nil || !hamttest.Equal(t, got, value) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if lost < 2 {
		t.Errorf("%d keys are lost", lost)
	}
}

// TestRootFaults: what is wrong with the root is told with its link, and the
// path "/".
func TestRootFaults(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(10))
	for name, c := range map[string]struct {
		raw  []byte
		err  error
		kind error
	}{
		"missing":   {err: hamttest.NotFound{}, kind: fault.ErrMissing},
		"truncated": {raw: s.Block(root)[:20], kind: fault.ErrHashMismatch},
		"too large": {raw: make([]byte, 1001), kind: fault.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s.OnRead = func(datamodel.Link, []byte) ([]byte, error) { return c.raw, c.err }
			_, err := hamt.Load(t.Context(), s.LinkSystem(), root, hamt.WithMaxBlockBytes(1000))
			hamttest.ExpectFaultAt(t, err, c.kind, root, nil)
		})
	}
	for _, link := range []datamodel.Link{nil, cidlink.Link{}} {
		if _, err := hamt.Load(t.Context(), s.LinkSystem(), link); !errors.Is(err, fault.ErrMissing) {
			t.Errorf("link %v: error %v", link, err)
		}
	}
	if _, err := hamt.Load(t.Context(), &linking.LinkSystem{}, root); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("no storage: error %v", err)
	}
}

// TestMaxBlockBytes: the limit itself is within it, whether or not the store's
// reader knows its length.
func TestMaxBlockBytes(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Model{"key": basicnode.NewBytes(make([]byte, 500))})
	size := int64(len(s.Block(root)))
	for _, sized := range []bool{true, false} {
		lsys := s.LinkSystem()
		if open := lsys.StorageReadOpener; !sized {
			lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
				reader, err := open(lctx, link)
				return io.MultiReader(reader), err
			}
		}
		if _, err := hamt.Load(t.Context(), lsys, root, hamt.WithMaxBlockBytes(size)); err != nil {
			t.Error(err)
		}
		if _, err := hamt.Load(t.Context(), lsys, root, hamt.WithMaxBlockBytes(size-1)); !errors.Is(err, fault.ErrTooLarge) {
			t.Errorf("error %v", err)
		}
	}
}

// closer is a reader of a file, say.
type closer struct {
	io.Reader
	closed *atomic.Int64
}

func (c closer) Close() error { c.closed.Add(1); return nil }

// TestReadersAreClosed: a store over files leaks none.
func TestReadersAreClosed(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(100))
	lsys := s.LinkSystem()
	var opened, closed atomic.Int64 // read-ahead may set in
	open := lsys.StorageReadOpener
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		reader, err := open(lctx, link)
		if err == nil {
			opened.Add(1)
		}
		return closer{reader, &closed}, err
	}
	n, err := hamt.Load(t.Context(), lsys, root)
	if err != nil || n.Length() != 100 {
		t.Fatal(err)
	}
	if opened.Load() != int64(s.Len()) || closed.Load() != opened.Load() {
		t.Errorf("%d readers opened for %d blocks, %d closed", opened.Load(), s.Len(), closed.Load())
	}
}

// TestTrustedStorage: what a trusted store gives is not hashed.
func TestTrustedStorage(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	other := b.Store.Block(hamttest.LinkAt(t, b.Store, b.Root, b.Path[:1]))
	b.Answer(func([]byte) []byte { return other })
	lsys := b.Store.LinkSystem()
	lsys.TrustedStorage = true
	hashed := 0
	choose := lsys.HasherChooser
	lsys.HasherChooser = func(lp datamodel.LinkPrototype) (hash.Hash, error) {
		hashed++
		return choose(lp)
	}
	n, err := hamt.Load(t.Context(), lsys, b.Root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.GetString(t.Context(), b.Key); err != nil && !errors.As(err, new(datamodel.ErrNotExists)) {
		t.Error(err)
	}
	if hashed != 0 {
		t.Errorf("%d blocks were hashed", hashed)
	}
}

// TestHostileDigests: links that no block can have are faults; none panics, in
// a LinkSystem that would.
func TestHostileDigests(t *testing.T) {
	s := hamttest.NewStore()
	for name, digest := range map[string]struct {
		code   uint64
		digest []byte
	}{
		"sha2-256 of 40 bytes":  {multihash.SHA2_256, make([]byte, 40)},
		"sha2-512 of 100 bytes": {multihash.SHA2_512, make([]byte, 100)},
		"blake3 of 200 bytes":   {multihash.BLAKE3, make([]byte, 200)},
		"blake3 of no bytes":    {multihash.BLAKE3, nil},
		"identity":              {multihash.IDENTITY, []byte("not the block")},
		"identity of nothing":   {multihash.IDENTITY, nil},
		"unknown hash":          {0x3fffff, make([]byte, 32)},
	} {
		for _, codec := range []multicodec.Code{multicodec.DagCbor, multicodec.DagJson, multicodec.Raw, 0x3fffff} {
			t.Run(fmt.Sprint(name, "/", codec), func(t *testing.T) {
				hash := hamttest.Must(multihash.Encode(digest.digest, digest.code))
				link := cidlink.Link{Cid: cid.NewCidV1(uint64(codec), hash)}
				s.Put(link.Cid, []byte("anything"))
				_, err := hamt.Load(t.Context(), s.LinkSystem(), link)
				if !errors.As(err, new(*fault.Error)) {
					t.Errorf("as the root: %T %v", err, err)
				}
				// As a child: index 0 of a root of bit width 3 under the
				// identity hash, which leads there for a key of zeros.
				root := rootLinkingTo(link)
				s.Put(root.Link.(cidlink.Link).Cid, root.Bytes)
				n := hamttest.Load(t, s, root.Link)
				_, err = n.Get(t.Context(), []byte{0, 0})
				hamttest.ExpectFaultAt(t, err, nil, link, fault.Path{0})
				_, err = n.Count(t.Context())
				hamttest.ExpectFaultAt(t, err, nil, link, fault.Path{0})
			})
		}
	}
}

// rootLinkingTo is a root under the identity hash whose one element, at index
// 0, is a link.
func rootLinkingTo(link datamodel.Link) hamttest.Block {
	list := hamttest.Must(ipld.Encode(basicnode.NewLink(link), dagcbor.Encode))
	raw := append([]byte("\xa3\x64hamt\x82\x41\x01\x81"), list...)
	return hamttest.BlockOf(append(raw, "\x67hashAlg\x00\x6abucketSize\x01"...))
}
