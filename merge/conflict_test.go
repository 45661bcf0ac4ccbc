package merge_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/merge"
)

// fields makes a plain map; field by field, a value after its name.
func fields(entries ...any) datamodel.Node {
	return hamttest.Must(qp.BuildMap(basicnode.Prototype.Any, -1, func(m datamodel.MapAssembler) {
		for i := 0; i < len(entries); i += 2 {
			node, ok := entries[i+1].(datamodel.Node)
			switch v := entries[i+1].(type) {
			case int:
				node = integer(int64(v))
			case string:
				node = basicnode.NewString(v)
			case float64:
				node = basicnode.NewFloat(v)
			default:
				if !ok {
					panic("no value")
				}
			}
			qp.MapEntry(m, entries[i].(string), qp.Node(node))
		}
	}))
}

// versions builds a base and two versions in one store.
func versions(t testing.TB, base, ours, theirs hamttest.Model) (s *hamttest.Store, b, x, y *adl.Node) {
	t.Helper()
	s = hamttest.NewStore()
	b, x, y = in(t, s, sha2(3, 1), base), in(t, s, sha2(3, 1), ours), in(t, s, sha2(3, 1), theirs)
	s.TakeWrites()
	s.TakeLoads()
	return s, b, x, y
}

// conflicting are versions with a conflict of each kind, and changes that are none.
func conflicting(t testing.TB) (s *hamttest.Store, b, x, y *adl.Node) {
	t.Helper()
	base, ours, theirs := hamttest.Numbered(60), hamttest.Numbered(60), hamttest.Numbered(60)
	ours["key-1"], theirs["key-1"] = integer(100), integer(200) // changed differently
	ours["key-2"] = integer(100)                                // changed and deleted
	delete(theirs, "key-2")
	delete(ours, "key-3") // deleted and changed
	theirs["key-3"] = integer(200)
	ours["new"], theirs["new"] = integer(100), integer(200)     // both added
	ours["key-4"], theirs["key-4"] = integer(100), integer(100) // the same on both sides
	delete(ours, "key-5")
	delete(theirs, "key-5")
	ours["x"], theirs["x"] = integer(1), integer(1)
	ours["key-6"] = integer(100)
	theirs["key-7"] = integer(200)
	return versions(t, base, ours, theirs)
}

func shown(c merge.Conflict) string {
	path := ""
	for _, key := range c.Path {
		path += string(key) + "/"
	}
	return fmt.Sprintf("%s%s %x %x %x", path, c.Key, c.Base.Raw(), c.Ours.Raw(), c.Theirs.Raw())
}

// TestConflicts: each comes once, with all its values, in hash order; they are left unless
// they are decided, and then there is no map and nothing is written.
func TestConflicts(t *testing.T) {
	s, b, x, y := conflicting(t)
	want := []string{"key-1 01 1864 18c8", "key-2 02 1864 ", "key-3 03  18c8", "new  1864 18c8"}
	var got, order []string
	m, root, report, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: func(_ context.Context, c merge.Conflict) (merge.Resolution, error) {
		got, order = append(got, shown(c)), append(order, string(c.Key))
		return merge.Leave(), nil
	}})
	var left *merge.ConflictError
	if m != nil || root != nil || !errors.As(err, &left) || left.Left != 4 || string(left.First.Key) != order[0] {
		t.Errorf("%v, %v, %v", m, root, err)
	}
	if report.Conflicts != 4 || report.Left != 4 {
		t.Errorf("%+v", report)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	inHashOrder := []string{}
	for c, err := range diff.Changes(t.Context(), x, y) {
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(order, string(c.Key)) {
			inHashOrder = append(inHashOrder, string(c.Key))
		}
	}
	if !slices.Equal(order, inHashOrder) {
		t.Errorf("they come in the order %q, want %q", order, inHashOrder)
	}
	if _, _, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{}); !errors.As(err, &left) || left.Left != 4 {
		t.Errorf("without a resolver: %v", err)
	}
	if _, _, report, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: merge.Fail}); !errors.As(err, &left) || left.Left != 1 || report.Conflicts != 1 {
		t.Errorf("at the first: %v, %+v", err, report)
	}
	if n := len(s.TakeWrites()); n > 0 {
		t.Errorf("%d blocks were written", n)
	}
	if text := left.Error(); !strings.Contains(text, fmt.Sprintf("%q", left.First.Key)) {
		t.Errorf("%q does not name the key", text)
	}
}

// TestResolve gives keys what no version has, deletes them, and refuses what is no value.
func TestResolve(t *testing.T) {
	s, b, x, y := conflicting(t)
	resolve := func(_ context.Context, c merge.Conflict) (merge.Resolution, error) {
		switch string(c.Key) {
		case "key-1":
			return merge.Set(fields("merged", "yes"))
		case "key-2":
			return merge.Delete(), nil
		case "key-3":
			return merge.Take(c.Base), nil
		}
		return merge.Take(diff.RawValue([]byte{0xf6})), nil
	}
	m, root, report, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: resolve})
	if err != nil || report.Conflicts != 4 || report.Left != 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	want := hamttest.Numbered(60)
	want["key-1"], want["new"], want["key-4"], want["key-6"], want["key-7"], want["x"] = fields("merged", "yes"), datamodel.Null, integer(100), integer(100), integer(200), integer(1)
	delete(want, "key-2")
	delete(want, "key-5")
	expectMerged(t, s, sha2(3, 1), m, root, want)

	stop := errors.New("enough")
	for name, resolve := range map[string]merge.Resolver{
		"no DAG-CBOR": func(context.Context, merge.Conflict) (merge.Resolution, error) {
			return merge.Take(diff.RawValue([]byte{0xff})), nil
		},
		"NaN": func(context.Context, merge.Conflict) (merge.Resolution, error) {
			return merge.Set(basicnode.NewFloat(math.NaN()))
		},
	} {
		if _, _, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: resolve}); !errors.Is(err, fault.ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: func(context.Context, merge.Conflict) (merge.Resolution, error) { return merge.Leave(), stop }}); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

