package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"
	selectorparse "github.com/ipld/go-ipld-prime/traversal/selector/parse"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// recording returns a LinkSystem over a store that records loads without any
// synchronisation, as LinkSystems around traversals do: CAR writers, counters,
// verifiers. The race detector and the check of begun find two loads at a time.
func recording(t *testing.T, s *hamttest.Store, delay time.Duration, loads *[]string) linking.LinkSystem {
	lsys := *s.LinkSystem()
	open, begun := lsys.StorageReadOpener, false
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		if begun {
			t.Error("two loads at the same time")
		}
		begun = true
		defer func() { begun = false }()
		time.Sleep(delay)
		*loads = append(*loads, link.String())
		return open(lctx, link)
	}
	return lsys
}

// TestTraversalsAreSerial: a traversal over reified maps, nested ones too, loads
// one block after the other, each once and in the order of a walk that knows
// nothing of HAMTs, whatever the store takes.
func TestTraversalsAreSerial(t *testing.T) {
	inner, innerRoot := hamttest.Stored(t, params.Params{BitWidth: 4, BucketSize: 2}, hamttest.Numbered(500))
	content := hamttest.Numbered(2000)
	content["inner"] = basicnode.NewLink(innerRoot)
	outer := hamttest.Build(t, builder.Prototype{Params: params.Params{BitWidth: 4, BucketSize: 2}, LinkSystem: inner.LinkSystem()}, content)
	root := hamttest.Must(outer.Link())
	var want []string
	plain := recording(t, inner, 0, &want)
	walk := func(lsys linking.LinkSystem) {
		t.Helper()
		progress := traversal.Progress{Cfg: &traversal.Config{
			LinkSystem: lsys,
			LinkTargetNodePrototypeChooser: func(datamodel.Link, linking.LinkContext) (datamodel.NodePrototype, error) {
				return basicnode.Prototype.Any, nil
			},
		}}
		start := hamttest.Must(lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any))
		all := hamttest.Must(selector.CompileSelector(selectorparse.CommonSelector_ExploreAllRecursively))
		if err := progress.WalkMatching(start, all, func(traversal.Progress, datamodel.Node) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	walk(plain)
	for _, delay := range []time.Duration{0, time.Millisecond} {
		for name, reifier := range map[string]linking.NodeReifier{
			"ReifyRoots": hamt.ReifyRoots, "RootsReifier": hamt.RootsReifier(hamt.WithCacheBytes(0)), "RootsOr": hamt.RootsOr(nil),
		} {
			var got []string
			lsys := recording(t, inner, delay, &got)
			lsys.NodeReifier = reifier
			walk(lsys)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, %v a block: %d loads, a plain traversal has %d, or another order", name, delay, len(got), len(want))
			}
		}
	}
}

// TestLengthIsSerial: Length loads one block after the other, too, and Count,
// which takes a context, several.
func TestLengthIsSerial(t *testing.T) {
	s, root := hamttest.Stored(t, params.Params{BitWidth: 4, BucketSize: 2}, hamttest.Numbered(1000))
	s.Delay = func(datamodel.Link) time.Duration { return time.Millisecond }
	var loads []string
	lsys := recording(t, s, 0, &loads)
	m := hamttest.Must(lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any))
	if n := hamttest.Must(hamt.Reify(linking.LinkContext{}, m, &lsys)).Length(); n < 1 || len(loads) != s.Len() {
		t.Errorf("%d entries, %d loads", n, len(loads))
	}
	if s.Most() > 1 {
		t.Errorf("%d loads at the same time", s.Most())
	}
	hamttest.Must(hamttest.Must(hamt.Load(t.Context(), s.LinkSystem(), root)).Count(t.Context()))
	if s.Most() < 2 {
		t.Error("Count does not load ahead")
	}
}

