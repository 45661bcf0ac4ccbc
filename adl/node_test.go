package adl_test

import (
	"errors"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
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
