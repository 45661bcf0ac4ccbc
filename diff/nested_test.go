package diff_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// in builds a map in a store.
func in(t testing.TB, s *hamttest.Store, p params.Params, content hamttest.Model) *adl.Node {
	t.Helper()
	return hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content)
}

func integer(i int64) datamodel.Node { return basicnode.NewInt(i) }

// linkTo returns a link to a block of plain data.
func linkTo(t testing.TB, s *hamttest.Store, value datamodel.Node) datamodel.Node {
	t.Helper()
	b := hamttest.BlockOf(encoded(t, value))
	s.Put(b.Link.(cidlink.Link).Cid, b.Bytes)
	return basicnode.NewLink(b.Link)
}

// newNested returns two maps, in stores of their own, with maps in them.
func newNested(t testing.TB) (storeA, storeB *hamttest.Store, a, b *adl.Node) {
	t.Helper()
	storeA, storeB = hamttest.NewStore(), hamttest.NewStore()
	p := sha2(3, 1)
	inner := hamttest.Numbered(40)
	changed := hamttest.Numbered(41)
	changed["key-3"] = integer(99)
	delete(changed, "key-4")
	maps := func(s *hamttest.Store, x hamttest.Model, q params.Params) hamttest.Model {
		return hamttest.Model{
			"same":   in(t, s, p, inner),
			"inner":  in(t, s, p, x),
			"twin":   in(t, s, p, x),
			"params": in(t, s, q, x),
			"deep":   in(t, s, p, hamttest.Model{"down": in(t, s, p, hamttest.Model{"there": in(t, s, p, x)}), "x": integer(1)}),
			"shape":  in(t, s, q, inner),
		}
	}
	before, after := maps(storeA, inner, p), maps(storeB, changed, sha2(4, 2))
	before["gone"], after["came"] = in(t, storeA, p, inner), in(t, storeB, p, inner)
	before["no map"], after["no map"] = linkTo(t, storeA, integer(1)), linkTo(t, storeB, integer(2))
	before["to map"], after["to map"] = integer(1), in(t, storeB, p, inner)
	before["other"], after["other"] = in(t, storeA, p, inner), in(t, storeB, murmur(), changed)
	return storeA, storeB, in(t, storeA, p, before), in(t, storeB, p, after)
}

