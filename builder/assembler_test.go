package builder_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func newPrototype() (builder.Prototype, *hamttest.Store) {
	s := hamttest.NewStore()
	return builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}, s
}

// begin begins a map.
func begin(t *testing.T, np datamodel.NodePrototype) (datamodel.NodeBuilder, datamodel.MapAssembler) {
	t.Helper()
	nb := np.NewBuilder()
	ma, err := nb.BeginMap(-1)
	if err != nil {
		t.Fatal(err)
	}
	return nb, ma
}

// entry assembles one entry.
func entry(t *testing.T, ma datamodel.MapAssembler, key string, value int64) {
	t.Helper()
	if err := errors.Join(ma.AssembleKey().AssignString(key), ma.AssembleValue().AssignInt(value)); err != nil {
		t.Fatal(err)
	}
}

// finish ends a map and expects what is in it.
func finish(t *testing.T, nb datamodel.NodeBuilder, ma datamodel.MapAssembler, want hamttest.Model) {
	t.Helper()
	if err := ma.Finish(); err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, nb.Build().(*adl.Node), want)
}

func expectPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s does not panic", name)
		}
	}()
	f()
}

// TestRepeatedKeys: an error at once, from whatever takes the key, and no trace
// of it after.
func TestRepeatedKeys(t *testing.T) {
	for way, repeat := range map[string]func(ma datamodel.MapAssembler) error{
		"AssignString": func(ma datamodel.MapAssembler) error { return ma.AssembleKey().AssignString("key-1") },
		"AssignBytes":  func(ma datamodel.MapAssembler) error { return ma.AssembleKey().AssignBytes([]byte("key-1")) },
		"AssignNode of string": func(ma datamodel.MapAssembler) error {
			return ma.AssembleKey().AssignNode(basicnode.NewString("key-1"))
		},
		"AssignNode of bytes": func(ma datamodel.MapAssembler) error {
			return ma.AssembleKey().AssignNode(basicnode.NewBytes([]byte("key-1")))
		},
		"AssembleEntry": func(ma datamodel.MapAssembler) error {
			va, err := ma.AssembleEntry("key-1")
			if err != nil && va != nil {
				t.Error("an assembler comes with the error")
			}
			return err
		},
	} {
		t.Run(way, func(t *testing.T) {
			prototype, _ := newPrototype()
			nb, ma := begin(t, prototype)
			entry(t, ma, "key-0", 0)
			entry(t, ma, "key-1", 1)
			for range 2 {
				err := repeat(ma)
				var repeated datamodel.ErrRepeatedMapKey
				if !errors.As(err, &repeated) || hamttest.Must(repeated.Key.AsString()) != "key-1" {
					t.Fatalf("error %v", err)
				}
			}
			expectPanic(t, "AssembleValue after the error", func() { ma.AssembleValue() })
			entry(t, ma, "key-2", 2)
			finish(t, nb, ma, hamttest.Numbered(3))
		})
	}
}

// TestMisusePanics: calls that are out of order, in every state.
func TestMisusePanics(t *testing.T) {
	prototype, _ := newPrototype()
	type builderAndMap struct {
		nb datamodel.NodeBuilder
		ma datamodel.MapAssembler
	}
	states := map[string]func(t *testing.T) (b builderAndMap, allowed map[string]bool){
		"begun": func(t *testing.T) (builderAndMap, map[string]bool) {
			nb, ma := begin(t, prototype)
			return builderAndMap{nb, ma}, map[string]bool{"AssembleKey": true, "AssembleEntry": true, "Finish": true}
		},
		"in a key": func(t *testing.T) (builderAndMap, map[string]bool) {
			nb, ma := begin(t, prototype)
			ma.AssembleKey()
			return builderAndMap{nb, ma}, nil
		},
		"key is there": func(t *testing.T) (builderAndMap, map[string]bool) {
			nb, ma := begin(t, prototype)
			if err := ma.AssembleKey().AssignString("key"); err != nil {
				t.Fatal(err)
			}
			return builderAndMap{nb, ma}, map[string]bool{"AssembleValue": true}
		},
		"in a value": func(t *testing.T) (builderAndMap, map[string]bool) {
			nb, ma := begin(t, prototype)
			hamttest.Must(ma.AssembleEntry("key"))
			return builderAndMap{nb, ma}, nil
		},
		"finished": func(t *testing.T) (builderAndMap, map[string]bool) {
			nb, ma := begin(t, prototype)
			if err := ma.Finish(); err != nil {
				t.Fatal(err)
			}
			return builderAndMap{nb, ma}, map[string]bool{"Build": true}
		},
	}
	for state, reach := range states {
		for call, f := range map[string]func(b builderAndMap){
			"AssembleKey":   func(b builderAndMap) { b.ma.AssembleKey() },
			"AssembleValue": func(b builderAndMap) { b.ma.AssembleValue() },
			"AssembleEntry": func(b builderAndMap) { b.ma.AssembleEntry("another") },
			"Finish":        func(b builderAndMap) { b.ma.Finish() },
			"Build":         func(b builderAndMap) { b.nb.Build() },
			"BeginMap":      func(b builderAndMap) { b.nb.BeginMap(0) },
			"AssignNode":    func(b builderAndMap) { b.nb.AssignNode(hamttest.DecodeJSON(t, "{}")) },
		} {
			b, allowed := reach(t)
			if allowed[call] {
				f(b)
			} else {
				expectPanic(t, call+" when "+state, func() { f(b) })
			}
		}
	}
	expectPanic(t, "Build before BeginMap", func() { prototype.NewBuilder().Build() })
}

