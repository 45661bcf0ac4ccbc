package adl_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestLocateInFixtures locates every key of every fixture.
func TestLocateInFixtures(t *testing.T) {
	for _, document := range []string{
		"alice-words.md", "precip.md", "bit-widths.md", "edits.md", "values.md",
		"keys.md", "hashes.md", "collisions.md", "leftovers.md", "selectors.md",
	} {
		t.Run(document, func(t *testing.T) {
			hamttest.Fixtures(t, document, func(t *testing.T, c hamttest.Fixture) {
				s, root := hamttest.StoredFixture(t, c)
				expectLocated(t, s, root)
			})
		})
	}
}

// TestLocateInOtherBlocks locates keys in maps whose blocks are not DAG-CBOR,
// and in Filecoin's layout.
func TestLocateInOtherBlocks(t *testing.T) {
	content := hamttest.Numbered(300)
	content[""] = datamodel.Null
	content["\xff\x00"] = hamttest.DecodeJSON(t, `{"a":[1,2],"b":{}}`)
	for name, prototype := range map[string]builder.Prototype{
		"dag-json": {Params: hamttest.ManyLevels(), LinkPrototype: hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, 32)},
		"filecoin": {Params: params.Filecoin(), LinkPrototype: hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Blake2b256, 32)},
	} {
		t.Run(name, func(t *testing.T) {
			s := hamttest.NewStore()
			prototype.LinkSystem = s.LinkSystem()
			expectLocated(t, s, hamttest.RootOf(t, hamttest.Build(t, prototype, content)), hamt.WithParams(prototype.Params))
		})
	}
}

// expectLocated locates every key of a map, and follows each path as code does
// that knows nothing of HAMTs: it leads to the value, through the blocks that
// were named.
func expectLocated(t *testing.T, s *hamttest.Store, root datamodel.Link, options ...hamt.Option) {
	t.Helper()
	n, lsys := hamttest.Load(t, s, root, options...), s.LinkSystem()
	start := hamttest.LoadAny(t, lsys, root)
	var entries []adl.Entry // all of them first, since they are loaded ahead
	for e, err := range n.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	for _, e := range entries {
		want, err := e.Value()
		if err != nil {
			t.Fatal(err)
		}
		l, err := n.Locate(t.Context(), e.Key())
		if err != nil {
			t.Fatalf("%q: %v", e.Key(), err)
		}
		// Of the value only what holds it is resolved: a value that is a link
		// would be followed.
		entry, last := l.Path.Pop(), l.Path.Last()
		s.TakeLoads()
		holder, err := hamttest.Progress(t, lsys).Get(start, entry)
		if err != nil {
			t.Fatalf("%q: %v", e.Key(), err)
		}
		blocks := []string{root.String()}
		if blocks = append(blocks, s.TakeLoads()...); !slices.Equal(blocks, hamttest.Names(l.Blocks)) || l.Block() != l.Blocks[len(l.Blocks)-1] {
			t.Fatalf("%q: the path leads through %v, and %v were named", e.Key(), blocks, l.Blocks)
		}
		got, err := holder.LookupBySegment(last)
		if err != nil || !hamttest.Equal(t, got, want) {
			t.Fatalf("%q at %s is %v, %v", e.Key(), l.Path, got, err)
		}
		if key, err := holder.LookupByIndex(0); err != nil || string(hamttest.Must(key.AsBytes())) != string(e.Key()) {
			t.Fatalf("%s does not lead to the entry of %q", entry, e.Key())
		}
		if want.Kind() == datamodel.Kind_Link {
			continue
		}
		if got, err := hamttest.Progress(t, lsys).Get(start, l.Path); err != nil || !hamttest.Equal(t, got, want) {
			t.Fatalf("%q at %s is %v, %v", e.Key(), l.Path, got, err)
		}
	}
}

// TestLocateAbsent: the blocks prove that a key is not there, and the path
// leads to where it would stand.
func TestLocateAbsent(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	n, lsys := hamttest.Load(t, s, root, hamt.WithCacheBytes(0)), s.LinkSystem()
	ends := map[datamodel.Kind]int{}
	for i := range 200 {
		key := fmt.Sprint("absent-", i)
		s.TakeLoads()
		l, err := n.LocateString(t.Context(), key)
		var notThere datamodel.ErrNotExists
		if !errors.As(err, &notThere) || notThere.Segment.String() != key {
			t.Fatalf("%q: %v", key, err)
		}
		if want := append([]string{root.String()}, s.TakeLoads()...); !slices.Equal(hamttest.Names(l.Blocks), want) {
			t.Fatalf("%q: blocks %v", key, l.Blocks)
		}
		end, err := hamttest.Progress(t, lsys).Get(hamttest.LoadAny(t, lsys, root), l.Path)
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if loads := s.TakeLoads(); !slices.Equal(hamttest.Names(l.Blocks), loads) {
			t.Fatalf("%q: %s leads through %v, and %v were named", key, l.Path, loads, l.Blocks)
		}
		first, err := end.LookupByIndex(0)
		if err != nil {
			t.Fatal(err)
		}
		ends[first.Kind()]++ // a bitmap of a node, or an entry of a bucket
	}
	if len(ends) != 2 || ends[datamodel.Kind_Bytes] == 0 || ends[datamodel.Kind_List] == 0 {
		t.Errorf("the paths end at %v", ends)
	}

	s, root = hamttest.Stored(t, params.Default(), hamttest.Model{})
	l, err := hamttest.Load(t, s, root).LocateString(t.Context(), "key")
	if !errors.As(err, &datamodel.ErrNotExists{}) || l.Path.String() != "hamt" || !slices.Equal(l.Blocks, []datamodel.Link{root}) {
		t.Errorf("in the empty map: %v, %v", l, err)
	}
}

// TestLocateBroken: the blocks before the one that cannot be loaded are
// returned, and the path to its link.
func TestLocateBroken(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	l, err := hamttest.Load(t, b.Store, b.Root).LocateString(t.Context(), b.Key)
	hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
	if len(l.Blocks) != 2 || l.Blocks[1] != hamttest.LinkAt(t, b.Store, b.Root, b.Path[:1]) {
		t.Errorf("blocks %v", l.Blocks)
	}
	lsys := b.Store.LinkSystem()
	holder, err := hamttest.Progress(t, lsys).Get(hamttest.LoadAny(t, lsys, b.Root), l.Path.Pop())
	if err != nil {
		t.Fatal(err)
	}
	if link := hamttest.Must(holder.LookupBySegment(l.Path.Last())); hamttest.Must(link.AsLink()) != b.Link {
		t.Errorf("%s leads to %v", l.Path, link)
	}
}

// TestLocateReified: a map that was reified from plain data knows the link that
// its root would have.
func TestLocateReified(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	lsys := s.LinkSystem()
	reified, err := hamt.Reify(linking.LinkContext{Ctx: t.Context()}, hamttest.LoadAny(t, lsys, root), lsys)
	if err != nil {
		t.Fatal(err)
	}
	l, err := reified.(*adl.Node).LocateString(t.Context(), "key-7")
	if err != nil || l.Blocks[0] != (cidlink.Link{Cid: root.(cidlink.Link).Cid}) {
		t.Errorf("%v, %v", l, err)
	}
}
