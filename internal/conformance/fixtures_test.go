package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

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
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestFixtures applies the steps of every case and expects the roots and the
// blocks that the reference gives, from every way of making the map.
func TestFixtures(t *testing.T) {
	for _, document := range []string{
		"alice-words.md", "precip.md", "bit-widths.md", "edits.md", "values.md",
		"keys.md", "hashes.md", "collisions.md", "selectors.md",
	} {
		t.Run(document, func(t *testing.T) { hamttest.Fixtures(t, document, testSteps) })
	}
}

func testSteps(t *testing.T, c hamttest.Fixture) {
	if nested, _ := c.Hunk("step-1/root"); nested == "" {
		t.Skip("the case is given by its blocks; TestSelectors has it")
	}
	store := hamttest.NewStore()
	prototype := builder.Prototype{Params: c.Params(t), LinkSystem: store.LinkSystem()}
	txn, err := prototype.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	content := hamttest.Model{}
	for n := 1; ; n++ {
		ops, ok := c.Operations(t, n)
		if !ok {
			break
		}
		step := fmt.Sprintf("step-%d/", n)
		before := txn.Base()
		hamttest.ApplyTo(t, txn, ops)
		if why, refused := c.Hunk(step + "refuse"); refused {
			expectRefusal(t, store, txn, why)
			if txn.Base() != before {
				t.Fatal("a refused step changed the map")
			}
			if txn, err = builder.NewTxn(before); err != nil {
				t.Fatal(err)
			}
			continue
		}
		content.Apply(ops)
		node, link, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := c.Need(t, step+"root")
		if link.String() != want {
			t.Fatalf("step %d: root %s by Txn, want %s", n, link, want)
		}
		expectBlocks(t, c, step+"blocks", store, node)
		hamttest.ExpectContent(t, node, content)
		hamttest.ExpectVerified(t, node)
		expectOtherWays(t, prototype, content, want)
	}
}

// expectRefusal commits and expects that nothing is written.
func expectRefusal(t *testing.T, store *hamttest.Store, txn *builder.Txn, why string) {
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

func expectBlocks(t *testing.T, c hamttest.Fixture, hunk string, store *hamttest.Store, node *adl.Node) {
	t.Helper()
	body, ok := c.Hunk(hunk)
	if !ok {
		return
	}
	want := hamttest.ParseBlocks(t, body)
	n := 0
	for link, err := range node.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == len(want) {
			t.Fatalf("more than %d blocks", n)
		}
		if link != (cidlink.Link{Cid: want[n].CID}) {
			t.Fatalf("block %d is %s, want %s", n, link, want[n].CID)
		}
		if want[n].Bytes != nil && !slices.Equal(store.Block(link), want[n].Bytes) {
			t.Fatalf("block %d is %x, want %x", n, store.Block(link), want[n].Bytes)
		}
		n++
	}
	if n != len(want) {
		t.Fatalf("%d blocks, want %d", n, len(want))
	}
}

// expectOtherWays makes the map in all other ways and expects the same root.
func expectOtherWays(t *testing.T, prototype builder.Prototype, content hamttest.Model, want string) {
	t.Helper()
	for _, way := range []struct {
		name string
		make func(context.Context, builder.Prototype, hamttest.Model) (*adl.Node, error)
	}{{"assembler", hamttest.ByAssembler}, {"bulk", hamttest.ByBulk}, {"spilling bulk", hamttest.BySpillingBulk}} {
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
	hamttest.Fixtures(t, "refused.md", func(t *testing.T, c hamttest.Fixture) {
		blocks := hamttest.ParseBlocks(t, c.Need(t, "blocks"))
		store := hamttest.StoreOf(t, blocks)
		want := refusals[c.Need(t, "refuse")]
		node, err := hamt.Load(t.Context(), store.LinkSystem(), cidlink.Link{Cid: blocks[0].CID})
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
		known := slices.ContainsFunc(blocks, func(b hamttest.FixtureBlock) bool { return f.Link == cidlink.Link{Cid: b.CID} })
		if !known {
			t.Errorf("the error names block %v, which is not one of the tree: %v", f.Link, err)
		}
		t.Log(err)
	})
}

// TestLeftovers reads trees as iamap's deletes leave them, edits them and
// rebuilds them.
func TestLeftovers(t *testing.T) {
	hamttest.Fixtures(t, "leftovers.md", func(t *testing.T, c hamttest.Fixture) {
		blocks := hamttest.ParseBlocks(t, c.Need(t, "leftover/blocks"))
		store := hamttest.StoreOf(t, blocks)
		lsys := store.LinkSystem()
		node, err := hamt.Load(t.Context(), lsys, hamttest.LinkTo(t, c.Need(t, "leftover/root")))
		if err != nil {
			t.Fatal(err)
		}
		content := hamttest.Model{}
		for _, line := range hamttest.Lines(c.Need(t, "leftover/entries")) {
			content.Apply([]hamttest.Operation{hamttest.ParseOperation(t, hamttest.DecodeJSON(t, line))})
		}
		hamttest.ExpectContent(t, node, content)

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

		canonical := c.Need(t, "canonical/root")
		rebuilt, _, err := builder.Rebuild(t.Context(), node, builder.PrototypeOf(node), builder.BulkOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if link, _ := rebuilt.Link(); link.String() != canonical {
			t.Errorf("rebuilt root %s, want %s", link, canonical)
		}
		hamttest.ExpectVerified(t, rebuilt)

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
	hamttest.Fixtures(t, "selectors.md", func(t *testing.T, c hamttest.Fixture) {
		store, root := hamttest.SelectorStore(t, c)
		lsys := store.LinkSystem()
		hamt.Register(lsys, hamt.WithReadAhead(1)) // so that the order of loads says something
		store.TakeLoads()

		compiled, err := selector.CompileSelector(hamttest.DecodeJSON(t, c.Need(t, "selector")))
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
		if want := hamttest.Lines(c.Need(t, "visits")); !slices.Equal(visits, want) {
			t.Errorf("visits\n%q, want\n%q", visits, want)
		}
		if loads, want := store.TakeLoads(), hamttest.Lines(c.Need(t, "loads")); !slices.Equal(loads, want) {
			t.Errorf("loads\n%q, want\n%q", loads, want)
		}
	})
}
