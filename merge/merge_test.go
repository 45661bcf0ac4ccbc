package merge_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/merge"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func sha2(bitWidth, bucketSize int) params.Params {
	return params.Params{HashAlg: multicodec.Sha2_256, BitWidth: bitWidth, BucketSize: bucketSize}
}

func filecoin(bitWidth, bucketSize int) params.Params {
	p := sha2(bitWidth, bucketSize)
	p.Layout = params.FilecoinV3
	return p
}

func murmur() params.Params {
	return params.Params{HashAlg: multicodec.Murmur3X64_64, BitWidth: 3, BucketSize: 2}
}

// in builds a map in a store, and opens it with nothing in memory but its root.
func in(t testing.TB, s *hamttest.Store, p params.Params, content hamttest.Model) *adl.Node {
	t.Helper()
	root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content))
	return open(t, s, p, root)
}

func open(t testing.TB, s *hamttest.Store, p params.Params, root datamodel.Link, options ...hamt.Option) *adl.Node {
	t.Helper()
	return hamttest.Load(t, s, root, append(options, hamt.WithParams(p))...)
}

func integer(i int64) datamodel.Node { return basicnode.NewInt(i) }

func encoded(t testing.TB, value datamodel.Node) []byte {
	t.Helper()
	if value == nil {
		return nil
	}
	raw, err := ipld.Encode(value, dagcbor.Encode)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// edited returns a copy of a map with some keys deleted, changed and added at random.
func edited(random *rand.Rand, m hamttest.Model, changes int) hamttest.Model {
	next := maps.Clone(m)
	keys := slices.Sorted(maps.Keys(m))
	for range changes {
		key := fmt.Sprint("new-", random.IntN(100))
		if len(keys) > 0 && random.IntN(3) > 0 {
			key = keys[random.IntN(len(keys))]
		}
		if random.IntN(2) == 0 {
			delete(next, key)
		} else {
			next[key] = basicnode.NewString(fmt.Sprint("value ", random.IntN(3)))
		}
	}
	return next
}

// wanted merges Go maps, two by two. resolve gets conflicts.
func wanted(t testing.TB, base hamttest.Model, versions []hamttest.Model, resolve func(ours, theirs datamodel.Node) datamodel.Node) (merged hamttest.Model, conflicts int) {
	t.Helper()
	merged = maps.Clone(versions[0])
	if merged == nil {
		merged = hamttest.Model{}
	}
	for _, theirs := range versions[1:] {
		keys := map[string]bool{}
		for _, m := range []hamttest.Model{base, merged, theirs} {
			for key := range m {
				keys[key] = true
			}
		}
		for key := range keys {
			b, x, y := encoded(t, base[key]), encoded(t, merged[key]), encoded(t, theirs[key])
			switch {
			case bytes.Equal(y, b) || bytes.Equal(x, y):
				continue
			case bytes.Equal(x, b):
				merged[key] = theirs[key]
			default:
				conflicts++
				merged[key] = resolve(merged[key], theirs[key])
			}
			if merged[key] == nil {
				delete(merged, key)
			}
		}
	}
	return merged, conflicts
}

// greater is a resolver that does the same whichever version is ours: of two values it
// takes the greater in bytes, and one rather than none.
func greater(_ context.Context, c merge.Conflict) (merge.Resolution, error) {
	if bytes.Compare(c.Ours.Raw(), c.Theirs.Raw()) > 0 {
		return merge.Take(c.Ours), nil
	}
	return merge.Take(c.Theirs), nil
}

func greaterNode(t testing.TB) func(ours, theirs datamodel.Node) datamodel.Node {
	return func(ours, theirs datamodel.Node) datamodel.Node {
		if bytes.Compare(encoded(t, ours), encoded(t, theirs)) > 0 {
			return ours
		}
		return theirs
	}
}

// expectMerged expects that a merged map is what building its entries afresh makes, and
// that it is whole in a store.
func expectMerged(t *testing.T, s *hamttest.Store, p params.Params, m *adl.Node, root datamodel.Link, want hamttest.Model) {
	t.Helper()
	if fresh := hamttest.RootOf(t, in(t, hamttest.NewStore(), p, want)); root != fresh {
		t.Errorf("root %s, want %s", root, fresh)
	}
	if link, err := m.Link(); err != nil || link != root {
		t.Errorf("the map's root is %v, %v, and not %s", link, err, root)
	}
	again := open(t, s, p, root)
	hamttest.ExpectContent(t, again, want)
	hamttest.ExpectVerified(t, again)
	hamttest.ExpectContent(t, m, want)
}

// TestThreeWay merges random versions, over bit widths, bucket sizes and layouts.
func TestThreeWay(t *testing.T) {
	for i, p := range []params.Params{sha2(3, 1), sha2(3, 3), sha2(4, 2), sha2(5, 3), sha2(8, 1), filecoin(5, 3), filecoin(3, 1)} {
		t.Run(p.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			total := 0
			for _, n := range []int{0, 1, 4, 20, 150} {
				for _, changed := range []int{0, 1, 6, 150} {
					base := edited(random, hamttest.Numbered(n), n/5)
					ours, theirs := edited(random, base, changed), edited(random, base, 1+random.IntN(changed+1))
					s := hamttest.NewStore()
					b, x, y := in(t, s, p, base), in(t, s, p, ours), in(t, s, p, theirs)
					for name, way := range map[string]struct {
						resolve merge.Resolver
						model   func(ours, theirs datamodel.Node) datamodel.Node
					}{
						"ours":    {merge.TakeOurs, func(ours, _ datamodel.Node) datamodel.Node { return ours }},
						"theirs":  {merge.TakeTheirs, func(_, theirs datamodel.Node) datamodel.Node { return theirs }},
						"greater": {greater, greaterNode(t)},
					} {
						want, conflicts := wanted(t, base, []hamttest.Model{ours, theirs}, way.model)
						m, root, report, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: way.resolve})
						if err != nil {
							t.Fatal(err)
						}
						expectMerged(t, s, p, m, root, want)
						if report.Conflicts != int64(conflicts) || report.Left != 0 {
							t.Errorf("%s: %+v, and there are %d conflicts", name, report, conflicts)
						}
						if name == "greater" {
							_, other, _, err := merge.ThreeWay(t.Context(), b, y, x, merge.Options{Resolve: way.resolve})
							if err != nil || other != root {
								t.Errorf("the other way round: root %v, %v, want %s", other, err, root)
							}
						}
						total += conflicts
						if t.Failed() {
							t.FailNow()
						}
					}
				}
			}
			if total < 20 {
				t.Errorf("only %d conflicts in all", total)
			}
		})
	}
}

