package adl_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/schema"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestNodeMethods calls what makes no sense on a map, on one that is whole and
// on one of which only the root is there.
func TestNodeMethods(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	whole := hamttest.Load(t, s, root)
	lonely := hamttest.NewStore()
	lonely.Put(root.(cidlink.Link).Cid, s.Block(root))
	for name, n := range map[string]*adl.Node{"whole": whole, "root alone": hamttest.Load(t, lonely, root)} {
		t.Run(name, func(t *testing.T) {
			if n.Kind() != datamodel.Kind_Map || n.IsAbsent() || n.IsNull() {
				t.Errorf("kind %v, absent %v, null %v", n.Kind(), n.IsAbsent(), n.IsNull())
			}
			if n.ListIterator() != nil {
				t.Error("there is a ListIterator")
			}
			for method, call := range map[string]func() error{
				"LookupByIndex": func() error { _, err := n.LookupByIndex(0); return err },
				"AsBool":        func() error { _, err := n.AsBool(); return err },
				"AsInt":         func() error { _, err := n.AsInt(); return err },
				"AsFloat":       func() error { _, err := n.AsFloat(); return err },
				"AsString":      func() error { _, err := n.AsString(); return err },
				"AsBytes":       func() error { _, err := n.AsBytes(); return err },
				"AsLink":        func() error { _, err := n.AsLink(); return err },
			} {
				var wrong datamodel.ErrWrongKind
				if err := call(); !errors.As(err, &wrong) || wrong.ActualKind != datamodel.Kind_Map || wrong.MethodName != method {
					t.Errorf("%s: %v", method, err)
				}
			}
			if n.Prototype() == nil || n.Substrate() == nil {
				t.Error("no prototype, or no substrate")
			}
		})
	}
}

// TestLookups finds a key in every form of it, and says of every other kind of
// node that it is none.
func TestLookups(t *testing.T) {
	odd := "\xff\x00key"
	s, root := hamttest.Stored(t, params.Default(), hamttest.Model{"key": basicnode.NewInt(1), "": basicnode.NewInt(2), odd: basicnode.NewInt(3), "7": basicnode.NewInt(4)})
	n := hamttest.Load(t, s, root)
	for key, want := range map[string]int64{"key": 1, "": 2, odd: 3, "7": 4} {
		for way, look := range map[string]func() (datamodel.Node, error){
			"LookupByString":         func() (datamodel.Node, error) { return n.LookupByString(key) },
			"LookupByNode of string": func() (datamodel.Node, error) { return n.LookupByNode(basicnode.NewString(key)) },
			"LookupByNode of bytes":  func() (datamodel.Node, error) { return n.LookupByNode(basicnode.NewBytes([]byte(key))) },
			"LookupBySegment":        func() (datamodel.Node, error) { return n.LookupBySegment(datamodel.PathSegmentOfString(key)) },
			"Get":                    func() (datamodel.Node, error) { return n.Get(t.Context(), []byte(key)) },
			"GetString":              func() (datamodel.Node, error) { return n.GetString(t.Context(), key) },
		} {
			value, err := look()
			if err != nil || hamttest.Must(value.AsInt()) != want {
				t.Errorf("%s of %q: %v, %v", way, key, value, err)
			}
		}
		if ok, err := n.HasString(t.Context(), key); err != nil || !ok {
			t.Errorf("Has of %q: %v, %v", key, ok, err)
		}
	}
	if value, err := n.LookupBySegment(datamodel.PathSegmentOfInt(7)); err != nil || hamttest.Must(value.AsInt()) != 4 {
		t.Errorf("segment 7: %v, %v", value, err)
	}
	if _, err := n.Get(t.Context(), nil); err != nil {
		t.Errorf("a nil key is the empty one: %v", err)
	}
	for name, key := range map[string]datamodel.Node{
		"nil": nil, "int": basicnode.NewInt(7), "null": datamodel.Null, "absent": datamodel.Absent, "bool": basicnode.NewBool(true),
		"float": basicnode.NewFloat(7), "link": basicnode.NewLink(root), "map": n, "list": hamttest.DecodeJSON(t, `["key"]`),
	} {
		if _, err := n.LookupByNode(key); !errors.As(err, new(datamodel.ErrWrongKind)) {
			t.Errorf("a key of kind %s: %v", name, err)
		}
	}
	for _, missing := range []string{"Key", "key ", "\x00", "\xff\x00ke"} {
		_, err := n.LookupByString(missing)
		var notThere datamodel.ErrNotExists
		if !errors.As(err, &notThere) || notThere.Segment.String() != missing {
			t.Errorf("%q: %v", missing, err)
		}
		if _, ok, err := n.GetRaw(t.Context(), []byte(missing)); ok || err != nil {
			t.Errorf("GetRaw of %q: %v, %v", missing, ok, err)
		}
	}
}

