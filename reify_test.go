package hamt_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"
	"github.com/ipld/go-ipld-prime/traversal/selector/builder"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	hamtbuilder "github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// nestedMaps stores a map whose value under "inner" links to another map. Both
// have two levels of blocks.
func nestedMaps(t *testing.T) (s *hamttest.Store, outer datamodel.Link, outerContent, innerContent hamttest.Model) {
	t.Helper()
	s = hamttest.NewStore()
	prototype := hamtbuilder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}
	innerContent, outerContent = hamttest.Numbered(30), hamttest.Numbered(20)
	outerContent["inner"] = basicnode.NewLink(hamttest.RootOf(t, hamttest.Build(t, prototype, innerContent)))
	return s, hamttest.RootOf(t, hamttest.Build(t, prototype, outerContent)), outerContent, innerContent
}

// TestReifyRootsIsTransparent: set as NodeReifier, it makes maps of HAMTs
// wherever they are loaded, and the Node knows its link.
func TestReifyRootsIsTransparent(t *testing.T) {
	s, outer, outerContent, innerContent := nestedMaps(t)
	lsys := s.LinkSystem()
	lsys.NodeReifier = hamt.ReifyRoots
	start := hamttest.LoadAny(t, lsys, outer)
	hamttest.ExpectContent(t, start.(*adl.Node), outerContent)

	inner, err := hamttest.Progress(t, lsys).Get(start, datamodel.ParsePath("inner"))
	if err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, inner.(*adl.Node), innerContent)
	if link := hamttest.RootOf(t, inner.(*adl.Node)); link != hamttest.Must(outerContent["inner"].AsLink()) {
		t.Errorf("the inner map's link is %v", link)
	}
	for key, want := range innerContent {
		visited := false
		err := hamttest.Progress(t, lsys).Focus(start, datamodel.ParsePath("inner/"+key), func(p traversal.Progress, n datamodel.Node) error {
			visited = p.Path.String() == "inner/"+key && hamttest.Equal(t, n, want)
			return nil
		})
		if err != nil || !visited {
			t.Errorf("inner/%s: visited %v, %v", key, visited, err)
		}
	}
	if _, err := hamttest.Progress(t, lsys).Get(start, datamodel.ParsePath("inner/nothing")); !errors.As(err, new(datamodel.ErrNotExists)) {
		t.Errorf("a path to nothing: %v", err)
	}
}

// TestInterpretAs asks a selector for the ADL by its name, also for the map in
// the map.
func TestInterpretAs(t *testing.T) {
	s, outer, outerContent, innerContent := nestedMaps(t)
	lsys := s.LinkSystem()
	hamt.Register(lsys)
	ssb := builder.NewSelectorSpecBuilder(basicnode.Prototype.Any)
	entries := ssb.ExploreInterpretAs(hamt.ReifierName, ssb.ExploreAll(ssb.Matcher()))
	expectVisits(t, lsys, outer, entries, "", outerContent)
	expectVisits(t, lsys, outer, ssb.ExploreInterpretAs(hamt.ReifierName,
		ssb.ExploreFields(func(e builder.ExploreFieldsSpecBuilder) { e.Insert("inner", entries) })), "inner/", innerContent)
}