// TestExpiredAssemblers panic, and change nothing.
func TestExpiredAssemblers(t *testing.T) {
	prototype, _ := newPrototype()
	nb, ma := begin(t, prototype)
	ka := ma.AssembleKey()
	if err := ka.AssignString("key-0"); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"AssignString": func() { ka.AssignString("another") },
		"AssignBytes":  func() { ka.AssignBytes([]byte("another")) },
		"AssignNode":   func() { ka.AssignNode(basicnode.NewString("another")) },
	} {
		expectPanic(t, "the key's "+name, f)
	}
	va := ma.AssembleValue()
	if err := va.AssignInt(0); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"AssignNull": func() { va.AssignNull() }, "AssignBool": func() { va.AssignBool(true) },
		"AssignInt": func() { va.AssignInt(1) }, "AssignFloat": func() { va.AssignFloat(1) },
		"AssignString": func() { va.AssignString("x") }, "AssignBytes": func() { va.AssignBytes(nil) },
		"AssignLink": func() { va.AssignLink(hamttest.BlockOf(nil).Link) }, "AssignNode": func() { va.AssignNode(datamodel.Null) },
		"BeginMap": func() { va.BeginMap(0) }, "BeginList": func() { va.BeginList(0) },
	} {
		expectPanic(t, "the value's "+name, f)
	}
	finish(t, nb, ma, hamttest.Numbered(1))
}

