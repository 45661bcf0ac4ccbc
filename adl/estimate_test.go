package adl_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestRawBlocks: they are the blocks of the store, bytes and all, in the order
// of Blocks, and asking for the bytes loads nothing more.
func TestRawBlocks(t *testing.T) {
	for _, codec := range []multicodec.Code{multicodec.DagCbor, multicodec.DagJson} {
		s := hamttest.NewStore()
		links := cidlink.LinkPrototype{Prefix: store.DefaultLinkPrototype.Prefix}
		links.Codec = uint64(codec)
		root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), LinkPrototype: links}, hamttest.Numbered(300)))
		built, err := hamttest.ByAssembler(t.Context(), builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), LinkPrototype: links}, hamttest.Numbered(300))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*adl.Node{built, hamttest.Load(t, s, root)} {
			if stats, err := m.Stats(t.Context()); err != nil || stats.Bytes != s.Bytes() {
				t.Errorf("%s: %d bytes, and the store has %d, %v", codec, stats.Bytes, s.Bytes(), err)
			}
		}
		var order []string
		for link, err := range hamttest.Load(t, s, root).Blocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			order = append(order, link.String())
		}
		s.TakeLoads()
		seen := 0
		for b, err := range hamttest.Load(t, s, root).RawBlocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if b.Link.String() != order[seen] || !bytes.Equal(b.Bytes, s.Block(b.Link)) {
				t.Fatalf("%s, block %d: %s, and its bytes are not the store's", codec, seen, b.Link)
			}
			seen++
		}
		if loads := len(s.TakeLoads()); seen != len(order) || loads != seen {
			t.Errorf("%s: %d of %d blocks, %d loads", codec, seen, len(order), loads)
		}
	}
}

// TestEstimate: some blocks of each level tell about how large a map is, and a
// walk afterwards does not load them again.
func TestEstimate(t *testing.T) {
	for _, c := range []struct {
		p params.Params
		n int
	}{
		{params.Default(), 0}, {params.Default(), 10}, {params.Default(), 2_000}, {params.Default(), 60_000},
		{hamttest.ManyLevels(), 50}, {hamttest.ManyLevels(), 20_000},
	} {
		s, root := hamttest.Stored(t, c.p, hamttest.Numbered(c.n))
		m := hamttest.Load(t, s, root)
		stats, err := hamttest.Load(t, s, root).Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.TakeLoads()
		got, err := m.Estimate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sampled := len(s.TakeLoads())
		if sampled > 32*len(stats.Levels) {
			t.Errorf("%v, %d entries: %d blocks were loaded to estimate", c.p, c.n, sampled)
		}
		near := func(got, want int64, by float64) bool { return math.Abs(float64(got-want)) <= by*float64(want) }
		by := 0.15
		if got.Exact {
			by = 0
		}
		if !near(got.Entries, stats.Entries, by) || !near(got.Blocks, stats.Blocks, by) || got.Exact != (int64(sampled) == stats.Blocks-1) {
			t.Errorf("%v, %d entries in %d blocks: %+v", c.p, stats.Entries, stats.Blocks, got)
		}
		if _, err := m.Count(t.Context()); err != nil {
			t.Fatal(err)
		}
		if loads := sampled + len(s.TakeLoads()); int64(loads) != stats.Blocks-1 {
			t.Errorf("%v, %d entries: %d loads of %d blocks", c.p, c.n, loads, stats.Blocks-1)
		}
	}
}

// TestEstimateOfDamaged: a block that cannot be loaded is named, with its place.
func TestEstimateOfDamaged(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(30))
	path := hamttest.PathOf("key-7", 1)
	link := hamttest.LinkAt(t, s, root, path)
	s.Remove(link)
	for _, ahead := range []int{1, 64} {
		_, err := hamttest.Load(t, s, root, hamt.WithReadAhead(ahead)).Estimate(t.Context())
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.ErrMissing || f.Link != link || !slices.Equal(f.Path, path) {
			t.Errorf("%v", err)
		}
	}
}

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
