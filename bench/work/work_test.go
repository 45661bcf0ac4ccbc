package work_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/bench/memstore"
	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

const size = 5000

// TestWorks does every work with every peer; each checks its own answers.
func TestWorks(t *testing.T) {
	for _, p := range peer.All() {
		n := size
		if p.Slow() {
			n = 500
		}
		s := work.NewSubject(p, workload.Entries(n))
		works := work.All
		if p.Concurrent() {
			works = append(works[:len(works):len(works)], work.OverNetwork(16)...)
		}
		for _, w := range works {
			t.Run(p.Name()+"/"+w.Name, func(t *testing.T) {
				r, err := work.Measure(t.Context(), w, s, nil)
				if errors.Is(err, peer.ErrNotOffered) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.NsPerEntry <= 0 || r.N != n {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// TestDiffs finds changes in every way there is.
func TestDiffs(t *testing.T) {
	for _, p := range peer.Differs() {
		s := work.NewSubject(p, workload.Entries(size))
		works := work.Diffs
		if p.Concurrent() {
			works = append(works[:len(works):len(works)], work.DiffsOverNetwork(64)...)
		}
		for _, w := range works {
			t.Run(p.Name()+"/"+w.Name, func(t *testing.T) {
				if _, err := work.Measure(t.Context(), w, s, nil); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestFloorDoesTheWork: what the floor leaves out must not be the map. Its
// root is that of the map which the library builds, also where the entries are
// not all held at once.
func TestFloorDoesTheWork(t *testing.T) {
	for _, n := range []int{1, 10, 1000, 70_000} {
		entries := workload.Entries(n)
		store := memstore.New()
		root, err := peer.Ours{}.Build(t.Context(), store, peer.FromRaw, entries)
		if err != nil {
			t.Fatal(err)
		}
		digest, blocks := work.Floor(entries)
		hash, err := multihash.Encode(digest[:], multihash.SHA2_256)
		if err != nil {
			t.Fatal(err)
		}
		if floor := cid.NewCidV1(cid.DagCBOR, hash); floor != root || blocks != store.Len() {
			t.Errorf("%d entries: the floor makes %s of %d blocks, the library %s of %d", n, floor, blocks, root, store.Len())
		}
		again, number, err := work.Root(t.Context(), n)
		if again != digest || number != blocks || err != nil {
			t.Errorf("%d entries: another root, or %d blocks instead of %d: %v", n, number, blocks, err)
		}
	}
}

// TestBlocksWritten: an edit writes the blocks that the new map has and the
// old one had not, each once, and no other.
func TestBlocksWritten(t *testing.T) {
	entries := workload.Entries(70_000)
	for name, edit := range map[string]struct {
		sets    []workload.Entry
		deletes []string
	}{
		"sets":        {sets: workload.Sets(len(entries), 1000)},
		"one set":     {sets: workload.Sets(len(entries), 1)},
		"deletes":     {deletes: workload.Chosen(len(entries), 7000)},
		"one delete":  {deletes: workload.Chosen(len(entries), 1)},
		"same values": {sets: entries[100:200]},
	} {
		t.Run(name, func(t *testing.T) {
			base := memstore.New()
			root, err := peer.Ours{}.Build(t.Context(), base, peer.AsNode, entries)
			if err != nil {
				t.Fatal(err)
			}
			store := base.Clone()
			m, err := peer.Ours{}.Open(t.Context(), store, root, peer.Reading{})
			if err != nil {
				t.Fatal(err)
			}
			next, err := m.Edit(t.Context(), edit.sets, edit.deletes)
			if err != nil {
				t.Fatal(err)
			}
			old, fresh := blocksOf(t, store, root), 0
			for c := range blocksOf(t, store, next) {
				if !old[c] {
					fresh++
				}
			}
			if added := store.Len() - base.Len(); store.Writes() != fresh || added != fresh {
				t.Errorf("%d blocks written, %d of them new in the store; the maps differ in %d", store.Writes(), added, fresh)
			}
		})
	}
}

func blocksOf(t *testing.T, store *memstore.Store, root cid.Cid) map[cid.Cid]bool {
	t.Helper()
	node, err := hamt.Load(t.Context(), store.LinkSystem(), cidlink.Link{Cid: root})
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[cid.Cid]bool{}
	for link, err := range node.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		blocks[link.(cidlink.Link).Cid] = true
	}
	return blocks
}

// TestSameBlocks: the two Go peers that are compared do the same work, block
// by block, but for the root and how a node's bitmap is written.
func TestSameBlocks(t *testing.T) {
	for _, n := range []int{10, size} {
		entries := workload.Entries(n)
		blocks := map[string]string{}
		for _, p := range []peer.Peer{peer.Ours{}, peer.GoHamtIpld{}} {
			store := memstore.New()
			if _, err := p.Build(t.Context(), store, peer.AsNode, entries); err != nil {
				t.Fatal(err)
			}
			blocks[p.Name()] = fmt.Sprint(store.Len(), " blocks, ", store.Writes(), " written")
		}
		if ours, theirs := blocks["go-ipld-hamt"], blocks["go-hamt-ipld"]; ours != theirs {
			t.Errorf("%d entries: %s and %s", n, ours, theirs)
		}
	}
}

func TestFastest(t *testing.T) {
	a := work.Result{Work: "build-raw", Impl: "a", N: 10, NsPerEntry: 5}
	faster, other, larger := a, a, a
	faster.NsPerEntry, other.Impl, larger.N = 4, "b", 20
	got := work.Fastest([]work.Result{a, other, faster, larger, a})
	if want := []work.Result{faster, other, larger}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