// TestReset makes a builder new in every state, also after an error.
func TestReset(t *testing.T) {
	prototype, s := newPrototype()
	nb := prototype.NewBuilder()
	for name, leave := range map[string]func(ma datamodel.MapAssembler){
		"begun":      func(datamodel.MapAssembler) {},
		"in a key":   func(ma datamodel.MapAssembler) { ma.AssembleKey() },
		"in a value": func(ma datamodel.MapAssembler) { hamttest.Must(ma.AssembleEntry("left over")) },
		"half":       func(ma datamodel.MapAssembler) { entry(t, ma, "left over", 1) },
		"finished":   func(ma datamodel.MapAssembler) { entry(t, ma, "left over", 1); ma.Finish() },
		"failed": func(ma datamodel.MapAssembler) {
			s.OnWrite = func(datamodel.Link, []byte) error { return hamttest.ErrStore }
			defer func() { s.OnWrite = nil }()
			if err := ma.Finish(); !errors.Is(err, hamttest.ErrStore) {
				t.Error(err)
			}
			expectPanic(t, "Build after an error", func() { nb.Build() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			nb.Reset()
			leave(hamttest.Must(nb.BeginMap(0)))
			nb.Reset()
			expectPanic(t, "Build after Reset", func() { nb.Build() })
			ma := hamttest.Must(nb.BeginMap(0))
			entry(t, ma, "key-0", 0)
			finish(t, nb, ma, hamttest.Numbered(1))
		})
	}
}

// TestResetLeavesBuiltMap: what was built stays as it is.
func TestResetLeavesBuiltMap(t *testing.T) {
	prototype, _ := newPrototype()
	nb, ma := begin(t, prototype)
	entry(t, ma, "key-0", 0)
	if err := ma.Finish(); err != nil {
		t.Fatal(err)
	}
	first := nb.Build().(*adl.Node)
	nb.Reset()
	ma = hamttest.Must(nb.BeginMap(0))
	entry(t, ma, "another", 7)
	finish(t, nb, ma, hamttest.Model{"another": basicnode.NewInt(7)})
	hamttest.ExpectContent(t, first, hamttest.Numbered(1))
}

// TestSizeHints: they are anybody's guess.
func TestSizeHints(t *testing.T) {
	prototype, _ := newPrototype()
	for _, hint := range []int64{-1, math.MinInt64, 0, 1, 3, 1 << 20, math.MaxInt64} {
		nb := prototype.NewBuilder()
		ma := hamttest.Must(nb.BeginMap(hint))
		for i := range int64(30) {
			entry(t, ma, fmt.Sprint("key-", i), i)
		}
		finish(t, nb, ma, hamttest.Numbered(30))
	}
}

// TestKeyKinds: strings and bytes are keys; of anything else the assembler says
// that it is none, and waits on.
func TestKeyKinds(t *testing.T) {
	prototype, _ := newPrototype()
	nb, ma := begin(t, prototype)
	ka := ma.AssembleKey()
	for name, assign := range map[string]func() error{
		"null":  ka.AssignNull,
		"bool":  func() error { return ka.AssignBool(true) },
		"int":   func() error { return ka.AssignInt(1) },
		"float": func() error { return ka.AssignFloat(1) },
		"link":  func() error { return ka.AssignLink(hamttest.BlockOf(nil).Link) },
		"map":   func() error { _, err := ka.BeginMap(0); return err },
		"list":  func() error { _, err := ka.BeginList(0); return err },
		"node":  func() error { return ka.AssignNode(basicnode.NewInt(1)) },
		"nil":   func() error { return ka.AssignNode(nil) },
	} {
		if err := assign(); !errors.As(err, new(datamodel.ErrWrongKind)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(ka.AssignBytes([]byte{0xff, 0}), ma.AssembleValue().AssignNull()); err != nil {
		t.Fatal(err)
	}
	entry(t, ma, "", 1)
	finish(t, nb, ma, hamttest.Model{"\xff\x00": datamodel.Null, "": basicnode.NewInt(1)})
	if kind := ma.KeyPrototype(); kind == nil {
		t.Error("no prototype of keys")
	}
}

// TestRootKinds: a map is built, and nothing else.
func TestRootKinds(t *testing.T) {
	prototype, _ := newPrototype()
	nb := prototype.NewBuilder()
	for name, assign := range map[string]func() error{
		"null": nb.AssignNull, "bool": func() error { return nb.AssignBool(true) },
		"int": func() error { return nb.AssignInt(1) }, "float": func() error { return nb.AssignFloat(1) },
		"string": func() error { return nb.AssignString("x") }, "bytes": func() error { return nb.AssignBytes(nil) },
		"link": func() error { return nb.AssignLink(hamttest.BlockOf(nil).Link) },
		"list": func() error { _, err := nb.BeginList(0); return err },
		"node": func() error { return nb.AssignNode(hamttest.DecodeJSON(t, "[1]")) }, "nil": func() error { return nb.AssignNode(nil) },
		"null node": func() error { return nb.AssignNode(datamodel.Null) },
	} {
		if err := assign(); !errors.As(err, new(datamodel.ErrWrongKind)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if nb.Prototype() != datamodel.NodePrototype(prototype) {
		t.Error("its prototype is another")
	}
	finish(t, nb, hamttest.Must(nb.BeginMap(0)), hamttest.Model{})
}

// TestValueKinds assembles each kind by its own method and as a node, and
// expects equal maps.
func TestValueKinds(t *testing.T) {
	link := hamttest.BlockOf(nil).Link
	for name, c := range map[string]struct {
		node   datamodel.Node
		assign func(va datamodel.NodeAssembler) error
	}{
		"null":           {datamodel.Null, func(va datamodel.NodeAssembler) error { return va.AssignNull() }},
		"true":           {basicnode.NewBool(true), func(va datamodel.NodeAssembler) error { return va.AssignBool(true) }},
		"least int":      {basicnode.NewInt(math.MinInt64), func(va datamodel.NodeAssembler) error { return va.AssignInt(math.MinInt64) }},
		"greatest int":   {basicnode.NewInt(math.MaxInt64), func(va datamodel.NodeAssembler) error { return va.AssignInt(math.MaxInt64) }},
		"uint":           {basicnode.NewUint(math.MaxUint64), func(va datamodel.NodeAssembler) error { return va.AssignNode(basicnode.NewUint(math.MaxUint64)) }},
		"float":          {basicnode.NewFloat(1.5), func(va datamodel.NodeAssembler) error { return va.AssignFloat(1.5) }},
		"negative zero":  {basicnode.NewFloat(math.Copysign(0, -1)), func(va datamodel.NodeAssembler) error { return va.AssignFloat(math.Copysign(0, -1)) }},
		"string":         {basicnode.NewString("\xff"), func(va datamodel.NodeAssembler) error { return va.AssignString("\xff") }},
		"bytes":          {basicnode.NewBytes([]byte{0}), func(va datamodel.NodeAssembler) error { return va.AssignBytes([]byte{0}) }},
		"nil bytes":      {basicnode.NewBytes(nil), func(va datamodel.NodeAssembler) error { return va.AssignBytes(nil) }},
		"link":           {basicnode.NewLink(link), func(va datamodel.NodeAssembler) error { return va.AssignLink(link) }},
		"empty list":     {hamttest.DecodeJSON(t, "[]"), func(va datamodel.NodeAssembler) error { la := hamttest.Must(va.BeginList(0)); return la.Finish() }},
		"lists and maps": {hamttest.DecodeJSON(t, `{"b":[1,{"x":null}],"a":{}}`), assembleNested},
	} {
		t.Run(name, func(t *testing.T) {
			_, want := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Model{"key": c.node})
			prototype, _ := newPrototype()
			nb, ma := begin(t, prototype)
			va, err := ma.AssembleEntry("key")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.assign(va); err != nil {
				t.Fatal(err)
			}
			finish(t, nb, ma, hamttest.Model{"key": c.node})
			if hamttest.RootOf(t, nb.Build().(*adl.Node)) != want {
				t.Error("another root than by AssignNode")
			}
		})
	}
}

func assembleNested(va datamodel.NodeAssembler) error {
	ma := hamttest.Must(va.BeginMap(2))
	la := hamttest.Must(hamttest.Must(ma.AssembleEntry("b")).BeginList(2))
	err := la.AssembleValue().AssignInt(1)
	inner := hamttest.Must(la.AssembleValue().BeginMap(1))
	err = errors.Join(err, inner.AssembleKey().AssignString("x"), inner.AssembleValue().AssignNull(), inner.Finish(), la.Finish())
	empty := hamttest.Must(hamttest.Must(ma.AssembleEntry("a")).BeginMap(0))
	return errors.Join(err, empty.Finish(), ma.Finish())
}

// TestRefusedValues: what cannot be stored is fault.ErrValue at once, and the
// value may still come.
func TestRefusedValues(t *testing.T) {
	nested := func(va datamodel.NodeAssembler) error {
		la := hamttest.Must(va.BeginList(1))
		return errors.Join(la.AssembleValue().AssignFloat(math.NaN()), la.Finish())
	}
	for name, assign := range map[string]func(va datamodel.NodeAssembler) error{
		"NaN":         func(va datamodel.NodeAssembler) error { return va.AssignFloat(math.NaN()) },
		"infinity":    func(va datamodel.NodeAssembler) error { return va.AssignFloat(math.Inf(1)) },
		"NaN node":    func(va datamodel.NodeAssembler) error { return va.AssignNode(basicnode.NewFloat(math.NaN())) },
		"nested NaN":  nested,
		"nil":         func(va datamodel.NodeAssembler) error { return va.AssignNode(nil) },
		"absent":      func(va datamodel.NodeAssembler) error { return va.AssignNode(datamodel.Absent) },
		"nil link":    func(va datamodel.NodeAssembler) error { return va.AssignLink(nil) },
		"no CID":      func(va datamodel.NodeAssembler) error { return va.AssignLink(cidlink.Link{}) },
		"deep nested": func(va datamodel.NodeAssembler) error { return va.AssignNode(deepList(t, 1030)) },
	} {
		t.Run(name, func(t *testing.T) {
			prototype, _ := newPrototype()
			nb, ma := begin(t, prototype)
			va, err := ma.AssembleEntry("key-0")
			if err != nil {
				t.Fatal(err)
			}
			if err := assign(va); !errors.Is(err, fault.ErrValue) {
				t.Errorf("error %v", err)
			}
			if err := va.AssignInt(0); err != nil {
				t.Fatal(err)
			}
			finish(t, nb, ma, hamttest.Numbered(1))
		})
	}
}

func deepList(t *testing.T, depth int) datamodel.Node {
	t.Helper()
	n := datamodel.Null
	for range depth {
		nb := basicnode.Prototype.List.NewBuilder()
		la := hamttest.Must(nb.BeginList(1))
		if err := errors.Join(la.AssembleValue().AssignNode(n), la.Finish()); err != nil {
			t.Fatal(err)
		}
		n = nb.Build()
	}
	return n
}

// TestAssignNode takes maps of every sort. The very same map, from the same
// store, is taken as it is.
func TestAssignNode(t *testing.T) {
	prototype, s := newPrototype()
	_, want := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(40))
	nb := basicnode.Prototype.Map.NewBuilder()
	ma := hamttest.Must(nb.BeginMap(40))
	for i := range int64(40) {
		entry(t, ma, fmt.Sprint("key-", i), i)
	}
	if err := ma.Finish(); err != nil {
		t.Fatal(err)
	}
	others := hamttest.NewStore()
	for name, source := range map[string]datamodel.Node{
		"plain map":             nb.Build(),
		"HAMT like this":        hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: others.LinkSystem()}, hamttest.Numbered(40)),
		"HAMT of another":       hamttest.Build(t, builder.Prototype{Params: params.Default(), LinkSystem: s.LinkSystem()}, hamttest.Numbered(40)),
		"HAMT in DAG-JSON":      hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), LinkPrototype: hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, 32)}, hamttest.Numbered(40)),
		"HAMT, same LinkSystem": hamttest.Build(t, prototype, hamttest.Numbered(40)),
	} {
		t.Run(name, func(t *testing.T) {
			nb := prototype.NewBuilder()
			if err := nb.AssignNode(source); err != nil {
				t.Fatal(err)
			}
			n := nb.Build().(*adl.Node)
			hamttest.ExpectContent(t, n, hamttest.Numbered(40))
			if hamttest.RootOf(t, n) != want || s.Block(want) == nil {
				t.Errorf("root %s, want %s", hamttest.RootOf(t, n), want)
			}
		})
	}
	n := hamttest.Load(t, s, want)
	s.TakeLoads()
	s.TakeWrites()
	same := n.Prototype().NewBuilder()
	if err := same.AssignNode(n); err != nil || same.Build() != datamodel.Node(n) {
		t.Error("the same map became another")
	}
	if len(s.TakeLoads())+len(s.TakeWrites()) > 0 {
		t.Error("blocks were loaded or written for it")
	}
}

