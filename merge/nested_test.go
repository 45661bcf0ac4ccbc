package merge_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/merge"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func linkOf(t testing.TB, n *adl.Node) datamodel.Node {
	t.Helper()
	return basicnode.NewLink(hamttest.RootOf(t, n))
}

// TestRecursiveMaps merges maps in maps, whose versions are in stores of their own.
func TestRecursiveMaps(t *testing.T) {
	for _, to := range []string{"ours", "nowhere"} {
		stores := [3]*hamttest.Store{hamttest.NewStore(), hamttest.NewStore(), hamttest.NewStore()}
		p, q := sha2(3, 1), sha2(4, 2)
		inner := [3]hamttest.Model{hamttest.Numbered(80), hamttest.Numbered(80), hamttest.Numbered(80)}
		inner[1]["key-1"], inner[2]["key-2"] = integer(100), integer(200)
		inner[1]["both"], inner[2]["both"] = integer(1), integer(2)
		delete(inner[2], "key-3")
		var maps [3]*adl.Node
		for i, s := range stores {
			added := []hamttest.Model{nil, {"a": integer(1)}, {"b": integer(2)}}[i]
			content := hamttest.Model{
				"inner": linkOf(t, in(t, s, q, inner[i])),
				"deep":  linkOf(t, in(t, s, p, hamttest.Model{"down": linkOf(t, in(t, s, q, inner[i])), "x": integer(int64(i))})),
			}
			if added != nil {
				content["added"] = linkOf(t, in(t, s, p, added))
			}
			maps[i] = in(t, s, p, content)
		}
		s := stores[1]
		into := builder.Prototype{}
		if to == "nowhere" {
			s = hamttest.NewStore()
			into.LinkSystem = s.LinkSystem()
		}
		var conflicts []string
		m, root, report, err := merge.ThreeWay(t.Context(), maps[0], maps[1], maps[2], merge.Options{Recursive: true, Into: into, Resolve: func(_ context.Context, c merge.Conflict) (merge.Resolution, error) {
			conflicts = append(conflicts, shown(c))
			return merge.Take(c.Theirs), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(conflicts)
		if want := []string{"deep/down/both  01 02", "deep/x 00 01 02", "inner/both  01 02"}; !slices.Equal(conflicts, want) || report.Conflicts != 3 {
			t.Errorf("conflicts %q, want %q; %+v", conflicts, want, report)
		}
		merged := hamttest.Numbered(80)
		merged["key-1"], merged["key-2"], merged["both"] = integer(100), integer(200), integer(2)
		delete(merged, "key-3")
		fresh := hamttest.NewStore()
		inside := linkOf(t, in(t, fresh, q, merged))
		want := hamttest.Model{
			"inner": inside,
			"deep":  linkOf(t, in(t, fresh, p, hamttest.Model{"down": inside, "x": integer(2)})),
			"added": linkOf(t, in(t, fresh, p, hamttest.Model{"a": integer(1), "b": integer(2)})),
		}
		expectMerged(t, s, p, m, root, want)
		link := hamttest.Must(inside.AsLink())
		hamttest.ExpectContent(t, open(t, s, q, link), merged)
		hamttest.ExpectVerified(t, open(t, s, q, link))

		// Without Recursive the links are in conflict.
		_, _, report, err = merge.ThreeWay(t.Context(), maps[0], maps[1], maps[2], merge.Options{})
		if !errors.As(err, new(*merge.ConflictError)) || report.Left != 3 {
			t.Errorf("%v, %+v", err, report)
		}
	}
}

// TestRecursiveFields merges plain maps, field by field, and links to maps in them.
func TestRecursiveFields(t *testing.T) {
	var content [3]hamttest.Model
	s := hamttest.NewStore()
	p := sha2(3, 1)
	for i := range content {
		inner := hamttest.Model{"same": integer(1)}
		inner[[]string{"base", "ours", "theirs"}[i]] = integer(1)
		content[i] = hamttest.Model{"map": []datamodel.Node{
			fields("a", 1, "b", 1, "c", 1, "deep", fields("x", 1, "y", 1), "link", linkOf(t, in(t, s, p, inner))),
			fields("a", 2, "b", 1, "deep", fields("x", 2, "y", 1, "z", 1), "link", linkOf(t, in(t, s, p, inner))),
			fields("a", 1, "b", 3, "c", 1, "deep", fields("x", 1, "y", 3, "z", 2), "link", linkOf(t, in(t, s, p, inner))),
		}[i]}
	}
	content[1]["new"], content[2]["new"] = fields("a", 1), fields("b", 2)
	content[1]["list"], content[2]["list"] = hamttest.DecodeJSON(t, "[1]"), hamttest.DecodeJSON(t, "[2]")
	content[0]["gone"], content[2]["gone"] = fields("a", 1), fields("a", 2)
	var conflicts []string
	m, root, _, err := merge.ThreeWay(t.Context(), in(t, s, p, content[0]), in(t, s, p, content[1]), in(t, s, p, content[2]), merge.Options{Recursive: true, Resolve: func(_ context.Context, c merge.Conflict) (merge.Resolution, error) {
		conflicts = append(conflicts, shown(c))
		return merge.Take(c.Ours), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(conflicts)
	if want := []string{"gone a16161" + "01  a1616102", "list  8101 8102", "map/deep/z  01 02"}; !slices.Equal(conflicts, want) {
		t.Errorf("conflicts %q, want %q", conflicts, want)
	}
	want := hamttest.Model{
		"map": fields("a", 2, "b", 3, "deep", fields("x", 2, "y", 3, "z", 1), "link", linkOf(t, in(t, s, p, hamttest.Model{"same": integer(1), "ours": integer(1), "theirs": integer(1)}))),
		"new": fields("a", 1, "b", 2), "list": content[1]["list"],
	}
	expectMerged(t, s, p, m, root, want)
}

// TestRecursiveNoMaps: what are not maps on all sides, or not alike, is a conflict as ever.
func TestRecursiveNoMaps(t *testing.T) {
	s := hamttest.NewStore()
	p := sha2(3, 1)
	one, two := linkOf(t, in(t, s, p, hamttest.Numbered(3))), linkOf(t, in(t, s, p, hamttest.Numbered(4)))
	wide := linkOf(t, in(t, s, sha2(4, 1), hamttest.Numbered(5)))
	block := hamttest.BlockOf(encoded(t, integer(7)))
	s.Put(block.Link.(cidlink.Link).Cid, block.Bytes)
	for name, values := range map[string][3]datamodel.Node{
		"a base that is no map":  {integer(1), one, two},
		"a version that is none": {one, two, integer(1)},
		"deleted":                {one, two, nil},
		"other parameters":       {one, two, wide},
		"a link to no map":       {nil, one, basicnode.NewLink(block.Link)},
		"a map and a plain one":  {nil, one, fields("a", 1)},
		"a plain one deleted":    {fields("a", 1), fields("a", 2), nil},
	} {
		var content [3]hamttest.Model
		for i, value := range values {
			content[i] = hamttest.Model{}
			if value != nil {
				content[i]["key"] = value
			}
		}
		_, _, report, err := merge.ThreeWay(t.Context(), in(t, s, p, content[0]), in(t, s, p, content[1]), in(t, s, p, content[2]), merge.Options{Recursive: true})
		var left *merge.ConflictError
		if !errors.As(err, &left) || report.Conflicts != 1 || len(left.First.Path) > 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
}

// TestRecursiveMissing: a nested map that is missing is named, with its side and key.
func TestRecursiveMissing(t *testing.T) {
	base, ours, theirs := hamttest.NewStore(), hamttest.NewStore(), hamttest.NewStore()
	p := sha2(3, 1)
	x := in(t, ours, p, hamttest.Model{"k": linkOf(t, in(t, ours, p, hamttest.Numbered(3)))})
	inner := in(t, theirs, p, hamttest.Numbered(40))
	y := in(t, theirs, p, hamttest.Model{"k": linkOf(t, inner)})
	b := in(t, base, p, hamttest.Model{"k": linkOf(t, in(t, base, p, hamttest.Numbered(50)))})
	theirs.Remove(hamttest.RootOf(t, inner))
	_, _, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Recursive: true})
	var located *merge.Error
	var f *fault.Error
	if !errors.As(err, &located) || !errors.As(err, &f) || located.Side != merge.Theirs || f.Link != hamttest.RootOf(t, inner) || len(located.Path) != 1 || string(located.Path[0]) != "k" {
		t.Errorf("error %v", err)
	}
}

// TestRecursiveUnlike: also where the outer maps are not alike.
func TestRecursiveUnlike(t *testing.T) {
	s := hamttest.NewStore()
	p := sha2(3, 1)
	inner := func(content hamttest.Model) datamodel.Node { return linkOf(t, in(t, s, p, content)) }
	b := in(t, s, p, hamttest.Model{"k": inner(hamttest.Model{"a": integer(1)})})
	x := in(t, s, p, hamttest.Model{"k": inner(hamttest.Model{"a": integer(1), "b": integer(2)})})
	y := in(t, s, murmur(), hamttest.Model{"k": inner(hamttest.Model{"a": integer(1), "c": integer(3)})})
	z := in(t, s, murmur(), hamttest.Model{"k": inner(hamttest.Model{"a": integer(1), "d": integer(3)})})
	m, root, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	want := hamttest.Model{"a": integer(1), "b": integer(2), "c": integer(3)}
	expectMerged(t, s, p, m, root, hamttest.Model{"k": inner(want)})
	value, err := m.GetString(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, open(t, s, p, hamttest.Must(value.AsLink())), want)
	// A map that was merged already is in conflict with the next one.
	if _, _, report, err := merge.All(t.Context(), b, []*adl.Node{x, y, z}, merge.Options{Recursive: true}); !errors.As(err, new(*merge.ConflictError)) || report.Left != 1 {
		t.Errorf("%v, %+v", err, report)
	}
}

// TestNestedTooDeep: maps in maps have an end, and its error says where: the link, the
// side and the keys.
func TestNestedTooDeep(t *testing.T) {
	s := hamttest.NewStore()
	var maps [3]*adl.Node
	for i := range maps {
		maps[i] = in(t, s, sha2(3, 1), hamttest.Model{"end": integer(int64(i))})
		for range params.MaxDepth + 1 {
			maps[i] = in(t, s, sha2(3, 1), hamttest.Model{"k": linkOf(t, maps[i])})
		}
	}
	_, _, _, err := merge.ThreeWay(t.Context(), maps[0], maps[1], maps[2], merge.Options{Recursive: true})
	var in *merge.Error
	var f *fault.Error
	if !errors.Is(err, fault.ErrMaxDepth) || !errors.As(err, &in) || !errors.As(err, &f) {
		t.Fatalf("error %v", err)
	}
	if in.Side == merge.Base || len(in.Path) != params.MaxDepth+1 || f.Link == nil {
		t.Errorf("in %s, %d keys, link %v", in.Side, len(in.Path), f.Link)
	}
}
