package hamt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
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
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/teststore"
)

// brokenTree is a map whose node at depth 2, on the way to a key, is somehow
// broken.
type brokenTree struct {
	store *teststore.Store
	root  datamodel.Link
	key   string // leads through the node
	link  datamodel.Link
	path  fault.Path
}

func newBrokenTree(t *testing.T) brokenTree {
	t.Helper()
	s, root := stored(t, manyLevels(), numbered(200))
	for i := range 200 {
		key := fmt.Sprint("key-", i)
		path := pathOf(key, 2)
		if link := linkAt(t, s, root, path); link != nil {
			return brokenTree{s, root, key, link, path}
		}
	}
	t.Fatal("no node at depth 2")
	return brokenTree{}
}

// uses are all the ways into a map that reach every block, or those to a key.
var uses = map[string]func(ctx context.Context, n *adl.Node, key string) error{
	"Get": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.Get(ctx, []byte(key))
		return err
	},
	"GetString": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.GetString(ctx, key)
		return err
	},
	"GetRaw": func(ctx context.Context, n *adl.Node, key string) error {
		_, _, err := n.GetRaw(ctx, []byte(key))
		return err
	},
	"Has": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.Has(ctx, []byte(key))
		return err
	},
	"HasString": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.HasString(ctx, key)
		return err
	},
	"Locate": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.Locate(ctx, []byte(key))
		return err
	},
	"LookupByString": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.WithContext(ctx).LookupByString(key)
		return err
	},
	"LookupByNode": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.WithContext(ctx).LookupByNode(basicnode.NewBytes([]byte(key)))
		return err
	},
	"LookupBySegment": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.WithContext(ctx).LookupBySegment(datamodel.PathSegmentOfString(key))
		return err
	},
	"MapIterator": func(ctx context.Context, n *adl.Node, _ string) error {
		for it := n.WithContext(ctx).MapIterator(); !it.Done(); {
			if _, _, err := it.Next(); err != nil {
				return err
			}
		}
		return nil
	},
	"Entries": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Entries(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Keys": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Keys(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"KeyStrings": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.KeyStrings(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Values": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Values(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Blocks": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Blocks(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"RawBlocks": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.RawBlocks(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Count": func(ctx context.Context, n *adl.Node, _ string) error {
		_, err := n.Count(ctx)
		return err
	},
	"Stats": func(ctx context.Context, n *adl.Node, _ string) error {
		_, err := n.Stats(ctx)
		return err
	},
	"Verify": func(ctx context.Context, n *adl.Node, _ string) error {
		for err := range n.Verify(ctx) {
			return err
		}
		return nil
	},
	"Txn.Get": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := must(builder.NewTxn(n)).Get(ctx, []byte(key))
		return err
	},
	"Txn.Delete": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := must(builder.NewTxn(n)).Delete(ctx, []byte(key))
		return err
	},
	"Txn.SetIfAbsent": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := must(builder.NewTxn(n)).SetIfAbsent(ctx, []byte(key), datamodel.Null)
		return err
	},
	"Txn.Commit": func(ctx context.Context, n *adl.Node, key string) error {
		txn := must(builder.NewTxn(n))
		if err := txn.SetString(key, datamodel.Null); err != nil {
			return err
		}
		_, _, err := txn.Commit(ctx)
		return err
	},
	"Rebuild": func(ctx context.Context, n *adl.Node, _ string) error {
		_, err := builder.Rebuild(ctx, n, builder.PrototypeOf(n), builder.BulkOptions{})
		return err
	},
}

// TestFaultsNameBlockAndPath breaks a block at depth 2 in every way, and
// expects that every way into it says what is wrong, and where.
func TestFaultsNameBlockAndPath(t *testing.T) {
	for name, c := range map[string]struct {
		breakIt func(b brokenTree)
		options []hamt.Option
		kind    error
		cause   error
	}{
		"missing":   {breakIt: func(b brokenTree) { b.store.Remove(b.link) }, kind: fault.ErrMissing, cause: nil},
		"truncated": {breakIt: func(b brokenTree) { b.answer(func(raw []byte) []byte { return raw[:len(raw)-1] }) }, kind: fault.ErrHashMismatch},
		"empty":     {breakIt: func(b brokenTree) { b.answer(func([]byte) []byte { return nil }) }, kind: fault.ErrHashMismatch},
		"another":   {breakIt: func(b brokenTree) { b.answer(func([]byte) []byte { return b.store.Block(b.root) }) }, kind: fault.ErrHashMismatch},
		"too large": {breakIt: func(b brokenTree) {
			b.answer(func(raw []byte) []byte { return append(bytes.Clone(raw), make([]byte, 2000)...) })
		},
			options: []hamt.Option{hamt.WithMaxBlockBytes(1000)}, kind: fault.ErrTooLarge},
		"store error": {breakIt: func(b brokenTree) {
			b.store.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
				if link == b.link {
					return nil, errStore
				}
				return raw, nil
			}
		}, kind: fault.ErrMissing, cause: errStore},
	} {
		for way, use := range uses {
			t.Run(name+"/"+way, func(t *testing.T) {
				b := newBrokenTree(t)
				c.breakIt(b)
				expectFaultAt(t, use(t.Context(), load(t, b.store, b.root, c.options...), b.key), c.kind, b.link, b.path)
				if err := use(t.Context(), load(t, b.store, b.root, c.options...), b.key); c.cause != nil && !errors.Is(err, c.cause) {
					t.Errorf("%v does not have the store's error in it", err)
				}
			})
		}
	}
}