// TestCollapse merges deletes of both sides, which leave so few entries that nodes
// collapse to any depth, though no side alone has let them.
func TestCollapse(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 3))
	for _, p := range []params.Params{sha2(3, 1), sha2(3, 3), sha2(4, 2)} {
		for range 60 {
			base := hamttest.Numbered(60)
			ours, theirs := maps.Clone(base), maps.Clone(base)
			keys := slices.Sorted(maps.Keys(base))
			random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			left := random.IntN(5)
			for i, key := range keys[left:] {
				delete([]hamttest.Model{ours, theirs}[i%2], key)
			}
			s := hamttest.NewStore()
			m, root, _, err := merge.ThreeWay(t.Context(), in(t, s, p, base), in(t, s, p, ours), in(t, s, p, theirs), merge.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want, _ := wanted(t, base, []hamttest.Model{ours, theirs}, nil)
			if len(want) != left {
				t.Fatal("the test is wrong")
			}
			expectMerged(t, s, p, m, root, want)
		}
	}
}

// TestJoin: parts that were built apart make the map that was built at once, whatever
// their number; nil and empty ones among them.
func TestJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 5))
	for _, p := range []params.Params{sha2(3, 1), sha2(5, 3), filecoin(5, 3)} {
		for _, parts := range []int{1, 2, 3, 17} {
			all := hamttest.Numbered(400)
			models := make([]hamttest.Model, parts)
			for key, value := range all {
				i := random.IntN(parts)
				for _, i := range []int{i, random.IntN(parts)} { // some are in two, which agree
					if models[i] == nil {
						models[i] = hamttest.Model{}
					}
					models[i][key] = value
				}
			}
			s := hamttest.NewStore()
			nodes := []*adl.Node{nil, in(t, s, p, nil)}
			for _, model := range models {
				nodes = append(nodes, in(t, s, p, model))
			}
			m, root, report, err := merge.Join(t.Context(), nodes, merge.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if report.Conflicts > 0 {
				t.Errorf("%+v", report)
			}
			expectMerged(t, s, p, m, root, all)
		}
	}
	if _, _, _, err := merge.Join(t.Context(), nil, merge.Options{}); err == nil {
		t.Error("of no map there is one")
	}
}