// expectVisits expects that a selector matches all entries of a map, and
// nothing else.
func expectVisits(t *testing.T, lsys *linking.LinkSystem, root datamodel.Link, spec builder.SelectorSpec, prefix string, content hamttest.Model) {
	t.Helper()
	seen := map[string]bool{}
	err := hamttest.Progress(t, lsys).WalkMatching(hamttest.LoadAny(t, lsys, root), hamttest.Must(spec.Selector()), func(p traversal.Progress, n datamodel.Node) error {
		seen[p.Path.String()] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range content {
		if !seen[prefix+key] {
			t.Errorf("%s was not visited", prefix+key)
		}
	}
	if len(seen) != len(content) {
		t.Errorf("%d visits, want %d", len(seen), len(content))
	}
}

// TestRegister adds to what is known, in a map of its own.
func TestRegister(t *testing.T) {
	other := func(_ linking.LinkContext, n datamodel.Node, _ *linking.LinkSystem) (datamodel.Node, error) {
		return n, nil
	}
	shared := map[string]linking.NodeReifier{"other": other}
	lsys := linking.LinkSystem{KnownReifiers: shared}
	hamt.Register(&lsys)
	if lsys.KnownReifiers["hamt"] == nil || lsys.KnownReifiers["other"] == nil || len(shared) != 1 {
		t.Errorf("%v are known, and %v to others", lsys.KnownReifiers, shared)
	}
}

// TestReifyRefuses: where a HAMT is asked for, what is none is an error.
func TestReifyRefuses(t *testing.T) {
	lsys := hamttest.NewStore().LinkSystem()
	hamt.Register(lsys)
	for name, node := range nearMisses(t) {
		for way, reify := range map[string]linking.NodeReifier{"Reify": hamt.Reify, "InterpretAs": lsys.KnownReifiers[hamt.ReifierName]} {
			if n, err := reify(linking.LinkContext{}, node, lsys); err == nil {
				t.Errorf("%s: %s is seen as %v", way, name, n)
			} else if !errors.As(err, new(*fault.Error)) || !wrongRoot[name] && !errors.Is(err, fault.ErrNotHAMT) {
				t.Errorf("%s: %s: %v", way, name, err)
			}
		}
	}
}

// wrongRoot are the near misses that have the shape of a root, so that it is
// said what is wrong with them.
var wrongRoot = map[string]bool{
	"empty bitmap": true, "odd bitmap": true, "popcount": true, "bitmap of a string": true,
	"data that is no list": true, "NaN": true, "absent": true,
}

// nearMisses are nodes that are not quite a HAMT's root.
func nearMisses(t *testing.T) map[string]datamodel.Node {
	t.Helper()
	misses := map[string]datamodel.Node{
		"null": datamodel.Null, "bool": basicnode.NewBool(true), "int": basicnode.NewInt(3),
		"float": basicnode.NewFloat(1), "string": basicnode.NewString("hamt"), "bytes": basicnode.NewBytes([]byte("hamt")),
		"link": basicnode.NewLink(hamttest.BlockOf(nil).Link), "absent": datamodel.Absent,
	}
	for name, text := range map[string]string{
		"empty map":            `{}`,
		"empty list":           `[]`,
		"node without root":    `[{"/":{"bytes":"AA"}},[]]`,
		"hashAlg missing":      `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[]]}`,
		"one field more":       `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[]],"hashAlg":18,"more":1}`,
		"one field other":      `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[]],"hashalg":18}`,
		"hashAlg of a string":  `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[]],"hashAlg":"sha2-256"}`,
		"bucketSize null":      `{"bucketSize":null,"hamt":[{"/":{"bytes":"AA"}},[]],"hashAlg":18}`,
		"hamt of a map":        `{"bucketSize":3,"hamt":{"data":[],"map":{"/":{"bytes":"AA"}}},"hashAlg":18}`,
		"three in the node":    `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[],1],"hashAlg":18}`,
		"one in the node":      `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}}],"hashAlg":18}`,
		"bitmap of a string":   `{"bucketSize":3,"hamt":["AA",[]],"hashAlg":18}`,
		"data that is no list": `{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},{}],"hashAlg":18}`,
		"IPFS file":            `{"Data":{"/":{"bytes":"CAE"}},"Links":[]}`,
	} {
		misses[name] = hamttest.DecodeJSON(t, text)
	}
	return misses
}

// TestReifyRootsLeavesOthersAlone returns back the very node, whatever it is
// close to.
func TestReifyRootsLeavesOthersAlone(t *testing.T) {
	lsys := hamttest.NewStore().LinkSystem()
	for name, node := range nearMisses(t) {
		if got, err := hamt.ReifyRoots(linking.LinkContext{}, node, lsys); err != nil || got != node {
			t.Errorf("%s became %v, %v", name, got, err)
		}
		if hamt.IsRoot(node) {
			t.Errorf("%s passes for a root", name)
		}
	}
	if got, err := hamt.ReifyRoots(linking.LinkContext{}, nil, lsys); err != nil || got != nil {
		t.Errorf("nil became %v, %v", got, err)
	}
}

// TestReifyRootsReportsBrokenRoots: what has the shape of a root and cannot be
// read is an error, not plain data.
func TestReifyRootsReportsBrokenRoots(t *testing.T) {
	lsys := hamttest.NewStore().LinkSystem()
	for text, want := range map[string]error{
		`{"bucketSize":3,"hamt":[{"/":{"bytes":""}},[]],"hashAlg":18}`:      fault.ErrBitmapLength,
		`{"bucketSize":3,"hamt":[{"/":{"bytes":"AAAA"}},[]],"hashAlg":18}`:  fault.ErrBitmapLength,
		`{"bucketSize":3,"hamt":[{"/":{"bytes":"AQ"}},[]],"hashAlg":18}`:    fault.ErrPopcount,
		`{"bucketSize":3,"hamt":[{"/":{"bytes":"AQ"}},[1]],"hashAlg":18}`:   fault.ErrElement,
		`{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[]],"hashAlg":99999}`: fault.ErrUnknownHash,
		`{"bucketSize":0,"hamt":[{"/":{"bytes":"AA"}},[]],"hashAlg":18}`:    fault.ErrNotHAMT,
		`{"bucketSize":3,"hamt":[{"/":{"bytes":"AA"}},[]],"hashAlg":-1}`:    fault.ErrNotHAMT,
	} {
		node := hamttest.DecodeJSON(t, text)
		if !hamt.IsRoot(node) {
			t.Errorf("%s does not pass for a root", text)
		}
		if n, err := hamt.ReifyRoots(linking.LinkContext{}, node, lsys); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", text, n, err, want)
		}
	}
}

// TestChildBlocksBypassReifier: a NodeReifier sees roots, and never the map's
// own blocks below.
func TestChildBlocksBypassReifier(t *testing.T) {
	s, outer, _, _ := nestedMaps(t)
	lsys := s.LinkSystem()
	seen := 0
	lsys.NodeReifier = func(lctx linking.LinkContext, n datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
		seen++
		return hamt.ReifyRoots(lctx, n, lsys)
	}
	n := hamttest.LoadAny(t, lsys, outer)
	for it := n.MapIterator(); !it.Done(); {
		if _, _, err := it.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := hamttest.Progress(t, lsys).Get(n, datamodel.ParsePath("inner/key-3")); err != nil {
		t.Fatal(err)
	}
	if seen != 2 {
		t.Errorf("%d nodes passed through the reifier, want the two roots", seen)
	}
}

// TestIsRootLoadsNothing: asking a map that is one already costs no block.
func TestIsRootLoadsNothing(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	n := hamttest.Load(t, s, root)
	s.TakeLoads()
	if hamt.IsRoot(n) {
		t.Error("a map passes for its root block")
	}
	if got, err := hamt.ReifyRoots(linking.LinkContext{}, n, s.LinkSystem()); err != nil || got != datamodel.Node(n) {
		t.Error(got, err)
	}
	if loads := s.TakeLoads(); len(loads) > 0 {
		t.Errorf("%d blocks were loaded", len(loads))
	}
}

// TestReifyKeepsContextAndMaps: what is a map already stays as it is; the
// context is that of the LinkContext, and none is background.
func TestReifyKeepsContextAndMaps(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	lsys := s.LinkSystem()
	plain := hamttest.LoadAny(t, lsys, root)
	n := hamttest.Must(hamt.Reify(linking.LinkContext{}, plain, lsys)).(*adl.Node)
	if n.Context() == nil || n.Length() != 50 {
		t.Error("no context, no length")
	}
	if again := hamttest.Must(hamt.Reify(linking.LinkContext{}, n, lsys)); again != datamodel.Node(n) {
		t.Error("a map is reified again")
	}
	if with := hamttest.Must(hamt.Reify(linking.LinkContext{Ctx: t.Context()}, plain, lsys)).(*adl.Node); with.Context() != t.Context() {
		t.Error("the context is another")
	}
	// Without a link, the root's is computed.
	if link := hamttest.RootOf(t, n); link != root {
		t.Errorf("link %v, want %v", link, root)
	}
}

// TestSubstrateRoundTrip: from map to plain data to map, for a root that is
// not in canonical encoding too.
func TestSubstrateRoundTrip(t *testing.T) {
	nonCanonical := []byte("\xa3\x64hamt\x82\x41\x01\x81\x81\x82\x42\x00\x00\xf9\x3c\x00\x67hashAlg\x00\x6abucketSize\x01")
	for name, raw := range map[string][]byte{
		"canonical":               hamttest.CyclicTree()[0],
		"not canonical":           nonCanonical,
		"fields in another order": []byte("\xa3\x67hashAlg\x00\x64hamt\x82\x41\x00\x80\x6abucketSize\x01"),
	} {
		t.Run(name, func(t *testing.T) {
			s := hamttest.NewStore()
			b := hamttest.BlockOf(raw)
			s.Put(b.Link.(cidlink.Link).Cid, raw)
			n := hamttest.Load(t, s, b.Link)
			substrate := n.Substrate()
			if got := hamttest.Must(ipld.Encode(substrate, dagcbor.Encode)); string(got) != string(raw) {
				t.Errorf("the substrate is encoded as %x, want %x", got, raw)
			}
			if !hamt.IsRoot(substrate) {
				t.Error("the substrate is no root")
			}
			again, err := hamt.Reify(linking.LinkContext{}, substrate, s.LinkSystem())
			if err != nil {
				t.Fatal(err)
			}
			if got := again.(*adl.Node).Params(); got != n.Params() {
				t.Errorf("parameters %v, want %v", got, n.Params())
			}
		})
	}
}

// TestFocusedTransform sets, replaces and deletes through go-ipld-prime, and
// expects the map that a fresh build gives.
func TestFocusedTransform(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(40))
	for name, c := range map[string]struct {
		key   string
		value datamodel.Node // nil deletes
	}{
		"set":                  {"another", basicnode.NewInt(7)},
		"replace":              {"key-3", basicnode.NewString("seven")},
		"delete":               {"key-3", nil},
		"replace with itself":  {"key-3", basicnode.NewInt(3)},
		"replace with a map":   {"key-3", hamttest.DecodeJSON(t, `{"b":1,"a":[null]}`)},
		"replace with another": {"key-3", hamttest.Load(t, s, root)},
	} {
		t.Run(name, func(t *testing.T) {
			want := hamttest.Numbered(40)
			if c.value == nil {
				delete(want, c.key)
			} else {
				want[c.key] = c.value
			}
			if nested, ok := c.value.(*adl.Node); ok {
				want[c.key] = basicnode.NewLink(hamttest.RootOf(t, nested)) // a HAMT as a value becomes a link
			}
			_, wantRoot := hamttest.Stored(t, hamttest.ManyLevels(), want)
			got, err := hamttest.Progress(t, s.LinkSystem()).FocusedTransform(hamttest.Load(t, s, root), datamodel.ParsePath(c.key),
				func(traversal.Progress, datamodel.Node) (datamodel.Node, error) { return c.value, nil }, false)
			if err != nil {
				t.Fatal(err)
			}
			n := got.(*adl.Node)
			hamttest.ExpectContent(t, n, want)
			if link := hamttest.RootOf(t, n); link != wantRoot || s.Block(link) == nil {
				t.Errorf("root %s, want %s", link, wantRoot)
			}
		})
	}
}

// TestFocusedTransformInside changes something within a value, and creates the
// way to something new.
func TestFocusedTransformInside(t *testing.T) {
	content := hamttest.Numbered(40)
	content["deep"] = hamttest.DecodeJSON(t, `{"list":[1,{"x":2}]}`)
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), content)
	for path, value := range map[string]string{
		"deep/list/1/x": `{"list":[1,{"x":"new"}]}`,
		"deep/y/z":      `{"list":[1,{"x":2}],"y":{"z":"new"}}`,
	} {
		want := maps.Clone(content)
		want["deep"] = hamttest.DecodeJSON(t, value)
		_, wantRoot := hamttest.Stored(t, hamttest.ManyLevels(), want)
		got, err := hamttest.Progress(t, s.LinkSystem()).FocusedTransform(hamttest.Load(t, s, root), datamodel.ParsePath(path),
			func(traversal.Progress, datamodel.Node) (datamodel.Node, error) {
				return basicnode.NewString("new"), nil
			}, true)
		if err != nil {
			t.Fatal(err)
		}
		if link := hamttest.RootOf(t, got.(*adl.Node)); link != wantRoot {
			t.Errorf("%s: root %s, want %s", path, link, wantRoot)
		}
	}
}