// TestInlineBytes: a value that the resolver makes goes into a block of its own where it is
// too large to be inline, and those of versions stay as they are.
func TestInlineBytes(t *testing.T) {
	s, b, x, y := conflicting(t)
	long := basicnode.NewString(strings.Repeat("long", 20))
	resolve := func(_ context.Context, c merge.Conflict) (merge.Resolution, error) {
		if string(c.Key) == "new" {
			return merge.Set(long)
		}
		return merge.Take(c.Theirs), nil
	}
	m, _, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: resolve, Into: builder.Prototype{InlineBytes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	value, err := m.GetString(t.Context(), "new")
	if err != nil {
		t.Fatal(err)
	}
	link, err := value.AsLink()
	if err != nil || string(s.Block(link)) != string(encoded(t, long)) {
		t.Errorf("the value is %v, %v", value, err)
	}
	if value, err := m.GetString(t.Context(), "key-1"); err != nil || !hamttest.Equal(t, value, integer(200)) {
		t.Errorf("the value of a version became %v, %v", value, err)
	}
}

// TestLastWriter takes the value in which a field is greater, whichever side has it, and
// leaves what it cannot decide.
func TestLastWriter(t *testing.T) {
	large := basicnode.NewUint(math.MaxUint64)
	for name, c := range map[string]struct {
		less, more datamodel.Node // nil: left
	}{
		"integers":          {fields("t", 9), fields("t", 10)},
		"long integers":     {fields("t", 255), fields("t", 256)},
		"large integers":    {fields("t", math.MaxInt), fields("t", large)},
		"negative":          {fields("t", -1), fields("t", 0)},
		"both negative":     {fields("t", -300), fields("t", -2)},
		"floats":            {fields("t", -1.5), fields("t", 1e300)},
		"times":             {fields("t", "2026-01-31T00:00:00Z"), fields("t", "2026-02-01T00:00:00Z")},
		"the same":          {fields("t", 1, "v", 1), fields("t", 1, "v", 2)},
		"of two kinds":      {fields("t", 1), fields("t", "1")},
		"without the field": {fields("t", 1), fields("u", 1)},
		"no map":            {fields("t", 1), integer(1)},
		"deleted":           {fields("t", 1), nil},
		"maps":              {fields("t", fields()), fields("t", fields("a", 1))},
	} {
		t.Run(name, func(t *testing.T) {
			less, more := diff.RawValue(encoded(t, c.less)), diff.RawValue(encoded(t, c.more))
			decided := slices.Contains([]string{"integers", "long integers", "large integers", "negative", "both negative", "floats", "times"}, name)
			for _, conflict := range []merge.Conflict{{Ours: less, Theirs: more}, {Ours: more, Theirs: less}} {
				got, err := merge.LastWriter("t")(t.Context(), conflict)
				want := merge.Leave()
				if decided {
					want = merge.Take(more)
				}
				if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: %v, %v", shown(conflict), got, err)
				}
				first, err := merge.FirstOf(merge.LastWriter("t"), merge.TakeOurs)(t.Context(), conflict)
				if want := merge.Take(conflict.Ours); err != nil || !decided && fmt.Sprint(first) != fmt.Sprint(want) || decided && fmt.Sprint(first) != fmt.Sprint(got) {
					t.Errorf("first of two: %v, %v", first, err)
				}
			}
		})
	}
}

// TestExplain: there is a step for each slot that differs, and none for others.
func TestExplain(t *testing.T) {
	_, b, x, y := conflicting(t)
	var steps []string
	taken := map[merge.Side]int{}
	o := merge.Options{Resolve: merge.TakeOurs, Explain: func(s merge.Step) {
		taken[s.Taken]++
		steps = append(steps, fmt.Sprint(s.Path, " ", s.Taken, " ", s.Link != nil))
	}}
	_, root, report, err := merge.ThreeWay(t.Context(), b, x, y, o)
	if err != nil {
		t.Fatal(err)
	}
	if taken[merge.Ours] == 0 || taken[merge.Theirs] == 0 || taken[merge.Base] < int(report.Merged)-1 {
		t.Errorf("%v, %+v", taken, report)
	}
	slices.Sort(steps)
	if n := len(slices.Compact(steps)); n != taken[merge.Ours]+taken[merge.Theirs]+taken[merge.Base] {
		t.Errorf("%d steps, of which %d are different", len(steps), n)
	}
	o.Explain = nil
	if _, silent, _, err := merge.ThreeWay(t.Context(), b, x, y, o); err != nil || silent != root {
		t.Errorf("without an explanation: %v, %v", silent, err)
	}
	steps = nil
	o.Explain = func(s merge.Step) { steps = append(steps, s.Path.String()) }
	if _, _, _, err := merge.ThreeWay(t.Context(), b, b, b, o); err != nil || len(steps) > 0 {
		t.Errorf("where nothing differs: %v, %v", steps, err)
	}
}