// TestFocusedTransformAcrossALink: with the chooser, an entry of a map behind a
// link is set, and what the link then leads to is what a fresh build gives.
func TestFocusedTransformAcrossALink(t *testing.T) {
	p := params.Params{BitWidth: 4, BucketSize: 2}
	s, innerRoot := hamttest.Stored(t, p, hamttest.Numbered(300))
	lsys := s.LinkSystem()
	prototype := builder.Prototype{Params: p, LinkSystem: lsys}
	plain := hamttest.Must(qp.BuildMap(basicnode.Prototype.Map, 2, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "inner", qp.Link(innerRoot))
		qp.MapEntry(ma, "other", qp.Int(1))
	}))
	plainRoot := hamttest.Must(lsys.Store(linking.LinkContext{}, hamttest.Must(hamttest.Must(hamt.Load(t.Context(), lsys, innerRoot)).Link()).Prototype(), plain))
	for name, outer := range map[string]datamodel.Node{
		"in a HAMT":      hamttest.Build(t, prototype, hamttest.Model{"inner": basicnode.NewLink(innerRoot)}),
		"in a plain map": plain,
		"behind two links": hamttest.Must(qp.BuildMap(basicnode.Prototype.Map, 1, func(ma datamodel.MapAssembler) {
			qp.MapEntry(ma, "plain", qp.Link(plainRoot))
		})),
	} {
		t.Run(name, func(t *testing.T) {
			path := "inner/k3"
			if name == "behind two links" {
				path = "plain/inner/k3"
			}
			progress := traversal.Progress{Cfg: &traversal.Config{LinkSystem: *lsys, LinkTargetNodePrototypeChooser: hamt.PrototypeChooser(lsys)}}
			changed, err := progress.FocusedTransform(outer, datamodel.ParsePath(path), func(traversal.Progress, datamodel.Node) (datamodel.Node, error) {
				return basicnode.NewString("new"), nil
			}, false)
			if err != nil {
				t.Fatal(err)
			}
			content := hamttest.Numbered(300)
			content["k3"] = basicnode.NewString("new")
			want := hamttest.Must(hamttest.Build(t, prototype, content).Link())
			if name == "behind two links" {
				changed = hamttest.Must(lsys.Load(linking.LinkContext{}, hamttest.Must(hamttest.Must(changed.LookupByString("plain")).AsLink()), basicnode.Prototype.Any))
			}
			if got := hamttest.Must(hamttest.Must(changed.LookupByString("inner")).AsLink()); got != want {
				t.Errorf("the inner map became %s, a fresh build is %s", got, want)
			}
		})
	}
}

// TestPrototypeChooserRefuses: a root that has the shape of a HAMT and cannot be
// read is an error, and not plain data.
func TestPrototypeChooserRefuses(t *testing.T) {
	s := hamttest.NewStore()
	lsys := s.LinkSystem()
	bad := hamttest.Must(qp.BuildMap(basicnode.Prototype.Map, 3, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "hashAlg", qp.Int(0x3fffff))
		qp.MapEntry(ma, "bucketSize", qp.Int(3))
		qp.MapEntry(ma, "hamt", qp.List(2, func(la datamodel.ListAssembler) {
			qp.ListEntry(la, qp.Bytes(make([]byte, 32)))
			qp.ListEntry(la, qp.List(0, func(datamodel.ListAssembler) {}))
		}))
	}))
	link := hamttest.Must(lsys.Store(linking.LinkContext{}, defaultLinkPrototype(), bad))
	np := hamttest.Must(hamt.PrototypeChooser(lsys)(link, linking.LinkContext{}))
	if _, err := lsys.Load(linking.LinkContext{}, link, np); !errors.Is(err, fault.ErrUnknownHash) {
		t.Errorf("error %v", err)
	}
	if _, err := hamt.PrototypeChooser(nil)(link, linking.LinkContext{}); err == nil {
		t.Error("no LinkSystem is no error")
	}
}

func defaultLinkPrototype() datamodel.LinkPrototype {
	return hamttest.Must(hamttest.Must(builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}.NewTxn()).Base().Link()).Prototype()
}

// TestTypedRootsAreReified: what the schema's own prototype builds is a HAMT, at
// both doors.
func TestTypedRootsAreReified(t *testing.T) {
	s, root := hamttest.Stored(t, params.Params{BitWidth: 4, BucketSize: 2}, hamttest.Numbered(100))
	typed := hamttest.Must(s.LinkSystem().Load(linking.LinkContext{}, root, hamt.HashMapRootPrototype.Representation())).(schema.TypedNode)
	for name, node := range map[string]datamodel.Node{"typed": typed, "representation": typed.Representation()} {
		for door, reify := range map[string]linking.NodeReifier{"Reify": hamt.Reify, "ReifyRoots": hamt.ReifyRoots} {
			m, err := reify(linking.LinkContext{}, node, s.LinkSystem())
			if err != nil {
				t.Errorf("%s, %s: %v", name, door, err)
				continue
			}
			if n, ok := m.(*adl.Node); !ok || hamttest.RootOf(t, n) != root {
				t.Errorf("%s, %s: %T, not the map", name, door, m)
			}
		}
	}
}

