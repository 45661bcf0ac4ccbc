package diff_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func murmur() params.Params {
	return params.Params{HashAlg: multicodec.Murmur3X64_64, BitWidth: 3, BucketSize: 2}
}

// TestHashFunctions: maps that are keyed by different hash functions are an error,
// unless it is said to look keys up.
func TestHashFunctions(t *testing.T) {
	a, b := newPair(t, sha2(3, 2), murmur(), hamttest.Numbered(30), hamttest.Numbered(30)).load(t)
	if err := failure(t.Context(), a, b); !errors.Is(err, diff.ErrHashFunctions) {
		t.Errorf("error %v", err)
	}
	if err := failure(t.Context(), a, b, diff.ByLookup(), diff.HashPrefix([]byte{0}, 1)); err == nil || errors.Is(err, diff.ErrHashFunctions) {
		t.Errorf("a prefix of two hashes: error %v", err)
	}
	expect(t, changes(t, a, b, diff.ByLookup()), nil)
	// Where there is one map only, there is one hash only.
	if got := len(changes(t, nil, b)); got != 30 {
		t.Errorf("%d changes", got)
	}
}

// inOrder returns changes in the order of ByLookup: first those of keys that a has, in
// its order, then those of others, in b's.
func inOrder(t *testing.T, all []string, before hamttest.Model, a, b *adl.Node) (ordered []string) {
	t.Helper()
	byKey := map[string]string{}
	for _, change := range all {
		var kind, key string
		if _, err := fmt.Sscanf(change, "%s %q", &kind, &key); err != nil {
			t.Fatal(err)
		}
		byKey[key] = change
	}
	for i, m := range []*adl.Node{a, b} {
		for key, err := range m.KeyStrings(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if _, inA := before[key]; byKey[key] != "" && inA == (i == 0) {
				ordered = append(ordered, byKey[key])
			}
		}
	}
	return ordered
}

// TestByLookup compares random maps of two hash functions with Go maps, whole, by keys
// and after each change.
func TestByLookup(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 20, 700} {
		before := hamttest.Numbered(n)
		after := edited(random, before, n/5)
		p := newPair(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 1}, params.Params{HashAlg: multicodec.Murmur3X64_64, BitWidth: 3, BucketSize: 1}, before, after)
		a, b := p.load(t)
		want := inOrder(t, wanted(t, before, after), before, a, b)
		expect(t, changes(t, a, b, diff.ByLookup()), want)
		var all []diff.Change
		for c, err := range diff.Changes(t.Context(), a, b, diff.ByLookup()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		for i, c := range all {
			if got := text(c); i%7 == 0 || i < 3 {
				expect(t, changes(t, a, b, diff.ByLookup(), diff.After(c.Key)), want[i+1:])
				expect(t, changes(t, a, b, diff.ByLookup(), diff.Keys(c.Key, []byte("nobody"))), []string{got})
			}
		}
	}
}

// TestByLookupLoadsTogether: over slow stores the nodes on the way to many keys are
// loaded at the same time.
func TestByLookupLoadsTogether(t *testing.T) {
	content := hamttest.Numbered(1000)
	p := newPair(t, sha2(3, 2), murmur(), content, content)
	synctest.Test(t, func(t *testing.T) {
		p.slowDown()
		a, b := p.load(t)
		expect(t, changes(t, a, b, diff.ByLookup()), nil)
		loadsA, loadsB := p.take()
		slices.Sort(loadsA)
		slices.Sort(loadsB)
		if most := p.most.Load(); most < 32 || len(slices.Compact(loadsA)) != len(loadsA) || len(slices.Compact(loadsB)) != len(loadsB) {
			t.Errorf("%d loads at the same time, %d and %d in all, of %d and %d blocks", most, len(loadsA), len(loadsB), p.storeA.Len(), p.storeB.Len())
		}
	})
}