// TestLengthComesBack: blocks that are missing make it -1, and nothing of that
// is kept.
func TestLengthComesBack(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	block := b.Store.Block(b.Link)
	b.Store.Remove(b.Link)
	n := hamttest.Load(t, b.Store, b.Root)
	for range 2 {
		if got := n.Length(); got != -1 {
			t.Fatalf("Length %d with a block missing", got)
		}
		if _, known := n.KnownCount(); known {
			t.Error("a count is known")
		}
	}
	b.Store.Put(b.Link.(cidlink.Link).Cid, block)
	if got := n.Length(); got != 200 {
		t.Errorf("Length %d when it is back", got)
	}
	b.Store.TakeLoads()
	if n.Length() != 200 || len(b.Store.TakeLoads()) > 0 {
		t.Error("it was counted again")
	}
}

// TestMapIterator goes through it by the letter: Done, over-reading, and an
// error that is told once.
func TestMapIterator(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(30))
	it := hamttest.Load(t, s, root).MapIterator()
	for seen := range 30 {
		if it.Done() {
			t.Fatalf("done after %d", seen)
		}
		k, v, err := it.Next()
		if err != nil || k.Kind() != datamodel.Kind_String {
			t.Fatal(k, err)
		}
		if want := fmt.Sprint("key-", hamttest.Must(v.AsInt())); hamttest.Must(k.AsString()) != want {
			t.Errorf("%s is the key of the value of %s", hamttest.Must(k.AsString()), want)
		}
	}
	for range 3 {
		if !it.Done() {
			t.Error("not done")
		}
		if k, v, err := it.Next(); k != nil || v != nil || err != (datamodel.ErrIteratorOverread{}) {
			t.Errorf("over-reading gives %v, %v, %v", k, v, err)
		}
	}
}

func TestMapIteratorError(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	it := hamttest.Load(t, b.Store, b.Root).MapIterator()
	seen := 0
	for {
		if it.Done() {
			t.Fatal("done, and no word of the missing block")
		}
		if _, _, err := it.Next(); err != nil {
			hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
			break
		}
		seen++
	}
	if seen == 0 {
		t.Error("the error came before what stands before it")
	}
	if !it.Done() {
		t.Error("not done after the error")
	}
	if _, _, err := it.Next(); err != (datamodel.ErrIteratorOverread{}) {
		t.Errorf("after the error: %v", err)
	}
}

// TestRangeError: an error ends the iteration, after what stands before it.
func TestRangeError(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	entries, errs := 0, 0
	for e, err := range hamttest.Load(t, b.Store, b.Root).Entries(t.Context()) {
		if err != nil {
			errs++
			if e.Key() != nil || e.Raw() != nil {
				t.Error("an entry comes with the error")
			}
		} else if entries++; errs > 0 {
			t.Fatal("an entry after the error")
		}
	}
	if errs != 1 || entries == 0 {
		t.Errorf("%d entries, %d errors", entries, errs)
	}
}

