package hamt_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// linkedMap is a map whose values link to all sorts of things.
type linkedMap struct {
	store *hamttest.Store
	root  datamodel.Link
	own   []string            // its blocks but the root
	keys  []string            // in its order
	block map[string][]string // by name: blocks that are not its own
}

func newLinkedMap(t *testing.T) linkedMap {
	t.Helper()
	m := linkedMap{store: hamttest.NewStore(), block: map[string][]string{}}
	lsys := m.store.LinkSystem()
	put := func(name, json string, links ...any) datamodel.Link {
		link, err := lsys.Store(linking.LinkContext{}, hamttest.BlockOf(nil).Link.Prototype(), hamttest.DecodeJSON(t, fmt.Sprintf(json, links...)))
		if err != nil {
			t.Fatal(err)
		}
		m.block[name] = []string{link.String()}
		return link
	}
	prototype := builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: lsys}
	store := func(name string, content hamttest.Model) datamodel.Link {
		n := hamttest.Build(t, prototype, content)
		for link, err := range n.Blocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			m.block[name] = append(m.block[name], link.String())
		}
		return hamttest.RootOf(t, n)
	}
	const linkTo = `{"/":%q}`
	file := put("file", `{"Data":{"/":{"bytes":"AA"}},"Links":[]}`)
	dir := put("directory", `{"Data":{"/":{"bytes":"CAE"}},"Links":[{"Hash":`+linkTo+`,"Name":"file","Tsize":9}]}`, file)
	deep := put("deep", `"the end"`)
	next := put("next", `{"next":`+linkTo+`}`, deep)
	inner := hamttest.Numbered(30)
	inner["beyond"] = basicnode.NewLink(put("beyond", `"beyond"`))
	content := hamttest.Numbered(20)
	content["directory"] = basicnode.NewLink(dir)
	content["map"] = basicnode.NewLink(store("map", inner))
	content["chain"] = basicnode.NewLink(next)
	content["inline"] = hamttest.DecodeJSON(t, fmt.Sprintf(`{"link":`+linkTo+`,"list":[`+linkTo+`]}`, put("in a map", `1`), put("in a list", `2`)))
	m.root = store("", content)
	m.own = m.block[""][1:]
	for e, err := range hamttest.Load(t, m.store, m.root).Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		m.keys = append(m.keys, e.KeyString())
	}
	return m
}

// walk walks from the root and returns the paths matched and the blocks loaded.
func (m linkedMap) walk(t *testing.T, lsys *linking.LinkSystem, spec datamodel.Node) (matches, loads []string, err error) {
	t.Helper()
	compiled, err := selector.CompileSelector(spec)
	if err != nil {
		t.Fatal(err)
	}
	start := hamttest.LoadAny(t, lsys, m.root)
	m.store.TakeLoads()
	err = hamttest.Progress(t, lsys).WalkMatching(start, compiled, func(p traversal.Progress, _ datamodel.Node) error {
		matches = append(matches, p.Path.String())
		return nil
	})
	return matches, m.store.TakeLoads(), err
}