// TestTypedValues: a typed node is stored in its representation form at any
// depth of a value, so that its schema can read it back.
func TestTypedValues(t *testing.T) {
	type point struct{ X, Y int64 }
	system := hamttest.Must(ipld.LoadSchemaBytes([]byte("type Point struct {\n  X Int\n  Y Int\n} representation tuple\n")))
	kind := system.TypeByName("Point")
	value := bindnode.Wrap(&point{3, 4}, kind)
	list := hamttest.Must(qp.BuildList(basicnode.Prototype.List, 1, func(la datamodel.ListAssembler) { qp.ListEntry(la, qp.Node(value)) }))
	m := hamttest.Must(qp.BuildMap(basicnode.Prototype.Map, 1, func(ma datamodel.MapAssembler) { qp.MapEntry(ma, "list", qp.Node(list)) }))
	s := hamttest.NewStore()
	n := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem()}, hamttest.Model{"bare": value, "deep": m})
	read := hamttest.Load(t, s, hamttest.RootOf(t, n))
	deep := hamttest.Must(hamttest.Must(hamttest.Must(read.LookupByString("deep")).LookupByString("list")).LookupByIndex(0))
	for name, got := range map[string]datamodel.Node{"bare": hamttest.Must(read.LookupByString("bare")), "deep": deep} {
		nb := bindnode.Prototype((*point)(nil), kind).Representation().NewBuilder()
		if err := nb.AssignNode(got); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back := bindnode.Unwrap(nb.Build()).(*point); *back != (point{3, 4}) {
			t.Errorf("%s: read back as %v", name, back)
		}
	}
}

// writers are the ways to put a value into a map.
var writers = map[string]func(p builder.Prototype, value datamodel.Node) (*adl.Node, error){
	"Txn": func(p builder.Prototype, value datamodel.Node) (*adl.Node, error) {
		txn, err := p.NewTxn()
		if err != nil {
			return nil, err
		}
		if err := txn.SetString("value", value); err != nil {
			return nil, err
		}
		m, _, err := txn.Commit(p.Context)
		return m, err
	},
	"Bulk": func(p builder.Prototype, value datamodel.Node) (*adl.Node, error) {
		bulk, err := p.NewBulk(builder.BulkOptions{})
		if err != nil {
			return nil, err
		}
		defer bulk.Close()
		if err := bulk.SetString("value", value); err != nil {
			return nil, err
		}
		m, _, err := bulk.Finish(p.Context)
		return m, err
	},
	"NodeBuilder": func(p builder.Prototype, value datamodel.Node) (*adl.Node, error) {
		n, err := qp.BuildMap(p, 1, func(ma datamodel.MapAssembler) { qp.MapEntry(ma, "value", qp.Node(value)) })
		if err != nil {
			return nil, err
		}
		return n.(*adl.Node), nil
	},
}

// TestHAMTsInValues: a HAMT at any depth of a value is stored as a link to its
// root. Where it stands in another store its blocks are copied, children before
// parents, so that the link leads somewhere.
func TestHAMTsInValues(t *testing.T) {
	p := params.Params{BitWidth: 4, BucketSize: 2}
	for _, elsewhere := range []bool{false, true} {
		for name, write := range writers {
			t.Run(fmt.Sprint(name, elsewhere), func(t *testing.T) {
				from, root := hamttest.Stored(t, p, hamttest.Numbered(300))
				to := from
				if elsewhere {
					to = hamttest.NewStore()
				}
				inner := hamttest.Must(hamt.Load(t.Context(), from.LinkSystem(), root))
				lsys := *to.LinkSystem()
				if !elsewhere {
					lsys = inner.LinkSystem()
				}
				from.TakeLoads()
				value := hamttest.Must(qp.BuildMap(basicnode.Prototype.Map, 1, func(ma datamodel.MapAssembler) {
					qp.MapEntry(ma, "in", qp.List(1, func(la datamodel.ListAssembler) { qp.ListEntry(la, qp.Node(inner)) }))
				}))
				m, err := write(builder.Prototype{LinkSystem: &lsys, Context: t.Context()}, value)
				if err != nil {
					t.Fatal(err)
				}
				if loads := from.TakeLoads(); !elsewhere && len(loads) > 0 {
					t.Errorf("%d loads where nothing has to be copied", len(loads))
				}
				got := hamttest.Must(hamttest.Must(hamttest.Must(hamttest.Must(m.LookupByString("value")).LookupByString("in")).LookupByIndex(0)).AsLink())
				if got != root {
					t.Fatalf("the value links to %s, not to %s", got, root)
				}
				hamttest.ExpectContent(t, hamttest.Load(t, to, root), hamttest.Numbered(300))
				if !elsewhere {
					return
				}
				writes := to.TakeWrites()
				if at := indexOf(writes, root.String()); at != from.Len()-1 {
					t.Errorf("the nested root is written as number %d, before what it links to", at)
				}
			})
		}
	}
}