// TestAll: any number of versions are what merging one after the other gives.
func TestAll(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	for _, p := range []params.Params{sha2(3, 1), sha2(4, 3)} {
		for n := 1; n < 6; n++ {
			base := hamttest.Numbered(150)
			s := hamttest.NewStore()
			b := in(t, s, p, base)
			var models []hamttest.Model
			var nodes []*adl.Node
			for range n {
				models = append(models, edited(random, base, 60))
				nodes = append(nodes, in(t, s, p, models[len(models)-1]))
			}
			for name, way := range map[string]struct {
				resolve merge.Resolver
				model   func(ours, theirs datamodel.Node) datamodel.Node
			}{
				"theirs":  {merge.TakeTheirs, func(_, theirs datamodel.Node) datamodel.Node { return theirs }},
				"greater": {greater, greaterNode(t)},
			} {
				m, root, _, err := merge.All(t.Context(), b, nodes, merge.Options{Resolve: way.resolve})
				if err != nil {
					t.Fatal(err)
				}
				want, _ := wanted(t, base, models, way.model)
				expectMerged(t, s, p, m, root, want)
				folded := nodes[0]
				for _, next := range nodes[1:] {
					if folded, _, _, err = merge.ThreeWay(t.Context(), b, folded, next, merge.Options{Resolve: way.resolve}); err != nil {
						t.Fatal(err)
					}
				}
				if hamttest.RootOf(t, folded) != root {
					t.Errorf("%s: %d versions at once are not what one after the other makes", name, n)
				}
			}
		}
	}
}

