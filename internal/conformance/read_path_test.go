package conformance_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/merge"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// hostileStore answers every request with one of its blocks: the right one
// where it has it, else any. Trees out of it can be cyclic, and a walk over
// them endless but for the context, which is cancelled after so many loads.
type hostileStore struct {
	blocks []hamttest.Block // the root first
	honest bool             // give nothing rather than something else
	left   int              // loads
	cancel context.CancelFunc
}

// cutBlocks cuts bytes into blocks, each after its length in two bytes.
func cutBlocks(raw []byte) (blocks []hamttest.Block) {
	for len(raw) > 2 && len(blocks) < 64 {
		n := min(int(binary.BigEndian.Uint16(raw)), len(raw)-2)
		blocks = append(blocks, hamttest.BlockOf(raw[2:2+n:2+n]))
		raw = raw[2+n:]
	}
	return blocks
}

// joinBlocks is the reverse.
func joinBlocks(blocks ...[]byte) (raw []byte) {
	for _, b := range blocks {
		raw = append(binary.BigEndian.AppendUint16(raw, uint16(len(b))), b...)
	}
	return raw
}

func (s *hostileStore) linkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.TrustedStorage = !s.honest
	lsys.StorageReadOpener = func(_ linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		if s.left--; s.left < 0 {
			s.cancel()
		}
		for _, b := range s.blocks {
			if b.Link == link {
				return bytes.NewReader(b.Bytes), nil
			}
		}
		if s.honest {
			return nil, hamttest.NotFound{Key: link.Binary()}
		}
		any := link.Binary()[len(link.Binary())-1]
		return bytes.NewReader(s.blocks[int(any)%len(s.blocks)].Bytes), nil
	}
	lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		return io.Discard, func(datamodel.Link) error { return nil }, nil
	}
	return &lsys
}

// open loads the root, with a budget of loads and without a cache, which would
// make them pointless.
func (s *hostileStore) open(t *testing.T, p params.Params) (context.Context, *adl.Node, bool) {
	t.Helper()
	const budget = 300
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s.left, s.cancel = budget, cancel
	node, err := hamt.Load(ctx, s.linkSystem(), s.blocks[0].Link, hamt.WithCacheBytes(0), hamt.WithReadAhead(1), hamt.WithParams(p))
	if err != nil {
		expectFault(t, err)
		return nil, nil, false
	}
	return ctx, node, true
}

// expectFault: whatever is wrong with blocks is a fault that says where, or
// the end of the context.
func expectFault(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, context.Canceled) {
		return
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == nil || f.Error() == "" {
		t.Fatalf("%T: %v", err, err)
	}
}

