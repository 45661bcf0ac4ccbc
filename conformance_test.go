package hamt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/teststore"
)

// constantHash is the hash of collisions.md: four zero bytes for every key.
type constantHash struct{}

const constantHashCode = 0x300001

func (constantHash) Write(p []byte) (int, error) { return len(p), nil }
func (constantHash) Sum(b []byte) []byte         { return append(b, 0, 0, 0, 0) }
func (constantHash) Reset()                      {}
func (constantHash) Size() int                   { return 4 }
func (constantHash) BlockSize() int              { return 1 }

func init() {
	if err := hamt.RegisterHash(constantHashCode, func() hash.Hash { return constantHash{} }); err != nil {
		panic(err)
	}
}

// model is what a map should hold: a plain Go map.
type model map[string]datamodel.Node

func (m model) apply(ops []operation) {
	for _, op := range ops {
		if op.value == nil {
			delete(m, string(op.key))
		} else {
			m[string(op.key)] = op.value
		}
	}
}

// TestFixtures applies the steps of every case and expects the roots and the
// blocks that the reference gives, from every way of making the map.
func TestFixtures(t *testing.T) {
	for _, document := range []string{
		"alice-words.md", "precip.md", "bit-widths.md", "edits.md", "values.md",
		"keys.md", "hashes.md", "collisions.md", "selectors.md",
	} {
		t.Run(document, func(t *testing.T) { fixtures(t, document, testSteps) })
	}
}

func testSteps(t *testing.T, c fixtureCase) {
	if nested, _ := c.hunk("step-1/root"); nested == "" {
		t.Skip("the case is given by its blocks; TestSelectors has it")
	}
	store := teststore.New()
	prototype := builder.Prototype{Params: c.params(t), LinkSystem: store.LinkSystem()}
	txn, err := prototype.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	content := model{}
	for n := 1; ; n++ {
		ops, ok := c.operations(t, n)
		if !ok {
			break
		}
		step := fmt.Sprintf("step-%d/", n)
		before := txn.Base()
		applyTo(t, txn, ops)
		if why, refused := c.hunk(step + "refuse"); refused {
			expectRefusal(t, store, txn, why)
			if txn.Base() != before {
				t.Fatal("a refused step changed the map")
			}
			if txn, err = builder.NewTxn(before); err != nil {
				t.Fatal(err)
			}
			continue
		}
		content.apply(ops)
		node, link, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := c.need(t, step+"root")
		if link.String() != want {
			t.Fatalf("step %d: root %s by Txn, want %s", n, link, want)
		}
		expectBlocks(t, c, step+"blocks", store, node)
		expectContent(t, node, content)
		expectVerified(t, node)
		expectOtherWays(t, prototype, content, want)
	}
}