// TestUnion: the empty map as base, and nil.
func TestUnion(t *testing.T) {
	p := sha2(3, 1)
	s := hamttest.NewStore()
	x, y := hamttest.Numbered(100), hamttest.Model{"another": integer(1), "key-7": integer(7)}
	want := maps.Clone(x)
	want["another"] = integer(1)
	for _, base := range []*adl.Node{nil, in(t, s, p, nil), in(t, s, sha2(5, 3), nil)} {
		m, root, _, err := merge.ThreeWay(t.Context(), base, in(t, s, p, x), in(t, s, p, y), merge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		expectMerged(t, s, p, m, root, want)
	}
	for _, versions := range [][2]*adl.Node{{nil, in(t, s, p, x)}, {in(t, s, p, x), nil}} {
		m, root, _, err := merge.ThreeWay(t.Context(), nil, versions[0], versions[1], merge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		expectMerged(t, s, p, m, root, x)
		// Of what both sides have come from, one has deleted everything.
		m, root, _, err = merge.ThreeWay(t.Context(), in(t, s, p, x), versions[0], versions[1], merge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		expectMerged(t, s, p, m, root, nil)
	}
}

// linked returns the links in a block.
func linked(t *testing.T, s *hamttest.Store, p params.Params, name string, root datamodel.Link) (below []datamodel.Link) {
	t.Helper()
	link := hamttest.LinkTo(t, name)
	node, err := block.Parse(s.Block(link), p)
	if link == root {
		node, _, err = block.ParseRoot(s.Block(link), p)
	}
	if err != nil {
		t.Fatal(err)
	}
	for position := range node.Len() {
		if node.IsLink(position) {
			below = append(below, hamttest.Must(blockio.Link(node.Link(position))))
		}
	}
	return below
}

// TestStores: each map in a store of its own. In that of the merged map is all of it, with
// no node written before those below it; where one of the maps is there already, nothing
// is copied that it has.
func TestStores(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	for _, p := range []params.Params{sha2(3, 1), sha2(4, 3), filecoin(5, 3)} {
		for _, atOnce := range []int{0, 16} {
			for _, to := range []string{"ours", "theirs", "base", "nowhere"} {
				base := hamttest.Numbered(600)
				ours, theirs := edited(random, base, 10), edited(random, base, 10)
				want, _ := wanted(t, base, []hamttest.Model{ours, theirs}, greaterNode(t))
				stores := map[string]*hamttest.Store{"base": hamttest.NewStore(), "ours": hamttest.NewStore(), "theirs": hamttest.NewStore(), "nowhere": hamttest.NewStore()}
				b, x, y := in(t, stores["base"], p, base), in(t, stores["ours"], p, ours), in(t, stores["theirs"], p, theirs)
				into := builder.Prototype{WritesAtOnce: atOnce}
				switch to {
				case "base":
					into.LinkSystem = lsysOf(b)
				case "theirs":
					into.LinkSystem = lsysOf(y)
				case "nowhere":
					into.LinkSystem = stores["nowhere"].LinkSystem()
				}
				s := stores[to]
				there := map[string]bool{}
				for name, m := range map[string]*adl.Node{"ours": x, "theirs": y, "base": b} {
					if name == to {
						there = hamttest.Links(t, m)
					}
				}
				for _, s := range stores {
					s.TakeWrites()
				}
				m, root, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: greater, Into: into})
				if err != nil {
					t.Fatal(err)
				}
				writes := s.TakeWrites()
				expectMerged(t, s, p, m, root, want)
				has := maps.Clone(there)
				for _, name := range writes {
					if there[name] {
						t.Errorf("to %s: %s is written, which is there", to, name)
					}
					if has[name] {
						t.Errorf("to %s: %s is written twice", to, name)
					}
					for _, below := range linked(t, s, p, name, root) {
						if !has[below.String()] {
							t.Errorf("to %s: %s is written before %s, to which it links", to, name, below)
						}
					}
					has[name] = true
				}
				for name, other := range stores {
					if n := len(other.TakeWrites()); other != s && n > 0 {
						t.Errorf("%d writes into the store of %s", n, name)
					}
				}
			}
		}
	}
}

// lsysOf returns the LinkSystem that a map was loaded from.
func lsysOf(n *adl.Node) *linking.LinkSystem {
	lsys := n.LinkSystem()
	return &lsys
}

var long = flag.Bool("long", false, "merge larger maps")

// TestCost: a merge loads only what has changed on both sides, whatever has changed on
// either.
func TestCost(t *testing.T) {
	n := 100_000
	if *long {
		n = 1_000_000
	}
	p := sha2(5, 3)
	s := hamttest.NewStore()
	prototype := builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}
	commit := func(from *adl.Node, content hamttest.Model) *adl.Node {
		txn := hamttest.Must(prototype.NewTxn())
		if from != nil {
			txn = hamttest.Must(builder.NewTxn(from))
		}
		if err := hamttest.SetAll(txn, content); err != nil {
			t.Fatal(err)
		}
		m, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	base := commit(nil, hamttest.Numbered(n))
	changed := hamttest.Model{}
	for i := range n {
		changed[fmt.Sprint("key-", i)] = basicnode.NewString("changed")
	}
	few := hamttest.Model{}
	for i := range 10 {
		few[fmt.Sprint("another ", i)] = integer(1)
	}
	ours, theirs := commit(base, changed), commit(base, few)
	for _, order := range [][2]*adl.Node{{ours, theirs}, {theirs, ours}} {
		fresh := func(m *adl.Node) *adl.Node {
			n, err := hamt.Load(t.Context(), prototype.LinkSystem, hamttest.RootOf(t, m), hamt.WithCacheBytes(0))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		b, x, y := fresh(base), fresh(order[0]), fresh(order[1])
		s.TakeLoads()
		m, _, report, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		loads := len(s.TakeLoads())
		both := int(report.Merged - 1) // without the root, which is there
		if loads > 3*both || both > 10*4 {
			t.Errorf("%d loads, %d nodes below the root that changed on both sides", loads, both)
		}
		if nodes := len(hamttest.Links(t, ours)); nodes < 1000*both/10 {
			t.Errorf("%d nodes are too few to tell", nodes)
		}
		if count, err := m.Count(t.Context()); err != nil || count != int64(n)+10 {
			t.Errorf("%d entries, %v", count, err)
		}
	}
}

// TestCostOfBuckets: where two sides have a bucket and one a subtree, only what leads to
// the entries of the buckets is loaded.
func TestCostOfBuckets(t *testing.T) {
	p := sha2(3, 3)
	s := hamttest.NewStore()
	load := func(content hamttest.Model) *adl.Node { return in(t, s, p, content) }
	base, theirs := hamttest.Model{"a": integer(1)}, hamttest.Model{"a": integer(1), "b": integer(1)}
	ours := hamttest.Numbered(3000)
	ours["a"] = integer(1)
	b, x, y := load(base), load(ours), load(theirs)
	// Each is in its store, as far as the merge can tell: what is copied is loaded, too.
	lsys := x.LinkSystem()
	for i, m := range []**adl.Node{&b, &x, &y} {
		n, err := hamt.Load(t.Context(), &lsys, hamttest.RootOf(t, *m), hamt.WithCacheBytes(0))
		if err != nil {
			t.Fatal(i, err)
		}
		*m = n
	}
	s.TakeLoads()
	m, root, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if loads := len(s.TakeLoads()); loads > 5 {
		t.Errorf("%d loads", loads)
	}
	ours["b"] = integer(1)
	expectMerged(t, s, p, m, root, ours)
}

// TestSameChanges: of versions that have changed something in the same way, the one that
// is there is taken, and nothing of the other is loaded.
func TestSameChanges(t *testing.T) {
	p := sha2(3, 1)
	ours, theirs := hamttest.NewStore(), hamttest.NewStore()
	x, y := in(t, ours, p, hamttest.Numbered(300)), in(t, theirs, p, hamttest.Numbered(300))
	b, err := hamt.Load(t.Context(), lsysOf(y), hamttest.RootOf(t, in(t, theirs, p, hamttest.Numbered(100))))
	if err != nil {
		t.Fatal(err)
	}
	ours.TakeLoads()
	_, root, _, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Into: builder.Prototype{LinkSystem: lsysOf(y)}})
	if err != nil || root != hamttest.RootOf(t, y) {
		t.Errorf("%v, %v", root, err)
	}
	if loads := len(ours.TakeLoads()); loads > 0 {
		t.Errorf("%d loads", loads)
	}
	// What nobody has changed is taken from where it is, too.
	txn := hamttest.Must(builder.NewTxn(y))
	if err := txn.SetString("another", integer(1)); err != nil {
		t.Fatal(err)
	}
	changed, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x = in(t, ours, p, hamttest.Numbered(300))
	ours.TakeLoads()
	_, root, _, err = merge.ThreeWay(t.Context(), y, x, changed, merge.Options{Into: builder.Prototype{LinkSystem: lsysOf(y)}})
	if err != nil || root != hamttest.RootOf(t, changed) {
		t.Errorf("%v, %v", root, err)
	}
	if loads := len(ours.TakeLoads()); loads > 0 {
		t.Errorf("%d loads", loads)
	}
}