// TestTransformThroughNestedMap: go-ipld-prime's FocusedTransform decodes what
// a link leads to with Fill, past every reifier, and so cannot see a map in a
// map. What goes is a transform in the transform: the function changes the
// inner map and hands it over, and the outer one links to it.
func TestTransformThroughNestedMap(t *testing.T) {
	s, outer, outerContent, innerContent := nestedMaps(t)
	lsys := s.LinkSystem()
	lsys.NodeReifier = hamt.ReifyRoots
	p := hamttest.Progress(t, lsys)
	got, err := p.FocusedTransform(hamttest.LoadAny(t, lsys, outer), datamodel.ParsePath("inner"), func(_ traversal.Progress, link datamodel.Node) (datamodel.Node, error) {
		inner := hamttest.LoadAny(t, lsys, hamttest.Must(link.AsLink()))
		return p.FocusedTransform(inner, datamodel.ParsePath("key-7"), func(traversal.Progress, datamodel.Node) (datamodel.Node, error) { return nil, nil }, false)
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	delete(innerContent, "key-7")
	_, innerRoot := hamttest.Stored(t, hamttest.ManyLevels(), innerContent)
	outerContent["inner"] = basicnode.NewLink(innerRoot)
	_, want := hamttest.Stored(t, hamttest.ManyLevels(), outerContent)
	if link := hamttest.RootOf(t, got.(*adl.Node)); link != want {
		t.Errorf("root %s, want %s", link, want)
	}
}

// TestWalkTransforming changes values by selector, in a map and through the
// link to a map in it.
func TestWalkTransforming(t *testing.T) {
	s, outer, outerContent, innerContent := nestedMaps(t)
	lsys := s.LinkSystem()
	lsys.NodeReifier = hamt.ReifyRoots
	ssb := builder.NewSelectorSpecBuilder(basicnode.Prototype.Any)
	everyValue := hamttest.Must(ssb.ExploreRecursive(selector.RecursionLimitNone(),
		ssb.ExploreUnion(ssb.Matcher(), ssb.ExploreAll(ssb.ExploreRecursiveEdge()))).Selector())
	plusOne := func(_ traversal.Progress, n datamodel.Node) (datamodel.Node, error) {
		if n.Kind() != datamodel.Kind_Int {
			return n, nil
		}
		return basicnode.NewInt(hamttest.Must(n.AsInt()) + 1), nil
	}
	got, err := hamttest.Progress(t, lsys).WalkTransforming(hamttest.LoadAny(t, lsys, outer), everyValue, plusOne)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []hamttest.Model{outerContent, innerContent} {
		for key, value := range content {
			if value.Kind() == datamodel.Kind_Int {
				content[key] = basicnode.NewInt(hamttest.Must(value.AsInt()) + 1)
			}
		}
	}
	_, innerRoot := hamttest.Stored(t, hamttest.ManyLevels(), innerContent)
	outerContent["inner"] = basicnode.NewLink(innerRoot)
	_, want := hamttest.Stored(t, hamttest.ManyLevels(), outerContent)
	if link := hamttest.RootOf(t, got.(*adl.Node)); link != want {
		t.Errorf("root %s, want %s", link, want)
	}
	if s.Block(innerRoot) == nil {
		t.Error("the inner map was not stored")
	}
}

// TestHAMTAsValue: it is stored as the link to it, not as a copy of all that
// it holds.
func TestHAMTAsValue(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(40))
	prototype := hamtbuilder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}
	for way, make := range hamttest.Makers {
		n, err := make(t.Context(), prototype, hamttest.Model{"nested": hamttest.Load(t, s, root)})
		if err != nil {
			t.Fatal(err)
		}
		value, err := n.LookupByString("nested")
		if err != nil || value.Kind() != datamodel.Kind_Link || hamttest.Must(value.AsLink()) != root {
			t.Errorf("by %s it is %v, %v", way, value, err)
		}
	}
}

// TestSubstrateInOtherCodecs: the substrate is plain data for every codec.
func TestSubstrateInOtherCodecs(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(40))
	n := hamttest.Load(t, s, root)
	text := hamttest.Must(ipld.Encode(n.Substrate(), dagjson.Encode))
	again := hamttest.Must(hamt.Reify(linking.LinkContext{}, hamttest.Must(ipld.Decode(text, dagjson.Decode)), s.LinkSystem()))
	hamttest.ExpectContent(t, again.(*adl.Node), hamttest.Numbered(40))
}

// TestLayoutThatDoesNotExist is an error, whichever way a map is opened.
func TestLayoutThatDoesNotExist(t *testing.T) {
	s, root := hamttest.Stored(t, params.Filecoin(), hamttest.Numbered(20))
	lsys := s.LinkSystem()
	option := hamt.WithParams(params.Params{Layout: 100})
	if _, err := hamt.Load(t.Context(), lsys, root, option); err == nil || !strings.Contains(err.Error(), "layout(100)") {
		t.Errorf("Load: %v", err)
	}
	plain, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hamt.Reifier(option)(linking.LinkContext{}, plain, lsys); err == nil {
		t.Error("it was reified")
	}
}
