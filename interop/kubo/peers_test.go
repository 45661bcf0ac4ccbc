package kubo_test

import (
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
)

// TestPeers reads a map at a node that has none of it, and whose peer has it
// all. By Kubo's own count a lookup moves the blocks on its path between the two
// and no more, and whatever reads the whole map each block once.
func TestPeers(t *testing.T) {
	t.Parallel()
	first, second := daemon.Start(t, nil), daemon.Start(t, nil)
	memory, want := usual.inMemory(t, entries)
	c := root(t, want)
	usual.into(t, open(t, first.API, kubo.Options{}), entries)
	second.Connect(first)
	s := open(t, second.API, kubo.Options{})

	moved := map[string]bool{}
	depths := map[int]bool{}
	for i := 0; i < entries && len(depths) < 2; i += 50 {
		memory.TakeLoads()
		if _, err := load(t, memory.LinkSystem(), c).GetString(t.Context(), key(i)); err != nil {
			t.Fatal(err)
		}
		path := memory.TakeLoads() // depth + 1 blocks
		if depths[len(path)-1] {
			continue
		}
		depths[len(path)-1] = true

		value, err := load(t, s.LinkSystem(), c).GetString(t.Context(), key(i))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := value.AsInt(); err != nil || n != int64(i) {
			t.Errorf("%q: %d, %v", key(i), n, err)
		}
		for _, block := range path {
			moved[block] = true
		}
		if received, twice := second.Received(); received != len(moved) || twice != 0 {
			t.Errorf("after a lookup at depth %d: %d blocks have moved, %d of them twice, and not %d", len(path)-1, received, twice, len(moved))
		}
	}
	if len(depths) < 2 {
		t.Errorf("keys at depths %v only", depths)
	}

	holds(t, load(t, s.LinkSystem(), c), entries)
	if received, twice := second.Received(); received != len(blocks(t, want)) || twice != 0 {
		t.Errorf("after all: %d blocks have moved, %d of them twice, and not %d", received, twice, len(blocks(t, want)))
	}
}