// TestPrototypeBuildsAlike: parameters, link prototype, codec, LinkSystem and
// cache are those of the map that the prototype came from.
func TestPrototypeBuildsAlike(t *testing.T) {
	s := hamttest.NewStore()
	p := params.Params{HashAlg: multicodec.Murmur3X64_64, BitWidth: 4, BucketSize: 2}
	lp := hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_512, 20)
	n := hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem(), LinkPrototype: lp}, hamttest.Numbered(50))
	n = hamttest.Load(t, s, hamttest.RootOf(t, n))
	copied, err := ipld.Decode(hamttest.Must(ipld.Encode(n, dagcbor.Encode)), dagcbor.Decode)
	if err != nil {
		t.Fatal(err)
	}
	nb := n.Prototype().NewBuilder()
	if err := nb.AssignNode(copied); err != nil {
		t.Fatal(err)
	}
	again := nb.Build().(*adl.Node)
	if hamttest.RootOf(t, again) != hamttest.RootOf(t, n) || again.Params() != p || again.LinkPrototype() != datamodel.LinkPrototype(lp) {
		t.Errorf("%v under %v, want %v under %v", again.Params(), again.LinkPrototype(), p, lp)
	}
	before := n.CacheStats()
	hamttest.ExpectContent(t, again, hamttest.Numbered(50)) // more than the root knows
	if after := n.CacheStats(); after.Hits+after.Misses == before.Hits+before.Misses {
		t.Error("the maps share no cache")
	}
}

// TestSubstrate: it encodes to the root block byte for byte, and is what the
// schema says a root is.
func TestSubstrate(t *testing.T) {
	for _, content := range []hamttest.Model{{}, hamttest.Numbered(3), hamttest.Numbered(50)} {
		s, root := hamttest.Stored(t, hamttest.ManyLevels(), content)
		substrate := hamttest.Load(t, s, root).Substrate()
		if got := hamttest.Must(ipld.Encode(substrate, dagcbor.Encode)); string(got) != string(s.Block(root)) {
			t.Errorf("it is encoded as %x, want %x", got, s.Block(root))
		}
		nb := hamt.HashMapRootPrototype.Representation().NewBuilder()
		if err := nb.AssignNode(substrate); err != nil {
			t.Fatal(err)
		}
		if got := hamttest.Must(ipld.Encode(nb.Build().(schema.TypedNode).Representation(), dagcbor.Encode)); string(got) != string(s.Block(root)) {
			t.Errorf("through the schema it is %x, want %x", got, s.Block(root))
		}
		lsys := s.LinkSystem()
		again := hamttest.Must(hamt.Reify(linking.LinkContext{Ctx: t.Context()}, substrate, lsys)).(*adl.Node)
		hamttest.ExpectContent(t, again, content)
		if link, err := lsys.ComputeLink(root.Prototype(), again.Substrate()); err != nil || link != root {
			t.Errorf("link %v, %v; want %v", link, err, root)
		}
	}
}

// TestLinkOfReifiedMap: computed for every block codec, also one in which the
// root is longer than in DAG-CBOR.
func TestLinkOfReifiedMap(t *testing.T) {
	for _, codec := range []multicodec.Code{multicodec.DagCbor, multicodec.DagJson} {
		s := hamttest.NewStore()
		lsys := s.LinkSystem()
		lp := hamttest.LinkPrototype(codec, multicodec.Sha2_256, 32)
		root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: lsys, LinkPrototype: lp}, hamttest.Numbered(50)))
		n := hamttest.Must(hamt.Reify(linking.LinkContext{}, hamttest.LoadAny(t, lsys, root), lsys)).(*adl.Node)
		if link, err := n.Link(); err != nil || link != root {
			t.Errorf("%v: link %v, %v; want %v", codec, link, err, root)
		}
	}
}

// TestStats counts what the blocks say.
func TestStats(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(100))
	n := hamttest.Load(t, s, root)
	stats, err := n.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Entries != 100 || stats.Blocks != int64(s.Len()) || stats.Bytes != s.Bytes() {
		t.Errorf("%+v; %d blocks of %d bytes", stats, s.Len(), s.Bytes())
	}
	var nodes, links, buckets, filled int64
	for _, level := range stats.Levels {
		nodes, links, buckets = nodes+level.Nodes, links+level.Links, buckets+level.Buckets
	}
	for n, count := range stats.BucketFill {
		filled += int64(n) * count
	}
	if nodes != links+1 || buckets != stats.BucketFill[1] || filled != 100 || stats.BucketFill[0] != 0 {
		t.Errorf("%+v", stats)
	}
}
