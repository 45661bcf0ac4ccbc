package merge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// apart are three versions in stores of their own; each side has changed every key.
func apart(t testing.TB, theirs params.Params) (stores [3]*hamttest.Store, maps [3]*adl.Node) {
	t.Helper()
	for i := range stores {
		content := hamttest.Model{}
		for key := range hamttest.Numbered(200) {
			content[key] = integer(int64(i))
		}
		p := sha2(3, 1)
		if i == 2 {
			p = theirs
		}
		stores[i] = hamttest.NewStore()
		maps[i] = in(t, stores[i], p, content)
	}
	return stores, maps
}

// nodeOn returns the link of the deepest node on the way to a key.
func nodeOn(t testing.TB, n *adl.Node, key string) datamodel.Link {
	t.Helper()
	located, err := n.Locate(t.Context(), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return located.Blocks[len(located.Blocks)-1]
}

// TestMissing: a block that is missing is named, with its side, also where the maps are
// not alike; and nothing is written.
func TestMissing(t *testing.T) {
	for _, theirs := range []params.Params{sha2(3, 1), sha2(4, 1), murmur()} {
		for side := merge.Base; side <= merge.Theirs; side++ {
			stores, maps := apart(t, theirs)
			missing := nodeOn(t, maps[side], "key-7")
			stores[side].Remove(missing)
			for i, s := range stores {
				maps[i] = open(t, s, params.Params{}, hamttest.RootOf(t, maps[i]))
				s.TakeWrites()
			}
			_, _, _, err := merge.ThreeWay(t.Context(), maps[0], maps[1], maps[2], merge.Options{Resolve: merge.TakeOurs})
			var located *merge.Error
			var f *fault.Error
			if !errors.As(err, &located) || !errors.As(err, &f) || !strings.HasPrefix(err.Error(), "hamt: in "+side.String()+": block cannot be loaded: ") || located.Side != side || f.Link != missing || f.Kind != fault.ErrMissing || len(f.Path) == 0 {
				t.Errorf("%s: error %v, want block %s", side, err, missing)
			}
			if n := len(stores[1].TakeWrites()); n > 0 {
				t.Errorf("%d blocks were written", n)
			}
		}
	}
}

// TestMissingInSubtree: what is taken whole, and has to be copied, is looked at then.
func TestMissingInSubtree(t *testing.T) {
	p := sha2(3, 1)
	ours, theirs := hamttest.NewStore(), hamttest.NewStore()
	x, y := in(t, ours, p, nil), in(t, theirs, p, hamttest.Numbered(200))
	missing := nodeOn(t, y, "key-7")
	theirs.Remove(missing)
	y = open(t, theirs, p, hamttest.RootOf(t, y))
	ours.TakeWrites()
	_, _, _, err := merge.ThreeWay(t.Context(), nil, x, y, merge.Options{})
	var located *merge.Error
	var f *fault.Error
	if !errors.As(err, &located) || !errors.As(err, &f) || located.Side != merge.Theirs || f.Link != missing {
		t.Errorf("error %v, want block %s", err, missing)
	}
}

// TestStoreFails: where a block cannot be written there is no map.
func TestStoreFails(t *testing.T) {
	for _, atOnce := range []int{1, 8} {
		_, maps := apart(t, sha2(3, 1))
		for fails := range 6 {
			to := hamttest.NewStore()
			var writes atomic.Int64
			to.OnWrite = func(datamodel.Link, []byte) error {
				if writes.Add(1) > int64(fails*10) {
					return hamttest.ErrStore
				}
				return nil
			}
			hamttest.ExpectNoLeak(t, func() {
				m, root, _, err := merge.ThreeWay(t.Context(), maps[0], maps[1], maps[2], merge.Options{Resolve: merge.TakeOurs, Into: builder.Prototype{LinkSystem: to.LinkSystem(), WritesAtOnce: atOnce}})
				if !errors.Is(err, hamttest.ErrStore) || m != nil || root != nil {
					t.Errorf("%v, %v, %v", m, root, err)
				}
			})
		}
	}
}

// TestCancelled ends contexts before and during a merge; nothing may be left running.
func TestCancelled(t *testing.T) {
	for _, theirs := range []params.Params{sha2(3, 1), sha2(4, 1)} {
		stores, maps := apart(t, theirs)
		for _, slow := range []bool{false, true} {
			for _, at := range []int64{0, 1, 2, 30} {
				t.Run(fmt.Sprint(theirs, " ", slow, " ", at), func(t *testing.T) {
					hamttest.ExpectNoLeak(t, func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						var loads atomic.Int64
						var mirrored [3]*adl.Node
						for i, s := range stores {
							m := hamttest.NewStore()
							m.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) {
								if loads.Add(1) == at+3 && at > 0 { // the roots come first
									cancel()
									return nil, hamttest.ErrStore
								}
								return s.Block(link), nil
							}
							if slow {
								m.Delay = func(datamodel.Link) time.Duration { return time.Millisecond }
							}
							mirrored[i] = open(t, m, params.Params{}, hamttest.RootOf(t, maps[i]))
						}
						if at == 0 {
							cancel()
						}
						_, _, _, err := merge.ThreeWay(ctx, mirrored[0], mirrored[1], mirrored[2], merge.Options{Resolve: merge.TakeOurs})
						hamttest.ExpectCancelled(t, err)
					})
				})
			}
		}
	}
}