// TestCodecs: maps whose blocks are named in different ways are not made of each other's
// blocks.
func TestCodecs(t *testing.T) {
	s := hamttest.NewStore()
	p := sha2(3, 1)
	json := hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, -1)
	base, ours, theirs := hamttest.Numbered(100), hamttest.Numbered(150), hamttest.Numbered(120)
	delete(theirs, "key-7")
	want := maps.Clone(ours)
	delete(want, "key-7")
	load := func(lp datamodel.LinkPrototype, content hamttest.Model) *adl.Node {
		return open(t, s, p, hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem(), LinkPrototype: lp}, content)))
	}
	x := load(json, ours)
	var m *adl.Node
	var root datamodel.Link
	var err error
	for _, b := range []*adl.Node{in(t, s, p, base), load(json, base)} {
		m, root, _, err = merge.ThreeWay(t.Context(), b, x, in(t, s, p, theirs), merge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if fresh := hamttest.RootOf(t, load(json, want)); root != fresh {
			t.Errorf("root %s, want %s", root, fresh)
		}
		hamttest.ExpectVerified(t, m)
	}

	// All in DAG-JSON, from stores of their own: blocks are copied as they are stored.
	other := hamttest.NewStore()
	y := hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: other.LinkSystem(), LinkPrototype: json}, theirs)
	y = open(t, other, p, hamttest.RootOf(t, y))
	if m, root, _, err = merge.ThreeWay(t.Context(), load(json, base), x, y, merge.Options{}); err != nil {
		t.Fatal(err)
	}
	if fresh := hamttest.RootOf(t, load(json, want)); root != fresh {
		t.Errorf("root %s, want %s", root, fresh)
	}
	hamttest.ExpectVerified(t, m)
}