// readEverything calls all that reads a map.
func readEverything(t *testing.T, s *hostileStore, p params.Params) {
	t.Helper()
	var keys [][]byte
	for _, use := range []func(ctx context.Context, n *adl.Node) error{
		func(ctx context.Context, n *adl.Node) error {
			for e, err := range n.Entries(ctx) {
				if err != nil {
					return err
				}
				if len(keys) < 50 {
					keys = append(keys, e.Key())
				}
				if _, err := e.Value(); err != nil {
					t.Fatalf("value %x: %v", e.Raw(), err)
				}
			}
			return nil
		},
		func(ctx context.Context, n *adl.Node) error {
			for _, key := range append(keys, nil, []byte("key"), make([]byte, 300)) {
				if _, err := n.Get(ctx, key); err != nil && !errors.As(err, new(datamodel.ErrNotExists)) {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, n *adl.Node) error { _, err := n.Count(ctx); return err },
		func(ctx context.Context, n *adl.Node) error { _, err := n.Stats(ctx); return err },
		func(ctx context.Context, n *adl.Node) error {
			for _, err := range n.Blocks(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, n *adl.Node) error {
			for it := n.MapIterator(); !it.Done(); {
				if _, _, err := it.Next(); err != nil {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, n *adl.Node) error {
			// With each block that is a root, too, and with nothing.
			others := []*adl.Node{nil}
			for _, b := range s.blocks[:min(len(s.blocks), 4)] {
				if other, err := hamt.Load(ctx, s.linkSystem(), b.Link, hamt.WithCacheBytes(0), hamt.WithReadAhead(1), hamt.WithParams(p)); err == nil {
					others = append(others, other)
				}
			}
			for _, other := range others {
				for _, err := range diff.Changes(ctx, other, n, diff.ByLookup(), diff.Recursive()) {
					if err != nil {
						expectFault(t, err)
						break
					}
				}
				if _, _, _, err := merge.ThreeWay(ctx, others[len(others)-1], n, other, merge.Options{Resolve: merge.TakeOurs, Recursive: true, DryRun: true}); err != nil && !errors.Is(err, fault.ErrReadOnlyLayout) {
					expectFault(t, err)
				}
				for _, err := range diff.NewBlocks(ctx, n, other) {
					if err != nil {
						expectFault(t, err)
						break
					}
				}
			}
			return nil
		},
		func(ctx context.Context, n *adl.Node) error {
			raw, err := ipld.Encode(n.Substrate(), dagcbor.Encode)
			if err != nil || !bytes.Equal(raw, s.blocks[0].Bytes) {
				t.Fatalf("the substrate is %x, %v; want %x", raw, err, s.blocks[0].Bytes)
			}
			return nil
		},
		func(ctx context.Context, n *adl.Node) error {
			txn, err := builder.NewTxn(n)
			if err != nil {
				if p.Layout == params.FilecoinV0 {
					return nil
				}
				t.Fatal(err)
			}
			for _, key := range append(keys, []byte("key"), make([]byte, 300)) {
				if _, err := txn.Delete(ctx, key); err != nil {
					return err
				}
			}
			if err := txn.SetString("another", basicnode.NewInt(1)); err != nil {
				return err
			}
			_, _, err = txn.Commit(ctx)
			return err
		},
	} {
		ctx, node, ok := s.open(t, p)
		if !ok {
			return
		}
		if err := use(ctx, node); err != nil {
			expectFault(t, err)
		}
	}
}

// verifyAndRebuild holds Verify to its word: where it finds nothing, the root
// is the one that building the same entries gives.
func verifyAndRebuild(t *testing.T, s *hostileStore, p params.Params) {
	t.Helper()
	ctx, node, ok := s.open(t, p)
	if !ok {
		return
	}
	faults := 0
	for err := range node.Verify(ctx) {
		expectFault(t, err)
		faults++
	}
	ctx, node, ok = s.open(t, p)
	if !ok || p.Layout == params.FilecoinV0 {
		return
	}
	prototype := builder.PrototypeOf(node)
	prototype.LinkSystem = hamttest.NewStore().LinkSystem()
	rebuilt, _, err := builder.Rebuild(ctx, node, prototype, builder.BulkOptions{})
	if err != nil {
		expectFault(t, err)
		if faults == 0 && !errors.Is(err, context.Canceled) {
			t.Fatalf("Verify finds nothing, and Rebuild says %v", err)
		}
		return
	}
	same := hamttest.Must(rebuilt.Link()) == s.blocks[0].Link
	if s.honest && faults == 0 && !same {
		t.Fatalf("Verify finds nothing, and the root should be %v", hamttest.Must(rebuilt.Link()))
	}
	if same && faults > 0 && s.honest {
		t.Fatalf("Verify finds %d faults, and the root is right", faults)
	}
}

// FuzzReadPath serves blocks that the fuzzer makes, and reads them in every
// way there is: nothing panics or goes on for ever, every error is a fault.
func FuzzReadPath(f *testing.F) {
	documents := []string{"refused.md", "leftovers.md", "edits.md", "hashes.md", "selectors.md"}
	for _, document := range documents {
		var tree [][]byte
		for _, b := range hamttest.DocumentBlocks(f, document) {
			if b[0] == 0xa3 && tree != nil { // the next root
				f.Add(joinBlocks(tree...), uint8(len(tree)))
				tree = nil
			}
			if len(tree) < 10 {
				tree = append(tree, b)
			}
		}
		f.Add(joinBlocks(tree...), uint8(0))
	}
	f.Add(joinBlocks(hamttest.CyclicTree()...), uint8(0))
	f.Add(joinBlocks(chainRoot(multicodec.Identity), chainNode()), uint8(0))
	for _, name := range slices.Sorted(maps.Keys(hamttest.NonCanonicalRoots())) {
		f.Add(joinBlocks(hamttest.NonCanonicalRoots()[name]), uint8(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, form uint8) {
		blocks := cutBlocks(raw)
		if len(blocks) == 0 || len(raw) > 1<<16 {
			return
		}
		p := params.Params{}
		if form%4 > 1 { // one in two: Filecoin's layouts carry no parameters
			p = params.Filecoin()
			p.Layout, p.BitWidth = params.Layout(form%4-1), 3+int(form>>2)%6
		}
		for _, honest := range []bool{true, false} {
			s := &hostileStore{blocks: blocks, honest: honest}
			readEverything(t, s, p)
			verifyAndRebuild(t, s, p)
		}
	})
}

// chainNode is a node with one link, at index 0; hostileStore may answer to it
// with the same node again.
func chainNode() []byte {
	return append([]byte{0x82, 0x41, 0x01, 0x81, 0xd8, 0x2a, 0x58, 0x25, 0x00}, oddLink...)
}

// oddLink is a link that no block has, and to which hostileStore answers with
// the second of two.
var oddLink = func() string {
	for i := byte(0); ; i++ {
		if link := hamttest.BlockOf([]byte{i}).Link.Binary(); link[len(link)-1]%2 == 1 {
			return link
		}
	}
}()

// chainRoot is a root over it, of bit width 3.
func chainRoot(alg multicodec.Code) []byte {
	raw := append([]byte("\xa3\x64hamt"), chainNode()...)
	raw = cbor.AppendHead(append(raw, "\x67hashAlg"...), cbor.Uint, uint64(alg))
	return append(raw, "\x6abucketSize\x01"...)
}

func mustLoad(t *testing.T, s *hostileStore) *adl.Node {
	t.Helper()
	n, err := hamt.Load(t.Context(), s.linkSystem(), s.blocks[0].Link, hamt.WithCacheBytes(0))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
