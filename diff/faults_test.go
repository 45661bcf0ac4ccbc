package diff_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// ways are all that reads two maps.
var ways = map[string]func(ctx context.Context, a, b *adl.Node) error{
	"Changes":  func(ctx context.Context, a, b *adl.Node) error { return failure(ctx, a, b) },
	"serially": func(ctx context.Context, a, b *adl.Node) error { return failure(ctx, a, b, diff.ReadAhead(1)) },
	"ByLookup": func(ctx context.Context, a, b *adl.Node) error { return failure(ctx, a, b, diff.ByLookup()) },
	"NewBlocks": func(ctx context.Context, a, b *adl.Node) error {
		for _, err := range diff.NewBlocks(ctx, a, b) {
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// halves are two maps, of which each has keys that the other has not.
func halves(t testing.TB, a, b params.Params) *pair {
	t.Helper()
	before, after := hamttest.Numbered(300), hamttest.Model{}
	for key := range before {
		after[key] = basicnode.NewString("other")
	}
	return newPair(t, a, b, before, after)
}

// TestMissing: a block that is missing on either side is named, with its path and its
// side, whatever the way.
func TestMissing(t *testing.T) {
	both, onlyB := []diff.Side{diff.A, diff.B}, []diff.Side{diff.B}
	for _, c := range []struct {
		way     string
		paramsB params.Params
		sides   []diff.Side
	}{
		{"Changes", sha2(3, 1), both},
		{"Changes", sha2(3, 2), both},
		{"serially", sha2(3, 1), both},
		{"NewBlocks", sha2(3, 1), both},
		{"Changes", sha2(4, 1), both},
		{"serially", sha2(4, 1), both},
		{"NewBlocks", sha2(4, 1), onlyB}, // all of B, and nothing of A
		{"ByLookup", murmur(), both},
	} {
		for _, side := range c.sides {
			t.Run(fmt.Sprint(c.way, " ", c.paramsB, " ", side), func(t *testing.T) {
				p := halves(t, sha2(3, 1), c.paramsB)
				a, b := p.load(t)
				store, root, m := p.storeA, p.rootA, a
				if side == diff.B {
					store, root, m = p.storeB, p.rootB, b
				}
				missing := deepestOf(t, m)
				store.Remove(missing)
				a, b = p.load(t)
				err := ways[c.way](t.Context(), a, b)
				var located *diff.Error
				var f *fault.Error
				if !errors.As(err, &located) || !errors.As(err, &f) || f.Kind != fault.ErrMissing {
					t.Fatalf("error %v", err)
				}
				if located.Side != side || len(located.Path) > 0 || f.Link != missing || hamttest.LinkAt(t, store, root, f.Path) != missing {
					t.Errorf("%v, want block %s of %s", err, missing, side)
				}
				if text := err.Error(); !strings.HasPrefix(text, "hamt: in "+side.String()+": block cannot be loaded: ") || !strings.Contains(text, missing.String()) {
					t.Errorf("it says %q", text)
				}
			})
		}
	}
}

// deepestOf returns the link of a node that is as deep as any.
func deepestOf(t *testing.T, n *adl.Node) (last datamodel.Link) {
	t.Helper()
	blocks, depth := 0, 0
	for key := range hamttest.Numbered(20) {
		located, err := n.Locate(t.Context(), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if len(located.Blocks) > depth {
			depth, last = len(located.Blocks), located.Blocks[len(located.Blocks)-1]
		}
		blocks++
	}
	return last
}

// TestWrongBlock: so is a block that is not what its link says.
func TestWrongBlock(t *testing.T) {
	p := halves(t, sha2(3, 1), sha2(3, 1))
	_, b := p.load(t)
	wrong := deepestOf(t, b)
	p.storeB.Put(wrong.(cidlink.Link).Cid, []byte("rubbish"))
	a, b := p.load(t)
	err := failure(t.Context(), a, b)
	var located *diff.Error
	if !errors.As(err, &located) || located.Side != diff.B || !errors.Is(err, fault.ErrHashMismatch) {
		t.Errorf("error %v", err)
	}
}

// TestCancelledMidway cancels while the n-th block is being loaded, from stores that
// are fast or slow. Nothing may be left running.
func TestCancelledMidway(t *testing.T) {
	for name, way := range ways {
		for _, width := range []int{3, 4} {
			paramsB := sha2(width, 1)
			if name == "ByLookup" {
				paramsB = murmur()
			}
			p := halves(t, sha2(3, 1), paramsB)
			for _, slow := range []bool{false, true} {
				for _, at := range []int64{0, 1, 2, 20} {
					t.Run(fmt.Sprint(name, " ", width, " ", slow, " ", at), func(t *testing.T) {
						hamttest.ExpectNoLeak(t, func() {
							ctx, cancel := context.WithCancel(t.Context())
							defer cancel()
							var loads atomic.Int64
							mirror := func(s *hamttest.Store) *hamttest.Store {
								m := hamttest.NewStore()
								m.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) {
									if loads.Add(1) == at+2 && at > 0 { // the roots come first
										cancel()
										return nil, hamttest.ErrStore // as stores do then, in their own words
									}
									return s.Block(link), nil
								}
								if slow {
									m.Delay = func(datamodel.Link) time.Duration { return time.Millisecond }
								}
								return m
							}
							a := hamttest.Load(t, mirror(p.storeA), p.rootA)
							b := hamttest.Load(t, mirror(p.storeB), p.rootB)
							if at == 0 {
								cancel()
							}
							hamttest.ExpectCancelled(t, way(ctx, a, b))
						})
					})
				}
			}
		}
	}
}

// TestCancelReturnsWithinOneLoad: the end of the context ends a diff over a store that
// knows nothing of contexts, at once where loads have their own goroutines, and with
// the load under way where they have not.
func TestCancelReturnsWithinOneLoad(t *testing.T) {
	for name, way := range ways {
		p := halves(t, sha2(3, 1), sha2(3, 1))
		if name == "ByLookup" {
			p = halves(t, sha2(3, 1), murmur())
		}
		synctest.Test(t, func(t *testing.T) {
			slow := func(s *hamttest.Store, root datamodel.Link) *adl.Node {
				lsys := s.LinkSystem()
				open := lsys.StorageReadOpener
				lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
					time.Sleep(time.Second)
					return open(lctx, link)
				}
				m, err := hamt.Load(t.Context(), lsys, root)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			a, b := slow(p.storeA, p.rootA), slow(p.storeB, p.rootB)
			ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := way(ctx, a, b); err != context.DeadlineExceeded {
				t.Errorf("%s: error %v", name, err)
			}
			if took := time.Since(began); took > 4500*time.Millisecond {
				t.Errorf("%s took %v", name, took)
			}
			time.Sleep(time.Minute) // until the loads have ended, and with them their goroutines
		})
	}
}

// TestStoreTimeout: when a store gives up on a block, that is the block's fault.
func TestStoreTimeout(t *testing.T) {
	p := halves(t, sha2(3, 1), sha2(3, 1))
	p.storeB.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link != p.rootB {
			return nil, context.DeadlineExceeded
		}
		return raw, nil
	}
	a, b := p.load(t)
	if err := failure(t.Context(), a, b); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("error %v", err)
	}
}

// TestLeftovers: the trees that iamap's deletes leave have the entries of canonical
// ones, so there is no change between them.
func TestLeftovers(t *testing.T) {
	hamttest.Fixtures(t, "leftovers.md", func(t *testing.T, c hamttest.Fixture) {
		s, root := hamttest.StoredFixture(t, c)
		left := hamttest.Load(t, s, root)
		content := hamttest.Model{}
		for e, err := range left.Entries(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			content[e.KeyString()] = hamttest.Must(e.Value())
		}
		fresh := hamttest.NewStore()
		canonical := in(t, fresh, left.Params(), content)
		if want := c.Need(t, "canonical/root"); hamttest.RootOf(t, canonical).String() != want {
			t.Fatalf("root %s, want %s", hamttest.RootOf(t, canonical), want)
		}
		expect(t, changes(t, left, canonical), nil)
		expect(t, changes(t, canonical, left), nil)
		other := left.Params()
		other.BitWidth++
		expect(t, changes(t, left, in(t, fresh, other, content)), nil)
		expect(t, changes(t, left, nil), wanted(t, content, nil))
		content["another"] = integer(1)
		expect(t, changes(t, left, in(t, fresh, left.Params(), content)), []string{`added "another":  → 01`})
	})
}

// TestUncollapsed: a node that should be a bucket holds what the bucket holds.
func TestUncollapsed(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	deep := h.Put(h.Node("cd", h.Bucket("abc", 1), h.Bucket("abd", 2)))
	mid := h.Put(h.Node("b", h.Link(deep)))
	odd := hamttest.Load(t, h.Store, h.Root("az", h.Link(mid), h.Bucket("z", 3)))
	content := hamttest.Model{"abc": integer(1), "abd": integer(2), "z": integer(3)}
	canonical := in(t, hamttest.NewStore(), odd.Params(), content)
	expect(t, changes(t, odd, canonical), nil)
	expect(t, changes(t, canonical, odd), nil)
	content["abd"] = integer(4)
	delete(content, "abc")
	expect(t, changes(t, odd, in(t, hamttest.NewStore(), odd.Params(), content)), []string{`removed "abc": 01 → `, `changed "abd": 02 → 04`})
}

// TestNonCanonicalBlocks: the same values in another encoding are no change, and those
// of a change are canonical.
func TestNonCanonicalBlocks(t *testing.T) {
	for name, raw := range hamttest.NonCanonicalRoots() {
		t.Run(name, func(t *testing.T) {
			s := hamttest.NewStore()
			b := hamttest.BlockOf(raw)
			s.Put(b.Link.(cidlink.Link).Cid, raw)
			odd := hamttest.Load(t, s, b.Link)
			content := hamttest.Model{"\x80\x00": basicnode.NewBool(false)}
			content["\x00\x00"] = hamttest.Must(odd.Get(t.Context(), []byte{0, 0}))
			canonical := in(t, hamttest.NewStore(), odd.Params(), content)
			expect(t, changes(t, odd, canonical), nil)
			expect(t, changes(t, canonical, odd), nil)
			p := odd.Params()
			p.BitWidth++
			expect(t, changes(t, odd, in(t, hamttest.NewStore(), p, content)), nil)
			expect(t, changes(t, odd, in(t, hamttest.NewStore(), params.Default(), content), diff.ByLookup()), nil)
			expect(t, changes(t, in(t, hamttest.NewStore(), params.Default(), content), odd, diff.ByLookup()), nil)
			for c, err := range diff.Changes(t.Context(), odd, nil) {
				if err != nil {
					t.Fatal(err)
				}
				if want := encoded(t, content[string(c.Key)]); !bytes.Equal(c.Before.Raw(), want) {
					t.Errorf("value %x, want %x", c.Before.Raw(), want)
				}
			}
		})
	}
}

// TestMisplaced: a key that stands where its hash does not lead is an error, which names
// the key, the block and the side.
func TestMisplaced(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	deep := h.Put(h.Node("bcde", h.Bucket("aab", 1), h.Bucket("aac", 2), h.Bucket("xyz", 3), h.Bucket("aae", 4)))
	mid := h.Put(h.Node("a", h.Link(deep)))
	odd := hamttest.Load(t, h.Store, h.Root("a", h.Link(mid)))
	for _, other := range []*adl.Node{
		nil,
		in(t, hamttest.NewStore(), odd.Params(), hamttest.Model{"aab": integer(1)}),
		in(t, hamttest.NewStore(), params.Params{IdentityHash: true, BitWidth: 4, BucketSize: 1}, hamttest.Model{"aab": integer(1)}),
		in(t, hamttest.NewStore(), params.Default(), hamttest.Model{"aab": integer(1)}),
	} {
		for _, side := range []diff.Side{diff.A, diff.B} {
			a, b := odd, other
			if side == diff.B {
				a, b = other, odd
			}
			err := failure(t.Context(), a, b, diff.ByLookup())
			var located *diff.Error
			var f *fault.Error
			if !errors.As(err, &located) || !errors.As(err, &f) {
				t.Fatalf("error %v", err)
			}
			if located.Side != side || f.Kind != fault.ErrMisplaced || string(f.Key) != "xyz" || f.Link != deep || f.Path.String() != "/97/97" {
				t.Errorf("error %v", err)
			}
		}
	}
	// In the bucket of a root, which the walk takes along into the other's nodes.
	shallow := hamttest.Load(t, h.Store, h.Root("a", h.Bucket("xyz", 3)))
	full := in(t, hamttest.NewStore(), odd.Params(), hamttest.Model{"aaa": integer(1), "aab": integer(1), "aac": integer(1), "aad": integer(1)})
	err := failure(t.Context(), full, shallow)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.ErrMisplaced || f.Link != hamttest.RootOf(t, shallow) || f.Path.String() != "/" {
		t.Errorf("error %v", err)
	}
}

// TestLayoutsHaveNoBlockInCommon: a block may be a node in two layouts, and mean
// something else in each, since bitmaps are written the other way round.
func TestLayoutsHaveNoBlockInCommon(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	node := h.Put(h.Node("\x01\xff", h.Bucket("\x00\x01x", 1), h.Bucket("\x00\xffx", 2)))
	placed := h.Bucket("\x01x", 1) // in both, which says that the parameters are right
	a := hamttest.Load(t, h.Store, h.Root("\x00\x01", h.Link(node), placed))
	filecoin := a.Params()
	filecoin.Layout = params.FilecoinV3
	b := hamttest.Load(t, h.Store, h.Put(append(append([]byte("\x82\x41\x03\x82"), h.Link(node)...), placed...)), hamt.WithParams(filecoin))
	if err := failure(t.Context(), a, b); !errors.Is(err, fault.ErrMisplaced) {
		t.Errorf("error %v", err)
	}
}

// TestSharedSubtreesEnd walks two chains of blocks of which each links eight times to
// the next: 8^84 paths, and nothing that differs at the end of them. Stores of a few
// kilobytes must not keep a reader busy for ever.
func TestSharedSubtreesEnd(t *testing.T) {
	for name, ends := range map[string][2]string{
		"misplaced alike": {"\x82\x41\x01\x81\x81\x82\x43key\x00", "\x82\x41\x03\x82\x81\x82\x43key\x00\x80"},
		"empty":           {"\x82\x41\x01\x81\x80", "\x82\x41\x03\x82\x80\x80"},
	} {
		t.Run(name, func(t *testing.T) {
			maps := [2]*adl.Node{}
			for i, end := range ends {
				s := hamttest.NewStore()
				put := func(raw []byte) datamodel.Link {
					b := hamttest.BlockOf(raw)
					s.Put(b.Link.(cidlink.Link).Cid, raw)
					return b.Link
				}
				link := put([]byte(end))
				node := func() []byte {
					one := hamttest.Must(ipld.Encode(basicnode.NewLink(link), dagcbor.Encode))
					return append([]byte("\x82\x41\xff\x88"), bytes.Repeat(one, 8)...)
				}
				for range 83 {
					link = put(node())
				}
				maps[i] = hamttest.Load(t, s, put(append(append([]byte("\xa3\x64hamt"), node()...), "\x67hashAlg\x12\x6abucketSize\x01"...)))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			if err := failure(ctx, maps[0], maps[1]); !errors.Is(err, fault.ErrEndless) {
				t.Errorf("error %v", err)
			}
		})
	}
}
