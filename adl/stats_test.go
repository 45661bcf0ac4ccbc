package adl_test

import (
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestStatsAfterVerify: a map that was found whole has been counted.
func TestStatsAfterVerify(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(500))
	m := hamttest.Load(t, s, root)
	want, err := hamttest.Load(t, s, root).Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for err := range m.Verify(t.Context()) {
		t.Fatal(err)
	}
	s.TakeLoads()
	got, err := m.Stats(t.Context())
	if err != nil || got.Entries != 500 || got.Blocks != want.Blocks || got.Bytes != want.Bytes || len(got.Levels) != len(want.Levels) {
		t.Errorf("%+v, %v", got, err)
	}
	got.Levels[0].Nodes = 7 // what is given away is not what is kept
	if again, err := m.Stats(t.Context()); err != nil || again.Levels[0].Nodes != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	count, known := m.KnownCount()
	if loads := s.TakeLoads(); !known || count != 500 || len(loads) > 0 {
		t.Errorf("%d, %v, loads %v", count, known, loads)
	}
	// A fault, and nothing is known: part of the map was not seen.
	leaf := hamttest.LinkAt(t, s, root, hamttest.PathOf("key-7", 2))
	s.Remove(leaf)
	m = hamttest.Load(t, s, root)
	faults := 0
	for range m.Verify(t.Context()) {
		faults++
	}
	if _, known := m.KnownCount(); known || faults == 0 {
		t.Errorf("known %v, %d faults", known, faults)
	}
}

// TestStats counts what the blocks say.
func TestStats(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(100))
	n := hamttest.Load(t, s, root)
	stats, err := n.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Entries != 100 || stats.Blocks != int64(s.Len()) || stats.Bytes != s.Bytes() {
		t.Errorf("%+v; %d blocks of %d bytes", stats, s.Len(), s.Bytes())
	}
	var nodes, links, buckets, filled int64
	for _, level := range stats.Levels {
		nodes, links, buckets = nodes+level.Nodes, links+level.Links, buckets+level.Buckets
	}
	for n, count := range stats.BucketFill {
		filled += int64(n) * count
	}
	if nodes != links+1 || buckets != stats.BucketFill[1] || filled != 100 || stats.BucketFill[0] != 0 {
		t.Errorf("%+v", stats)
	}
}