// TestDryRun: the root is the one that the merge would have, and nothing is written.
func TestDryRun(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 11))
	base := hamttest.Numbered(200)
	ours, theirs := edited(random, base, 30), edited(random, base, 30)
	for _, paramsTheirs := range []params.Params{sha2(3, 1), sha2(4, 1), murmur()} {
		s := hamttest.NewStore()
		b, x, y := in(t, s, sha2(3, 1), base), in(t, s, sha2(3, 1), ours), in(t, s, paramsTheirs, theirs)
		for _, into := range []*linking.LinkSystem{nil, hamttest.NewStore().LinkSystem()} {
			s.TakeWrites()
			o := merge.Options{Resolve: greater, DryRun: true, Into: builder.Prototype{LinkSystem: into}}
			m, root, report, err := merge.ThreeWay(t.Context(), b, x, y, o)
			if err != nil || m != nil || report.Conflicts == 0 {
				t.Fatalf("%v, %+v, %v", m, report, err)
			}
			if n := len(s.TakeWrites()); n > 0 {
				t.Errorf("%d writes", n)
			}
			o.DryRun = false
			if _, want, _, err := merge.ThreeWay(t.Context(), b, x, y, o); err != nil || root != want {
				t.Errorf("root %s, want %s, %v", root, want, err)
			}
		}
	}
}

// TestUnlike merges maps of different parameters: the merged one has those of ours.
func TestUnlike(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 13))
	kinds := []params.Params{sha2(3, 1), sha2(3, 3), murmur(), filecoin(3, 1)}
	for _, pb := range kinds {
		for _, px := range kinds {
			for _, py := range kinds {
				base := hamttest.Numbered(120)
				ours, theirs := edited(random, base, 40), edited(random, base, 40)
				want, conflicts := wanted(t, base, []hamttest.Model{ours, theirs}, greaterNode(t))
				s := hamttest.NewStore()
				b, x, y := in(t, hamttest.NewStore(), pb, base), in(t, s, px, ours), in(t, hamttest.NewStore(), py, theirs)
				m, root, report, err := merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: greater})
				if err != nil {
					t.Fatal(err)
				}
				expectMerged(t, s, px, m, root, want)
				if report.Conflicts != int64(conflicts) {
					t.Errorf("%+v, and there are %d conflicts", report, conflicts)
				}
				// To where nothing is yet, and without ours.
				there := hamttest.NewStore()
				m, root, _, err = merge.ThreeWay(t.Context(), b, x, y, merge.Options{Resolve: greater, Into: builder.Prototype{LinkSystem: there.LinkSystem()}})
				if err != nil {
					t.Fatal(err)
				}
				expectMerged(t, there, px, m, root, want)
				m, root, _, err = merge.Join(t.Context(), []*adl.Node{nil, x, y}, merge.Options{Resolve: greater})
				if err != nil {
					t.Fatal(err)
				}
				want, _ = wanted(t, nil, []hamttest.Model{ours, theirs}, greaterNode(t))
				expectMerged(t, s, px, m, root, want)
			}
		}
	}
}