// TestSelectorBlocks expects what each selector matches, and the blocks that a
// traversal with it loads: all of those and no other, each once.
func TestSelectorBlocks(t *testing.T) {
	m := newLinkedMap(t)
	lsys := m.store.LinkSystem()
	hamt.Register(lsys)
	transparent := m.store.LinkSystem()
	hamt.Register(transparent)
	transparent.NodeReifier = hamt.ReifyRoots
	whole := hamttest.Load(t, m.store, m.root)
	way := func(key string) (blocks []string) {
		l, err := whole.LocateString(t.Context(), key)
		if err != nil && !errors.As(err, &datamodel.ErrNotExists{}) {
			t.Fatal(err)
		}
		return hamttest.Names(l.Blocks[1:])
	}
	join := slices.Concat[[]string]
	deeper := join(m.keys, []string{
		"chain/next", "directory/Data", "directory/Links", "inline/link", "inline/list",
	})
	plainInner := []string{"map/hamt", "map/hashAlg", "map/bucketSize"}
	var innerKeys []string
	for e, err := range hamttest.Load(t, m.store, hamttest.LinkTo(t, m.block["map"][0])).Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		innerKeys = append(innerKeys, "map/"+e.KeyString())
	}
	for name, c := range map[string]struct {
		lsys           *linking.LinkSystem
		selector       datamodel.Node
		matches, loads []string
	}{
		"entity":                    {lsys, hamt.EntitySelector(), []string{""}, m.own},
		"entity, transparent":       {transparent, hamt.EntitySelector(), []string{""}, m.own},
		"key":                       {lsys, hamt.KeySelector("key-7"), []string{"key-7"}, way("key-7")},
		"key not there":             {lsys, hamt.KeySelector("key-77"), nil, way("key-77")},
		"key of a link":             {lsys, hamt.KeySelector("directory"), []string{"directory"}, join(way("directory"), m.block["directory"])},
		"key of an inline value":    {lsys, hamt.KeySelector("inline"), []string{"inline"}, way("inline")},
		"inside an inline value":    {lsys, hamt.KeySelector("inline", "list", "0"), []string{"inline/list/0"}, join(way("inline"), m.block["in a list"])},
		"inside a directory":        {lsys, hamt.KeySelector("directory", "Links", "0", "Hash"), []string{"directory/Links/0/Hash"}, join(way("directory"), m.block["directory"], m.block["file"])},
		"key of a map":              {lsys, hamt.KeySelector("map"), []string{"map"}, join(way("map"), m.block["map"][:1])},
		"key of a map, transparent": {transparent, hamt.KeySelector("map"), []string{"map"}, join(way("map"), m.block["map"][:1])},
		"entries": {lsys, hamt.EntriesSelector(), m.keys,
			join(m.own, m.block["directory"], m.block["map"][:1], m.block["next"])},
		"entries, transparent": {transparent, hamt.EntriesSelector(), m.keys,
			join(m.own, m.block["directory"], m.block["map"][:1], m.block["next"])},
		"entries and links": {lsys, hamt.EntriesAndLinksSelector(), join(deeper, plainInner),
			join(m.own, m.block["directory"], m.block["map"][:1], m.block["next"], m.block["deep"], m.block["in a map"])},
		"entries and links, transparent": {transparent, hamt.EntriesAndLinksSelector(), join(deeper, innerKeys),
			join(m.own, m.block["directory"], m.block["map"], m.block["beyond"], m.block["next"], m.block["deep"], m.block["in a map"])},
	} {
		t.Run(name, func(t *testing.T) {
			matches, loads, err := m.walk(t, c.lsys, c.selector)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := slices.Sorted(slices.Values(matches)), slices.Sorted(slices.Values(c.matches)); !slices.Equal(got, want) {
				t.Errorf("matches\n%q, want\n%q", got, want)
			}
			if got, want := slices.Sorted(slices.Values(loads)), slices.Sorted(slices.Values(c.loads)); !slices.Equal(got, want) {
				t.Errorf("loads\n%q, want\n%q", got, want)
			}
		})
	}
	if len(way("key-7")) == 0 || len(m.block["map"]) < 3 {
		t.Error("the maps are too small to show anything")
	}
}

// TestSelectorsNeedTheName: a LinkSystem that does not know the ADL, and a root
// that is none, are errors; and so is a block that is missing.
func TestSelectorsNeedTheName(t *testing.T) {
	m := newLinkedMap(t)
	known := m.store.LinkSystem()
	hamt.Register(known)
	for name, spec := range map[string]datamodel.Node{
		"entity": hamt.EntitySelector(), "key": hamt.KeySelector("key-7"),
		"entries": hamt.EntriesSelector(), "entries and links": hamt.EntriesAndLinksSelector(),
	} {
		if _, _, err := m.walk(t, m.store.LinkSystem(), spec); err == nil {
			t.Errorf("%s: done without the ADL", name)
		}
		other := linkedMap{store: m.store, root: hamttest.LinkTo(t, m.block["next"][0])}
		if _, _, err := other.walk(t, known, spec); !errors.Is(err, fault.ErrNotHAMT) {
			t.Errorf("%s: of what is no map: %v", name, err)
		}
	}
	m.store.Remove(hamttest.LinkTo(t, m.own[0]))
	for name, spec := range map[string]datamodel.Node{
		"entity": hamt.EntitySelector(), "entries": hamt.EntriesSelector(), "entries and links": hamt.EntriesAndLinksSelector(),
	} {
		if _, _, err := m.walk(t, known, spec); !errors.Is(err, fault.ErrMissing) {
			t.Errorf("%s: with a block missing: %v", name, err)
		}
	}
}