// answer lets the store give something else for the node.
func (b brokenTree) answer(change func(raw []byte) []byte) {
	b.store.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link == b.link {
			return change(raw), nil
		}
		return raw, nil
	}
}

// expectFaultAt expects a fault at a place; of any kind where that is nil.
func expectFaultAt(t *testing.T, err error, kind error, link datamodel.Link, path fault.Path) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("got error %v, want %v", err, kind)
	}
	if f.Link != link || !slices.Equal(f.Path, path) {
		t.Errorf("the fault is at %v, %v; want %v, %v", f.Link, f.Path, link, path)
	}
	if text := err.Error(); !strings.Contains(text, link.String()) || !strings.Contains(text, path.String()) {
		t.Errorf("%q does not name the block and its path", text)
	}
}

// TestNotFoundPassesThrough: go-ipld-prime's convention for stores.
func TestNotFoundPassesThrough(t *testing.T) {
	b := newBrokenTree(t)
	b.store.Remove(b.link)
	_, err := load(t, b.store, b.root).GetString(t.Context(), b.key)
	var notFound interface{ NotFound() bool }
	if !errors.As(err, &notFound) || !notFound.NotFound() {
		t.Errorf("%v", err)
	}
}

// TestOtherKeysStayReadable: only what is below a broken block is out of reach.
func TestOtherKeysStayReadable(t *testing.T) {
	b := newBrokenTree(t)
	b.store.Remove(b.link)
	n := load(t, b.store, b.root)
	lost := 0
	for key, value := range numbered(200) {
		got, err := n.GetString(t.Context(), key)
		if slices.Equal(pathOf(key, 2), b.path) {
			lost++
			if !errors.Is(err, fault.ErrMissing) {
				t.Errorf("%s: %v", key, err)
			}
		} else if err != nil || !equal(t, got, value) {
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
	s, root := stored(t, manyLevels(), numbered(10))
	for name, c := range map[string]struct {
		raw  []byte
		err  error
		kind error
	}{
		"missing":   {err: teststore.NotFound{}, kind: fault.ErrMissing},
		"truncated": {raw: s.Block(root)[:20], kind: fault.ErrHashMismatch},
		"too large": {raw: make([]byte, 1001), kind: fault.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s.OnRead = func(datamodel.Link, []byte) ([]byte, error) { return c.raw, c.err }
			_, err := hamt.Load(t.Context(), s.LinkSystem(), root, hamt.WithMaxBlockBytes(1000))
			expectFaultAt(t, err, c.kind, root, nil)
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
	s, root := stored(t, manyLevels(), model{"key": basicnode.NewBytes(make([]byte, 500))})
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
	s, root := stored(t, manyLevels(), numbered(100))
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
	b := newBrokenTree(t)
	other := b.store.Block(linkAt(t, b.store, b.root, b.path[:1]))
	b.answer(func([]byte) []byte { return other })
	lsys := b.store.LinkSystem()
	lsys.TrustedStorage = true
	hashed := 0
	choose := lsys.HasherChooser
	lsys.HasherChooser = func(lp datamodel.LinkPrototype) (hash.Hash, error) {
		hashed++
		return choose(lp)
	}
	n, err := hamt.Load(t.Context(), lsys, b.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.GetString(t.Context(), b.key); err != nil && !errors.As(err, new(datamodel.ErrNotExists)) {
		t.Error(err)
	}
	if hashed != 0 {
		t.Errorf("%d blocks were hashed", hashed)
	}
}

// TestHostileDigests: links that no block can have are faults; none panics, in
// a LinkSystem that would.
func TestHostileDigests(t *testing.T) {
	s := teststore.New()
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
				hash := must(multihash.Encode(digest.digest, digest.code))
				link := cidlink.Link{Cid: cid.NewCidV1(uint64(codec), hash)}
				s.Put(link.Cid, []byte("anything"))
				_, err := hamt.Load(t.Context(), s.LinkSystem(), link)
				if !errors.As(err, new(*fault.Error)) {
					t.Errorf("as the root: %T %v", err, err)
				}
				// As a child: index 0 of a root of bit width 3 under the
				// identity hash, which leads there for a key of zeros.
				root := rootLinkingTo(link)
				s.Put(root.link.(cidlink.Link).Cid, root.bytes)
				n := load(t, s, root.link)
				_, err = n.Get(t.Context(), []byte{0, 0})
				expectFaultAt(t, err, nil, link, fault.Path{0})
				_, err = n.Count(t.Context())
				expectFaultAt(t, err, nil, link, fault.Path{0})
			})
		}
	}
}

// rootLinkingTo is a root under the identity hash whose one element, at index
// 0, is a link.
func rootLinkingTo(link datamodel.Link) namedBlock {
	list := must(ipld.Encode(basicnode.NewLink(link), dagcbor.Encode))
	raw := append([]byte("\xa3\x64hamt\x82\x41\x01\x81"), list...)
	return blockOf(append(raw, "\x67hashAlg\x00\x6abucketSize\x01"...))
}