func indexOf(all []string, one string) int {
	for i, s := range all {
		if s == one {
			return i
		}
	}
	return -1
}

// TestNestedMapsThatAreMissing: a HAMT from another store whose blocks cannot be
// had is an error that names the block, and nothing that links to it is written.
func TestNestedMapsThatAreMissing(t *testing.T) {
	from, root := hamttest.Stored(t, params.Params{BitWidth: 4, BucketSize: 2}, hamttest.Numbered(300))
	inner := hamttest.Must(hamt.Load(t.Context(), from.LinkSystem(), root))
	var gone datamodel.Link
	for link, err := range inner.Blocks(t.Context()) {
		if gone = link; err != nil {
			t.Fatal(err)
		}
	}
	from.Remove(gone)
	inner = hamttest.Must(hamt.Load(t.Context(), from.LinkSystem(), root))
	for name, write := range writers {
		to := hamttest.NewStore()
		_, err := write(builder.Prototype{LinkSystem: to.LinkSystem(), Context: t.Context()}, inner)
		var f *fault.Error
		if !errors.Is(err, fault.ErrMissing) || !errors.As(err, &f) || f.Link != gone {
			t.Errorf("%s: error %v, not that %s is missing", name, err, gone)
		}
		if to.Len() > 0 {
			t.Errorf("%s: %d blocks were written", name, to.Len())
		}
	}
}

// TestOverwrittenNestedMapsAreNotCopied: only what the new map links to is.
func TestOverwrittenNestedMapsAreNotCopied(t *testing.T) {
	from, root := hamttest.Stored(t, params.Params{BitWidth: 4, BucketSize: 2}, hamttest.Numbered(300))
	to := hamttest.NewStore()
	txn := hamttest.Must(builder.Prototype{LinkSystem: to.LinkSystem()}.NewTxn())
	if err := errors.Join(
		txn.SetString("k", hamttest.Must(hamt.Load(t.Context(), from.LinkSystem(), root))),
		txn.SetString("k", basicnode.NewInt(1)),
	); err != nil {
		t.Fatal(err)
	}
	if _, _, err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if to.Len() != 1 {
		t.Errorf("%d blocks, want the root alone", to.Len())
	}
}

// TestAmendingBuilder: it begins with the base's entries, costs what a
// transaction costs, and the map is the one that a fresh build gives.
func TestAmendingBuilder(t *testing.T) {
	p := params.Params{BitWidth: 4, BucketSize: 2}
	s, root := hamttest.Stored(t, p, hamttest.Numbered(3000))
	base := hamttest.Load(t, s, root)
	amends, ok := base.Prototype().(datamodel.NodePrototypeSupportingAmend)
	if !ok {
		t.Fatalf("the prototype, a %T, does not support amending", base.Prototype())
	}
	s.TakeLoads()
	s.TakeWrites()
	nb := amends.AmendingBuilder(base)
	if nb.Build() != datamodel.Node(base) {
		t.Error("what is not amended is not the base")
	}
	ma := hamttest.Must(nb.BeginMap(-1))
	for key, value := range map[string]int64{"k3": 33, "new": 7} {
		if err := hamttest.Must(ma.AssembleEntry(key)).AssignInt(value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ma.AssembleEntry("new"); !errors.As(err, new(datamodel.ErrRepeatedMapKey)) {
		t.Errorf("a key that comes twice: %v", err)
	}
	if err := ma.Finish(); err != nil {
		t.Fatal(err)
	}
	loads, writes := len(s.TakeLoads()), len(s.TakeWrites())

	txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, s, root)))
	s.TakeLoads()
	if err := errors.Join(txn.SetString("k3", basicnode.NewInt(33)), txn.SetString("new", basicnode.NewInt(7))); err != nil {
		t.Fatal(err)
	}
	m, want, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l, w := len(s.TakeLoads()), len(s.TakeWrites()); loads != l || writes != w {
		t.Errorf("amending took %d loads and %d writes, a transaction %d and %d", loads, writes, l, w)
	}
	if got := hamttest.RootOf(t, nb.Build().(*adl.Node)); got != want || m.Length() != nb.Build().Length() {
		t.Errorf("amended to %s, a transaction gives %s", got, want)
	}
	content := hamttest.Numbered(3000)
	content["k3"], content["new"] = basicnode.NewInt(33), basicnode.NewInt(7)
	if fresh := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content)); fresh != want {
		t.Errorf("amended to %s, a fresh build is %s", want, fresh)
	}

	nb.Reset()
	if nb.Build() != datamodel.Node(base) {
		t.Error("a reset builder does not begin with the base again")
	}
	if err := nb.AssignNode(base); err != nil || nb.Build() != datamodel.Node(base) {
		t.Errorf("assigning the base: %v", err)
	}
	if _, err := amends.AmendingBuilder(basicnode.NewInt(1)).BeginMap(0); err == nil {
		t.Error("a base that is no HAMT is no error")
	}
	if _, err := amends.AmendingBuilder((*adl.Node)(nil)).BeginMap(0); err == nil {
		t.Error("no base is no error")
	}
}