func applyTo(t *testing.T, txn *builder.Txn, ops []operation) {
	t.Helper()
	for _, op := range ops {
		var err error
		if op.value == nil {
			_, err = txn.Delete(t.Context(), op.key)
		} else {
			err = txn.Set(op.key, op.value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// expectRefusal commits and expects that nothing is written.
func expectRefusal(t *testing.T, store *teststore.Store, txn *builder.Txn, why string) {
	t.Helper()
	store.TakeWrites()
	for range 2 { // a failed commit can be tried again
		if _, _, err := txn.Commit(t.Context()); !errors.Is(err, refusals[why]) {
			t.Fatalf("got error %v, want %s", err, why)
		}
	}
	if writes := store.TakeWrites(); len(writes) > 0 {
		t.Fatalf("a refused commit wrote %d blocks", len(writes))
	}
}

func expectBlocks(t *testing.T, c fixtureCase, hunk string, store *teststore.Store, node *adl.Node) {
	t.Helper()
	body, ok := c.hunk(hunk)
	if !ok {
		return
	}
	want := parseBlocks(t, body)
	n := 0
	for link, err := range node.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == len(want) {
			t.Fatalf("more than %d blocks", n)
		}
		if link != (cidlink.Link{Cid: want[n].cid}) {
			t.Fatalf("block %d is %s, want %s", n, link, want[n].cid)
		}
		if want[n].bytes != nil && !slices.Equal(store.Block(link), want[n].bytes) {
			t.Fatalf("block %d is %x, want %x", n, store.Block(link), want[n].bytes)
		}
		n++
	}
	if n != len(want) {
		t.Fatalf("%d blocks, want %d", n, len(want))
	}
}

// equal compares values by their DAG-CBOR: datamodel.DeepEqual minds the order
// of map keys, and panics on integers above 2^63-1.
func equal(t *testing.T, a, b datamodel.Node) bool {
	t.Helper()
	rawA, errA := ipld.Encode(a, dagcbor.Encode)
	rawB, errB := ipld.Encode(b, dagcbor.Encode)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	return bytes.Equal(rawA, rawB)
}

func expectContent(t *testing.T, node *adl.Node, content model) {
	t.Helper()
	seen := 0
	for e, err := range node.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want, ok := content[e.KeyString()]
		if !ok {
			t.Fatalf("there is a key %q", e.Key())
		}
		value, err := e.Value()
		if err != nil {
			t.Fatal(err)
		}
		if !equal(t, value, want) {
			t.Fatalf("value of %q", e.Key())
		}
		got, err := node.Get(t.Context(), e.Key())
		if err != nil || !equal(t, got, want) {
			t.Fatalf("value of %q by Get, %v", e.Key(), err)
		}
		seen++
	}
	if seen != len(content) || node.Length() != int64(seen) {
		t.Fatalf("%d entries, Length %d, want %d", seen, node.Length(), len(content))
	}
}

func expectVerified(t *testing.T, node *adl.Node) {
	t.Helper()
	for err := range node.Verify(t.Context()) {
		t.Fatal(err)
	}
}

// expectOtherWays makes the map in all other ways and expects the same root.
func expectOtherWays(t *testing.T, prototype builder.Prototype, content model, want string) {
	t.Helper()
	for _, way := range []struct {
		name string
		make func(context.Context, builder.Prototype, model) (*adl.Node, error)
	}{{"assembler", byAssembler}, {"bulk", byBulk}, {"spilling bulk", bySpillingBulk}} {
		node, err := way.make(t.Context(), prototype, content)
		if err != nil {
			t.Fatalf("by %s: %v", way.name, err)
		}
		link, err := node.Link()
		if err != nil {
			t.Fatal(err)
		}
		if link.String() != want {
			t.Fatalf("root %s by %s, want %s", link, way.name, want)
		}
		if node.Length() != int64(len(content)) {
			t.Fatalf("%d entries by %s, want %d", node.Length(), way.name, len(content))
		}
	}
}

func byAssembler(_ context.Context, prototype builder.Prototype, content model) (*adl.Node, error) {
	nb := prototype.NewBuilder()
	ma, err := nb.BeginMap(int64(len(content)))
	if err != nil {
		return nil, err
	}
	for key, value := range content {
		if err := ma.AssembleKey().AssignString(key); err != nil {
			return nil, err
		}
		if err := ma.AssembleValue().AssignNode(value); err != nil {
			return nil, err
		}
	}
	if err := ma.Finish(); err != nil {
		return nil, err
	}
	return nb.Build().(*adl.Node), nil
}

func byBulk(ctx context.Context, prototype builder.Prototype, content model) (*adl.Node, error) {
	return bulk(ctx, prototype, content, builder.BulkOptions{})
}

// bySpillingBulk has room for so little that nearly every entry is a run; for
// large maps a bit more, because each run is a file.
func bySpillingBulk(ctx context.Context, prototype builder.Prototype, content model) (*adl.Node, error) {
	memory := int64(1)
	if len(content) > 30 {
		memory = 1 << 12
	}
	return bulk(ctx, prototype, content, builder.BulkOptions{MemoryBytes: memory})
}

func bulk(ctx context.Context, prototype builder.Prototype, content model, o builder.BulkOptions) (*adl.Node, error) {
	b, err := prototype.NewBulk(o)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	for key, value := range content {
		if err := b.Set([]byte(key), value); err != nil {
			return nil, err
		}
	}
	return b.Finish(ctx)
}

// refusals are the words of refused.md and collisions.md.
var refusals = map[string]error{
	"not-a-hamt":      fault.ErrNotHAMT,
	"malformed":       fault.ErrMalformed,
	"bitmap-length":   fault.ErrBitmapLength,
	"popcount":        fault.ErrPopcount,
	"bucket-order":    fault.ErrBucketOrder,
	"bucket-overfull": fault.ErrBucketOverfull,
	"element":         fault.ErrElement,
	"max-depth":       fault.ErrMaxDepth,
	"unknown-hash":    fault.ErrUnknownHash,
	"empty-node":      fault.ErrEmptyNode,
}

// TestRefused loads what must not be read, and expects an error of the right
// kind that names a block of the tree and its path.
func TestRefused(t *testing.T) {
	fixtures(t, "refused.md", func(t *testing.T, c fixtureCase) {
		blocks := parseBlocks(t, c.need(t, "blocks"))
		store := storeOf(t, blocks)
		want := refusals[c.need(t, "refuse")]
		node, err := hamt.Load(t.Context(), store.LinkSystem(), cidlink.Link{Cid: blocks[0].cid})
		if err == nil {
			_, err = node.Count(t.Context())
			faults := 0
			for fault := range node.Verify(t.Context()) {
				if errors.Is(fault, want) {
					faults++
				}
			}
			if faults == 0 {
				t.Error("Verify does not find it")
			}
		}
		var f *fault.Error
		if !errors.Is(err, want) || !errors.As(err, &f) {
			t.Fatalf("got error %v, want %v", err, want)
		}
		known := slices.ContainsFunc(blocks, func(b fixtureBlock) bool { return f.Link == cidlink.Link{Cid: b.cid} })
		if !known {
			t.Errorf("the error names block %v, which is not one of the tree: %v", f.Link, err)
		}
		t.Log(err)
	})
}

// TestLeftovers reads trees as iamap's deletes leave them, edits them and
// rebuilds them.
func TestLeftovers(t *testing.T) {
	fixtures(t, "leftovers.md", func(t *testing.T, c fixtureCase) {
		blocks := parseBlocks(t, c.need(t, "leftover/blocks"))
		store := storeOf(t, blocks)
		lsys := store.LinkSystem()
		node, err := hamt.Load(t.Context(), lsys, linkTo(t, c.need(t, "leftover/root")))
		if err != nil {
			t.Fatal(err)
		}
		content := model{}
		for _, line := range lines(c.need(t, "leftover/entries")) {
			content.apply([]operation{parseOperation(t, decodeJSON(t, line))})
		}
		expectContent(t, node, content)

		empty := 0
		for err := range node.Verify(t.Context()) {
			if !errors.Is(err, fault.ErrEmptyBucket) {
				t.Errorf("Verify says %v", err)
			}
			empty++
		}
		if empty == 0 {
			t.Error("Verify does not name the empty buckets")
		}

		canonical := c.need(t, "canonical/root")
		rebuilt, err := builder.Rebuild(t.Context(), node, builder.PrototypeOf(node), builder.BulkOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if link, _ := rebuilt.Link(); link.String() != canonical {
			t.Errorf("rebuilt root %s, want %s", link, canonical)
		}
		expectVerified(t, rebuilt)

		// Touching every node drops every empty bucket.
		txn, err := builder.NewTxn(node)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5000 {
			if err := txn.SetString(fmt.Sprint("touch", i), datamodel.Null); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err = txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 5000 {
			if existed, err := txn.Delete(t.Context(), fmt.Append(nil, "touch", i)); err != nil || !existed {
				t.Fatal(existed, err)
			}
		}
		_, link, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if link.String() != canonical {
			t.Errorf("root %s after touching every node, want %s", link, canonical)
		}
	})
}

// TestSelectors walks with selectors and expects the paths visited and the
// blocks loaded: a lookup at depth d loads d+1 blocks.
func TestSelectors(t *testing.T) {
	fixtures(t, "selectors.md", func(t *testing.T, c fixtureCase) {
		store, root := selectorStore(t, c)
		lsys := store.LinkSystem()
		hamt.Register(lsys, hamt.WithReadAhead(1)) // so that the order of loads says something
		store.TakeLoads()

		compiled, err := selector.CompileSelector(decodeJSON(t, c.need(t, "selector")))
		if err != nil {
			t.Fatal(err)
		}
		choose := func(datamodel.Link, linking.LinkContext) (datamodel.NodePrototype, error) {
			return basicnode.Prototype.Any, nil
		}
		start, err := lsys.Load(linking.LinkContext{Ctx: t.Context()}, root, basicnode.Prototype.Any)
		if err != nil {
			t.Fatal(err)
		}
		progress := traversal.Progress{Cfg: &traversal.Config{
			Ctx: t.Context(), LinkSystem: *lsys, LinkTargetNodePrototypeChooser: choose,
		}}
		var visits []string
		err = progress.WalkMatching(start, compiled, func(p traversal.Progress, _ datamodel.Node) error {
			visits = append(visits, p.Path.String())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := lines(c.need(t, "visits")); !slices.Equal(visits, want) {
			t.Errorf("visits\n%q, want\n%q", visits, want)
		}
		if loads, want := store.TakeLoads(), lines(c.need(t, "loads")); !slices.Equal(loads, want) {
			t.Errorf("loads\n%q, want\n%q", loads, want)
		}
	})
}

// selectorStore gives the blocks of a case and its root: as they are given, or
// by building the map.
func selectorStore(t *testing.T, c fixtureCase) (*teststore.Store, datamodel.Link) {
	t.Helper()
	if body, ok := c.hunk("blocks"); ok {
		blocks := parseBlocks(t, body)
		return storeOf(t, blocks), cidlink.Link{Cid: blocks[0].cid}
	}
	store := teststore.New()
	content := model{}
	ops, _ := c.operations(t, 1)
	content.apply(ops)
	node, err := byAssembler(t.Context(), builder.Prototype{Params: c.params(t), LinkSystem: store.LinkSystem()}, content)
	if err != nil {
		t.Fatal(err)
	}
	link, err := node.Link()
	if err != nil {
		t.Fatal(err)
	}
	return store, link
}
