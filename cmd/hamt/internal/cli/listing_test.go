package cli

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// sampled returns the keys of a sample, each of which may come once.
func sampled(t *testing.T, m *adl.Node, n uint64, random *rand.Rand) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for e, err := range sample(t.Context(), m, n, random) {
		if err != nil {
			t.Fatal(err)
		}
		if keys[e.KeyString()] {
			t.Errorf("%s comes twice", e.Key())
		}
		keys[e.KeyString()] = true
	}
	return keys
}

// TestSample: a sample has as many entries as were asked for, or all.
func TestSample(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, entries := range []int{0, 1, 2, 1023, 1024, 1025, 3000} {
		s := hamttest.NewStore()
		m := hamttest.Load(t, s, numbered(t, s, 0, entries))
		for _, n := range []uint64{0, 1, 2, 10, 1023, 1024, 1025, 2999, 3000, 5000, math.MaxUint64} {
			if got := sampled(t, m, n, random); uint64(len(got)) != min(n, uint64(entries)) {
				t.Errorf("%d of %d: %d", n, entries, len(got))
			}
		}
	}
}

// TestSampleIsFair: over many samples, all entries come about as often.
func TestSampleIsFair(t *testing.T) {
	const entries, n, times = 3000, 30, 3000
	s := hamttest.NewStore()
	m := hamttest.Load(t, s, numbered(t, s, 0, entries))
	random := rand.New(rand.NewPCG(3, 4))
	count := map[string]int{}
	for range times {
		for key := range sampled(t, m, n, random) {
			count[key]++
		}
	}
	const each = n * times / entries
	// By chance alone the deviation would be the root of each; that of the hashes,
	// of which there are sampleRun in a run, comes on top.
	deviation := 0.0
	for i := range entries {
		off := float64(count[fmt.Sprint("key-", i)] - each)
		deviation += off * off
		if math.Abs(off) > 8*math.Sqrt(each) {
			t.Errorf("key-%d came %d times, others about %d times", i, each+int(off), each)
		}
	}
	deviation = math.Sqrt(deviation / entries)
	if most := math.Hypot(math.Sqrt(each), 1.5*each/math.Sqrt(sampleRun)); deviation > most {
		t.Errorf("the deviation is %.1f, want at most %.1f", deviation, most)
	}
}

// TestSampleLoads: of a large map, a sample loads few blocks.
func TestSampleLoads(t *testing.T) {
	s := hamttest.NewStore()
	root := numbered(t, s, 0, 100_000)
	m := hamttest.Load(t, s, root)
	s.TakeLoads()
	if got := sampled(t, m, 10, rand.New(rand.NewPCG(5, 6))); len(got) != 10 {
		t.Errorf("%d entries", len(got))
	}
	if loads := len(s.TakeLoads()); loads > 200 {
		t.Errorf("%d blocks for 10 entries", loads)
	}
}
