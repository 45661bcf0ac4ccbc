package car_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	selectorparse "github.com/ipld/go-ipld-prime/traversal/selector/parse"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// everything selects all that is reached from a root.
var everything = selectorparse.CommonSelector_ExploreAllRecursively

// delays are how long the store takes for a block. With none, blocks that are
// asked for at the same time still come one after the other.
var delays = []time.Duration{0, time.Millisecond}

// serial are the ways to see a map that somebody else's LinkSystem may be under.
var serial = map[string]linking.NodeReifier{
	"ReifyRoots":                   hamt.ReifyRoots,
	"RootsReifier without a cache": hamt.RootsReifier(hamt.WithCacheBytes(0)),
}

// ahead loads as many blocks at the same time as Load does.
var ahead = hamt.RootsReifier(hamt.WithReadAhead(64))

// large returns a store with a map of 20,000 entries, and the map's blocks in the
// order of a walk.
func large(t *testing.T) (*hamttest.Store, cid.Cid, []cid.Cid) {
	t.Helper()
	store, root := hamttest.Stored(t, params.Params{BitWidth: 5, BucketSize: 3}, hamttest.Numbered(entries))
	return store, cidOf(root), blocksOf(t, hamttest.Load(t, store, root))
}

const entries = 20_000

func blocksOf(t *testing.T, m *adl.Node) (blocks []cid.Cid) {
	t.Helper()
	for link, err := range m.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, cidOf(link))
	}
	return blocks
}

func cidOf(link datamodel.Link) cid.Cid { return link.(cidlink.Link).Cid }

// reifying returns a LinkSystem over a store that takes its time.
func reifying(store *hamttest.Store, delay time.Duration, reifier linking.NodeReifier) linking.LinkSystem {
	store.Delay = func(datamodel.Link) time.Duration { return delay }
	lsys := *store.LinkSystem()
	lsys.NodeReifier = reifier
	return lsys
}

// sameOrder checks that the blocks are those wanted, in their order.
func sameOrder(t *testing.T, got, want []cid.Cid) {
	t.Helper()
	if !slices.EqualFunc(got, want, cid.Cid.Equals) {
		t.Errorf("%d blocks, and the walk has %d, or another order:\n%s", len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(got, want []cid.Cid) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("block %d, %s, is missing", i, want[i])
		case i >= len(want):
			return fmt.Sprintf("block %d, %s, is too much", i, got[i])
		case !got[i].Equals(want[i]):
			return fmt.Sprintf("block %d is %s, not %s", i, got[i], want[i])
		}
	}
	return "none"
}