// TestRecursive: a nested map is one change, or with Recursive those in it, where both
// sides have a map. What is not two maps of one hash function stays one change.
func TestRecursive(t *testing.T) {
	_, _, a, b := newNested(t)
	keysOf := func(options ...diff.Option) (all []string) {
		for c, err := range diff.Changes(t.Context(), a, b, options...) {
			if err != nil {
				t.Fatal(err)
			}
			key := string(c.Key)
			for _, outer := range slices.Backward(c.Path) {
				key = string(outer) + "/" + key
			}
			all = append(all, fmt.Sprint(c.Kind, " ", key))
		}
		slices.Sort(all)
		return all
	}
	if got, want := keysOf(), []string{
		"added came", "changed deep", "changed inner", "changed no map", "changed other", "changed params", "changed shape", "changed to map", "changed twin", "removed gone",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want := []string{"added came", "changed no map", "changed other", "changed to map", "removed gone"}
	for _, path := range []string{"inner/", "twin/", "params/", "deep/down/there/"} {
		want = append(want, "changed "+path+"key-3", "removed "+path+"key-4", "added "+path+"key-40")
	}
	slices.Sort(want)
	if got := keysOf(diff.Recursive()); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want = append(slices.DeleteFunc(want, func(c string) bool { return c == "changed other" }), "changed other/key-3", "removed other/key-4", "added other/key-40")
	slices.Sort(want)
	if got := keysOf(diff.Recursive(), diff.ByLookup()); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := keysOf(diff.Recursive(), diff.Keys([]byte("deep"))); len(got) != 3 {
		t.Errorf("got %q", got)
	}
}

// TestRecursiveAfter resumes after each change, nested or not.
func TestRecursiveAfter(t *testing.T) {
	_, _, a, b := newNested(t)
	all := changes(t, a, b, diff.Recursive())
	i := 0
	for c, err := range diff.Changes(t.Context(), a, b, diff.Recursive()) {
		if err != nil {
			t.Fatal(err)
		}
		i++
		expect(t, changes(t, a, b, diff.Recursive(), diff.After(append(slices.Clone(c.Path), c.Key)...)), all[i:])
	}
	if i < 12 {
		t.Errorf("%d changes", i)
	}
	// A key of a nested map that is no map on both sides was passed with its map.
	rest := changes(t, a, b, diff.Recursive(), diff.After([]byte("gone")))
	expect(t, changes(t, a, b, diff.Recursive(), diff.After([]byte("gone"), []byte("key-1"))), rest)
}

// TestRecursiveMissing: a block of a nested map that is missing is named, with the side
// and the keys on the way to it.
func TestRecursiveMissing(t *testing.T) {
	for _, what := range []string{"root", "node"} {
		for side := diff.A; side <= diff.B; side++ {
			storeA, storeB, a, b := newNested(t)
			store, m := storeA, a
			if side == diff.B {
				store, m = storeB, b
			}
			down := nestedIn(t, nestedIn(t, m, "deep"), "down")
			missing := hamttest.RootOf(t, nestedIn(t, down, "there"))
			if what == "node" {
				missing = hamttest.LinkAt(t, store, missing, hamttest.PathOf("key-3", 1))
			}
			store.Remove(missing)
			err := failure(t.Context(), hamttest.Load(t, storeA, hamttest.RootOf(t, a)), hamttest.Load(t, storeB, hamttest.RootOf(t, b)), diff.Recursive(), diff.Keys([]byte("deep")))
			var located *diff.Error
			var f *fault.Error
			if !errors.As(err, &located) || !errors.As(err, &f) || f.Kind != fault.ErrMissing {
				t.Fatalf("%s of %s: error %v", what, side, err)
			}
			if located.Side != side || f.Link != missing || fmt.Sprintf("%s", located.Path) != "[deep down there]" {
				t.Errorf("%s of %s: error %v, want link %s", what, side, err, missing)
			}
		}
	}
}

// nestedIn opens the map that a key has.
func nestedIn(t testing.TB, m *adl.Node, key string) *adl.Node {
	t.Helper()
	value, err := m.GetString(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	link, err := value.AsLink()
	if err != nil {
		t.Fatal(err)
	}
	lsys := m.LinkSystem()
	inner, err := hamt.Load(t.Context(), &lsys, link)
	if err != nil {
		t.Fatal(err)
	}
	return inner
}

// TestRecursiveEndsWhereNothingDiffers: maps that link to each other many times over,
// and differ in nothing but their shape, are compared once.
func TestRecursiveEndsWhereNothingDiffers(t *testing.T) {
	storeA, storeB := hamttest.NewStore(), hamttest.NewStore()
	a, b := in(t, storeA, sha2(3, 1), hamttest.Model{"end": integer(1)}), in(t, storeB, sha2(4, 1), hamttest.Model{"end": integer(1)})
	for range 40 {
		before, after := hamttest.Model{}, hamttest.Model{}
		for key := range 4 {
			before[fmt.Sprint(key)], after[fmt.Sprint(key)] = a, b
		}
		a, b = in(t, storeA, sha2(3, 1), before), in(t, storeB, sha2(4, 1), after)
	}
	expect(t, changes(t, a, b, diff.Recursive()), nil)
	storeA.TakeLoads()
	expect(t, changes(t, a, b, diff.Recursive()), nil)
	if n := len(storeA.TakeLoads()); n > 1000 {
		t.Errorf("%d loads", n)
	}
}

// TestNestedTooDeep: maps in maps have an end.
func TestNestedTooDeep(t *testing.T) {
	store := hamttest.NewStore()
	a, b := in(t, store, sha2(3, 1), hamttest.Model{"end": integer(1)}), in(t, store, sha2(3, 1), hamttest.Model{"end": integer(2)})
	for range params.MaxDepth + 1 {
		a, b = in(t, store, sha2(3, 1), hamttest.Model{"k": a}), in(t, store, sha2(3, 1), hamttest.Model{"k": b})
	}
	if err := failure(t.Context(), a, b, diff.Recursive()); !errors.Is(err, fault.ErrMaxDepth) {
		t.Errorf("error %v", err)
	}
	if got := len(changes(t, a, b)); got != 1 {
		t.Errorf("%d changes", got)
	}
}