// TestNonCanonical: what is merged index by index is canonical afterwards, whatever it was;
// Verify refuses what is not.
func TestNonCanonical(t *testing.T) {
	hamttest.Fixtures(t, "leftovers.md", func(t *testing.T, c hamttest.Fixture) {
		s, root := hamttest.StoredFixture(t, c)
		left := hamttest.Load(t, s, root)
		content, ours, theirs := hamttest.Model{}, hamttest.Model{}, hamttest.Model{}
		for e, err := range left.Entries(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			content[e.KeyString()] = hamttest.Must(e.Value())
			ours[e.KeyString()], theirs[e.KeyString()] = basicnode.NewString("ours"), basicnode.NewString("theirs")
		}
		p := left.Params()
		x, y := in(t, s, p, ours), in(t, s, p, theirs)
		m, link, _, err := merge.ThreeWay(t.Context(), left, x, y, merge.Options{Resolve: merge.TakeTheirs})
		if err != nil {
			t.Fatal(err)
		}
		expectMerged(t, s, p, m, link, theirs)
		if m, link, _, err = merge.ThreeWay(t.Context(), x, left, y, merge.Options{Resolve: merge.TakeOurs}); err != nil {
			t.Fatal(err)
		}
		expectMerged(t, s, p, m, link, content)

		for _, order := range [][3]*adl.Node{{left, x, y}, {x, left, y}, {x, y, left}} {
			_, _, _, err := merge.ThreeWay(t.Context(), order[0], order[1], order[2], merge.Options{Resolve: merge.TakeOurs, Verify: true})
			var located *merge.Error
			if !errors.As(err, &located) || order[located.Side] != left || !errors.Is(err, fault.ErrEmptyBucket) && !errors.Is(err, fault.ErrNotCollapsed) {
				t.Errorf("Verify: %v", err)
			}
		}
		if _, _, _, err := merge.ThreeWay(t.Context(), nil, x, y, merge.Options{Resolve: merge.TakeOurs, Verify: true}); err != nil {
			t.Errorf("Verify of canonical maps: %v", err)
		}
	})
}

// TestMisplaced: a key that stands where its hash does not lead is an error.
func TestMisplaced(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	odd := hamttest.Load(t, h.Store, h.Root("a", h.Bucket("xyz", 3)))
	p := odd.Params()
	x := in(t, h.Store, p, hamttest.Model{"aaa": integer(1)})
	_, _, _, err := merge.ThreeWay(t.Context(), nil, x, odd, merge.Options{})
	var located *merge.Error
	var f *fault.Error
	if !errors.As(err, &located) || !errors.As(err, &f) || located.Side != merge.Theirs || f.Kind != fault.ErrMisplaced || string(f.Key) != "xyz" || f.Link != hamttest.RootOf(t, odd) {
		t.Errorf("error %v", err)
	}
}

// TestReadOnlyLayout: a map that cannot be written cannot be merged into.
func TestReadOnlyLayout(t *testing.T) {
	s := hamttest.NewStore()
	b := hamttest.BlockOf([]byte("\x82\x40\x80"))
	s.Put(b.Link.(cidlink.Link).Cid, b.Bytes)
	p := params.Filecoin()
	p.Layout = params.FilecoinV0
	old := open(t, s, p, b.Link)
	if _, _, _, err := merge.ThreeWay(t.Context(), nil, old, in(t, s, params.Filecoin(), hamttest.Numbered(3)), merge.Options{}); !errors.Is(err, fault.ErrReadOnlyLayout) {
		t.Errorf("error %v", err)
	}
}
