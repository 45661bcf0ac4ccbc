package adl_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

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
