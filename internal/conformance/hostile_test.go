package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestEditRefusesMisplaced edits next to a key that stands twice, once where
// its hash does not lead. Were the node collapsed with both, the block would
// be one that nobody can read.
func TestEditRefusesMisplaced(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	deep := h.Put(h.Node("bcde", h.Bucket("aab", 1), h.Bucket("aab", 2), h.Bucket("aad", 3), h.Bucket("aae", 4)))
	mid := h.Put(h.Node("apqrs", h.Link(deep), h.Bucket("ap", 1), h.Bucket("aq", 1), h.Bucket("ar", 1), h.Bucket("as", 1)))
	root := h.Root("a", h.Link(mid))
	txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, h.Store, root)))
	if _, err := txn.DeleteString(t.Context(), "aae"); err != nil {
		t.Fatal(err)
	}
	_, _, err := txn.Commit(t.Context())
	var f *fault.Error
	if !errors.Is(err, fault.ErrMisplaced) || !errors.As(err, &f) || f.Path.String() != "/97/97" || string(f.Key) != "aab" {
		t.Errorf("error %v, want one that names the key and where it is", err)
	}
	if writes := h.Store.TakeWrites(); len(writes) > 0 {
		t.Errorf("%d blocks were written", len(writes))
	}
}

// TestVerifyEndsWithMissingBlocks: 8^85 paths to a block that is not there.
func TestVerifyEndsWithMissingBlocks(t *testing.T) {
	s := hamttest.NewStore()
	link := hamttest.BlockOf([]byte("\x82\x41\x01\x81\x81\x82\x43key\x00")).Link // never stored
	node := func() []byte {
		return append([]byte("\x82\x41\xff\x88"), bytes.Repeat(hamttest.Handmade{}.Link(link), 8)...)
	}
	for range 84 {
		link = hamttest.Handmade{Store: s}.Put(node())
	}
	root := hamttest.Handmade{Store: s}.Put(append(append([]byte("\xa3\x64hamt"), node()...), "\x67hashAlg\x12\x6abucketSize\x01"...))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var last error
	for err := range hamttest.Load(t, s, root).Verify(ctx) {
		last = err
	}
	if !errors.Is(last, fault.ErrEndless) {
		t.Errorf("the last error is %v", last)
	}
}

// TestCacheKnowsParameters edits one map by the prototype of another, whose
// cache holds a block that is a node under that one's parameters alone.
func TestCacheKnowsParameters(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	narrow := h.Put([]byte("\x82\x41\x01\x81\x81\x82\x43key\x00"))
	a := hamttest.Load(t, h.Store, h.Put(append(append([]byte("\xa3\x64hamt\x82\x41\x01\x81"), h.Link(narrow)...), "\x67hashAlg\x00\x6abucketSize\x03"...)))
	b := hamttest.Load(t, h.Store, h.Root("\x00", h.Link(narrow)))
	if _, err := a.HasString(t.Context(), "\x00zz"); err != nil {
		t.Fatal(err)
	}
	txn := hamttest.Must(builder.PrototypeOf(a).Edit(b))
	if err := txn.SetString("q", datamodel.Null); err != nil {
		t.Fatal(err)
	}
	edited, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := edited.GetString(t.Context(), "\x00zz"); !errors.Is(err, fault.ErrBitmapLength) {
		t.Errorf("error %v", err)
	}
}

// TestNoChoosers: a LinkSystem that has storage alone does for DAG-CBOR, and a
// link to something else is an error.
func TestNoChoosers(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	raw := cid.MustParse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")
	blake := cid.NewCidV1(uint64(multicodec.DagCbor), hamttest.Must(cid.NewPrefixV1(uint64(multicodec.DagCbor), uint64(multicodec.Blake3)).Sum(nil)).Hash())
	root := h.Root("ab", h.Link(cidlink.Link{Cid: raw}), h.Link(cidlink.Link{Cid: blake}))
	h.Store.Put(raw, nil)
	h.Store.Put(blake, nil)
	for _, trusted := range []bool{false, true} {
		lsys := linking.LinkSystem{StorageReadOpener: h.Store.LinkSystem().StorageReadOpener, TrustedStorage: trusted}
		m, err := hamt.Load(t.Context(), &lsys, root)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"aa", "bb"} {
			if _, err := m.GetString(t.Context(), key); !errors.As(err, new(*fault.Error)) {
				t.Errorf("%s: error %v", key, err)
			}
		}
	}
}

// TestDigestLengthUnsaid: a prototype may leave the digest's length to the hash,
// and edits what it has built all the same.
func TestDigestLengthUnsaid(t *testing.T) {
	for _, hash := range []multicodec.Code{multicodec.Sha2_256, multicodec.Identity} {
		lp := cidlink.LinkPrototype{Prefix: cid.Prefix{Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(hash), MhLength: -1}}
		p := builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem(), LinkPrototype: lp}
		m := hamttest.Build(t, p, hamttest.Numbered(10))
		if _, err := p.Edit(m); err != nil {
			t.Error(err)
		}
		nb := m.Prototype().NewBuilder()
		if err := nb.AssignNode(m); err != nil || nb.Build() != datamodel.Node(m) {
			t.Errorf("%s: it is not taken as it is, %v", hash, err)
		}
	}
}

// TestValueBlockIsWritten: the map links to a block that its store lacks; when
// that is set as a value, it is written, though the root stays what it is.
func TestValueBlockIsWritten(t *testing.T) {
	s := hamttest.NewStore()
	value := basicnode.NewString("longer than what is inline")
	link := hamttest.BlockOf(hamttest.Must(ipld.Encode(value, dagcbor.Encode))).Link
	m := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem()}, hamttest.Model{"key": basicnode.NewLink(link)})
	p := builder.PrototypeOf(m)
	p.InlineBytes = 10
	txn := hamttest.Must(p.Edit(m))
	if err := txn.SetString("key", value); err != nil {
		t.Fatal(err)
	}
	after, root, err := txn.Commit(t.Context())
	if err != nil || root != hamttest.RootOf(t, m) || after != m {
		t.Errorf("root %s, %v", root, err)
	}
	if s.Block(link) == nil {
		t.Error("the value's block is not there")
	}
}

// TestSpillAgain: when there is room again, so is the Bulk.
func TestSpillAgain(t *testing.T) {
	dir := t.TempDir() + "/gone"
	bulk := hamttest.Must(builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}.NewBulk(builder.BulkOptions{MemoryBytes: 1, SpillDir: dir}))
	defer bulk.Close()
	content := hamttest.Numbered(20)
	failures := 0
	for key, value := range content {
		if err := bulk.SetString(key, value); err != nil {
			if failures++; failures > 1 {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, err := bulk.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failures == 0 {
		t.Error("nothing was spilled")
	}
	hamttest.ExpectContent(t, m, content)
}

// TestStoreTimeoutIsShared: a store's own time limit is an answer like any
// other, and not each waiter's to wait for again.
func TestStoreTimeoutIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
		lsys := *s.LinkSystem()
		open := lsys.StorageReadOpener
		lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
			if link == root {
				return open(lctx, link)
			}
			time.Sleep(time.Second)
			return nil, context.DeadlineExceeded
		}
		m, err := hamt.Load(t.Context(), &lsys, root)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var wait sync.WaitGroup
		for range 40 {
			wait.Go(func() {
				if _, err := m.GetString(t.Context(), "key-1"); !errors.Is(err, fault.ErrMissing) {
					t.Errorf("error %v", err)
				}
			})
		}
		wait.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("40 equal lookups took %s", took)
		}
	})
}
