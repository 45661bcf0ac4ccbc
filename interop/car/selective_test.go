package car_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2/storage"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// shelf is a map that others hang on.
//
//	root (a HAMT of many blocks)
//	├── chain    link ── {"next": link ── {"next": link ── "the end"}}
//	├── inner    link ── HAMT of some blocks
//	├── inline           {"far": link ── "far"}
//	└── key-0, key-1 …
type shelf struct {
	store                  *hamttest.Store
	m, inner               *adl.Node
	chain, next, last, far cid.Cid
}

func newShelf(t *testing.T) shelf {
	t.Helper()
	store := hamttest.NewStore()
	lsys := store.LinkSystem()
	put := func(n datamodel.Node, err error) cid.Cid {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		link, err := lsys.Store(linking.LinkContext{}, hamttest.BlockOf(nil).Link.Prototype(), n)
		if err != nil {
			t.Fatal(err)
		}
		return cidOf(link)
	}
	to := func(key string, c cid.Cid) (datamodel.Node, error) {
		return qp.BuildMap(basicnode.Prototype.Any, 1, func(ma datamodel.MapAssembler) {
			qp.MapEntry(ma, key, qp.Link(cidlink.Link{Cid: c}))
		})
	}
	s := shelf{store: store}
	s.last = put(basicnode.NewString("the end"), nil)
	s.next = put(to("next", s.last))
	s.chain = put(to("next", s.next))
	s.far = put(basicnode.NewString("far"), nil)

	prototype := builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: lsys}
	s.inner = hamttest.Build(t, prototype, hamttest.Numbered(100))
	content := hamttest.Numbered(1000)
	content["chain"] = basicnode.NewLink(cidlink.Link{Cid: s.chain})
	content["inner"] = basicnode.NewLink(hamttest.RootOf(t, s.inner))
	content["inline"] = hamttest.Must(to("far", s.far))
	s.m = hamttest.Build(t, prototype, content)
	return s
}

// onTheWay returns the blocks that lead to a key, whether it is there or not.
func onTheWay(t *testing.T, m *adl.Node, key string) (blocks []cid.Cid) {
	t.Helper()
	location, err := m.LocateString(t.Context(), key)
	if _, absent := err.(datamodel.ErrNotExists); err != nil && !absent {
		t.Fatal(err)
	}
	for _, link := range location.Blocks {
		blocks = append(blocks, cidOf(link))
	}
	if len(blocks) < 2 {
		t.Fatalf("%s is in the root block", key)
	}
	return blocks
}

// TestSelectiveCARs: a CAR of a selector has exactly the blocks that the selector
// is said to load, each once.
func TestSelectiveCARs(t *testing.T) {
	s := newShelf(t)
	own, inner := blocksOf(t, s.m), blocksOf(t, s.inner)
	way := func(key string, more ...cid.Cid) []cid.Cid { return append(onTheWay(t, s.m, key), more...) }
	for _, test := range []struct {
		name     string
		selector datamodel.Node
		nested   bool // what values link to are maps, too
		want     []cid.Cid
	}{
		{"a value", hamt.KeySelector("key-7"), false, way("key-7")},
		{"a key that is absent", hamt.KeySelector("nothing"), false, way("nothing")},
		{"a value that is a link", hamt.KeySelector("chain"), false, way("chain", s.chain)},
		{"a path", hamt.KeySelector("chain", "next"), false, way("chain", s.chain, s.next)},
		{"a path to its end", hamt.KeySelector("chain", "next", "next"), false, way("chain", s.chain, s.next, s.last)},
		{"a link in a value", hamt.KeySelector("inline", "far"), false, way("inline", s.far)},
		{"a path into an inner map", hamt.KeySelector("inner", "key-7"), true, way("inner", onTheWay(t, s.inner, "key-7")...)},
		{"the map", hamt.EntitySelector(), false, own},
		{"the map and its values", hamt.EntriesSelector(), false, slices.Concat(own, []cid.Cid{s.chain, inner[0]})},
		{"one level deep", hamt.EntriesAndLinksSelector(), true, slices.Concat(own, inner, []cid.Cid{s.chain, s.next, s.far})},
	} {
		t.Run(test.name, func(t *testing.T) {
			var reifier linking.NodeReifier
			if test.nested {
				reifier = hamt.ReifyRoots
			}
			got := blocksIn(t, s.selective(t, test.selector, reifier))
			if !got[0].Equals(test.want[0]) {
				t.Errorf("the first block is %s, not the root", got[0])
			}
			// Maps may share blocks.
			sameOrder(t, sorted(got), slices.CompactFunc(sorted(test.want), cid.Cid.Equals))
		})
	}
}

// selective returns the CAR of a selector that may ask for the ADL.
func (s shelf) selective(t *testing.T, selector datamodel.Node, reifier linking.NodeReifier) []byte {
	t.Helper()
	lsys := *s.store.LinkSystem()
	lsys.NodeReifier = reifier
	hamt.Register(&lsys)
	return traverse(t, &lsys, cidOf(hamttest.RootOf(t, s.m)), selector)
}

func sorted(blocks []cid.Cid) []cid.Cid {
	return slices.SortedFunc(slices.Values(blocks), func(a, b cid.Cid) int { return strings.Compare(a.KeyString(), b.KeyString()) })
}

// TestSelectiveCARsSuffice: with the CAR of a key alone, whoever has it finds the
// value, or that there is none.
func TestSelectiveCARsSuffice(t *testing.T) {
	s := newShelf(t)
	for _, key := range []string{"key-7", "inline", "nothing", "key-1000"} {
		archive := s.selective(t, hamt.KeySelector(key), nil)
		lsys := cidlink.DefaultLinkSystem()
		lsys.SetReadStorage(hamttest.Must(storage.OpenReadable(bytes.NewReader(archive))))
		m, err := hamt.Load(t.Context(), &lsys, hamttest.RootOf(t, s.m))
		if err != nil {
			t.Fatal(err)
		}
		want, wantErr := s.m.GetString(t.Context(), key)
		got, err := m.GetString(t.Context(), key)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || err == nil && !datamodel.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, want %v, %v", key, got, err, want, wantErr)
		}
		if _, absent := errors.AsType[datamodel.ErrNotExists](err); err != nil && !absent {
			t.Errorf("%s: %v", key, err)
		}
	}
}