// TestAssignNodeReportsSource: what goes wrong in the map that is copied comes
// out.
func TestAssignNodeReportsSource(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	prototype, s := newPrototype()
	err := prototype.NewBuilder().AssignNode(hamttest.Load(t, b.Store, b.Root))
	hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
	if s.Len() > 0 {
		t.Errorf("%d blocks were written", s.Len())
	}
}

// TestFinishError leaves no root, and what comes after a Reset is whole.
func TestFinishError(t *testing.T) {
	_, want := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(40))
	for n := range 10 {
		prototype, s := newPrototype()
		nb, ma := begin(t, prototype)
		for i := range int64(40) {
			entry(t, ma, fmt.Sprint("key-", i), i)
		}
		left := n
		s.OnWrite = func(datamodel.Link, []byte) error {
			if left--; left < 0 {
				return hamttest.ErrStore
			}
			return nil
		}
		if err := ma.Finish(); !errors.Is(err, hamttest.ErrStore) {
			t.Fatalf("error %v", err)
		}
		if s.Len() != n || s.Block(want) != nil {
			t.Errorf("%d blocks, the root: %v", s.Len(), s.Block(want) != nil)
		}
		expectPanic(t, "AssembleKey after an error", func() { ma.AssembleKey() })
		s.OnWrite = nil
		nb.Reset()
		if err := nb.AssignNode(hamttest.Build(t, builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}, hamttest.Numbered(40))); err != nil {
			t.Fatal(err)
		}
		if hamttest.RootOf(t, nb.Build().(*adl.Node)) != want {
			t.Error("another root after Reset")
		}
	}
}

// TestMaxDepth: more keys with one hash than a bucket holds have no tree. All
// ways of making one say so, write nothing that links to it, and name keys.
func TestMaxDepth(t *testing.T) {
	content := hamttest.Model{}
	for i := range 4 {
		content[fmt.Sprint("key-", i)] = datamodel.Null
	}
	p := params.Params{HashAlg: hamttest.ConstantHashCode, BitWidth: 5, BucketSize: 3}
	for way, make := range hamttest.Makers {
		s := hamttest.NewStore()
		_, err := make(t.Context(), builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content)
		var f *fault.Error
		if !errors.Is(err, fault.ErrMaxDepth) || !errors.As(err, &f) || len(f.Path) == 0 {
			t.Errorf("%s: %v", way, err)
		}
		if s.Len() > 0 {
			t.Errorf("%s: %d blocks were written", way, s.Len())
		}
		smaller := maps.Clone(content)
		delete(smaller, "key-0")
		if n, err := make(t.Context(), builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, smaller); err != nil || n.Length() != 3 {
			t.Errorf("%s: three keys with one hash: %v", way, err)
		}
	}
}