// TestPrototypeDoesNotAllocate, as datamodel.Node asks.
func TestPrototypeDoesNotAllocate(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(10))
	var n datamodel.Node = hamttest.Load(t, s, root)
	if allocations := testing.AllocsPerRun(100, func() { prototype = n.Prototype() }); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

var prototype datamodel.NodePrototype // so that nothing is optimised away

// TestRootsOr: what is no HAMT goes to the next reifier, a HAMT does not.
func TestRootsOr(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(10))
	lsys := *s.LinkSystem()
	var passed []datamodel.Kind
	lsys.NodeReifier = hamt.RootsOr(func(_ linking.LinkContext, n datamodel.Node, _ *linking.LinkSystem) (datamodel.Node, error) {
		passed = append(passed, n.Kind())
		return n, nil
	})
	other := hamttest.Must(lsys.Store(linking.LinkContext{}, root.Prototype(), basicnode.NewString("no HAMT")))
	if _, ok := hamttest.Must(lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)).(*adl.Node); !ok {
		t.Error("a HAMT is no map")
	}
	hamttest.Must(lsys.Load(linking.LinkContext{}, other, basicnode.Prototype.Any))
	if fmt.Sprint(passed) != fmt.Sprint([]datamodel.Kind{datamodel.Kind_String}) {
		t.Errorf("the next reifier saw %v", passed)
	}
}

// TestNothingIsAnError: what is not there is an error, and no panic.
func TestNothingIsAnError(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(10))
	substrate := hamttest.Load(t, s, root).Substrate()
	for name, call := range map[string]func() error{
		"Load":                       func() error { _, err := hamt.Load(t.Context(), nil, root); return err },
		"Load without a link":        func() error { _, err := hamt.Load(t.Context(), s.LinkSystem(), nil); return err },
		"Load with an undefined CID": func() error { _, err := hamt.Load(t.Context(), s.LinkSystem(), cidlink.Link{}); return err },
		"Reify":                      func() error { _, err := hamt.Reify(linking.LinkContext{}, substrate, nil); return err },
		"Reify of nothing":           func() error { _, err := hamt.Reify(linking.LinkContext{}, nil, s.LinkSystem()); return err },
		"NewTxn":                     func() error { _, err := builder.NewTxn(nil); return err },
		"Edit":                       func() error { _, err := builder.Prototype{LinkSystem: s.LinkSystem()}.Edit(nil); return err },
		"Rebuild": func() error {
			_, _, err := builder.Rebuild(t.Context(), nil, builder.Prototype{LinkSystem: s.LinkSystem()}, builder.BulkOptions{})
			return err
		},
		"RegisterHash": func() error { return hamt.RegisterHash(0x300001, nil) },
		"Set": func() error {
			return hamttest.Must(builder.Prototype{LinkSystem: s.LinkSystem()}.NewTxn()).SetString("k", (*adl.Node)(nil))
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestZeroParamsAreDefaults: a map built with some parameters has sha2-256, and
// not the identity hash.
func TestZeroParamsAreDefaults(t *testing.T) {
	s := hamttest.NewStore()
	some := hamttest.Build(t, builder.Prototype{Params: params.Params{BitWidth: 5, BucketSize: 3}, LinkSystem: s.LinkSystem()}, hamttest.Numbered(50))
	all := hamttest.Build(t, builder.Prototype{Params: params.Params{HashAlg: 0x12, BitWidth: 5, BucketSize: 3}, LinkSystem: s.LinkSystem()}, hamttest.Numbered(50))
	if hamttest.RootOf(t, some) != hamttest.RootOf(t, all) || !bytes.Contains(s.Block(hamttest.Must(some.Link())), []byte("hashAlg\x12")) {
		t.Errorf("parameters %v", some.Params())
	}
}
