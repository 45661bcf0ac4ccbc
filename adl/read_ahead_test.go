package adl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// slowMap is a map of some hundred blocks in a store that takes its time.
func slowMap(t *testing.T, vary bool) (*hamttest.Store, datamodel.Link) {
	t.Helper()
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 4, BucketSize: 2}, hamttest.Numbered(1000))
	s.Delay = func(link datamodel.Link) time.Duration {
		if vary { // so that loads end in another order than they begin
			return hamttest.Delay * time.Duration(1+link.Binary()[10]%8) / 8
		}
		return hamttest.Delay
	}
	return s, root
}

func keysOf(t *testing.T, n *adl.Node) (keys []string) {
	t.Helper()
	for key, err := range n.KeyStrings(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// TestReadAhead: the order is that of reading one block after the other, the
// time is not, and there are never more loads under way than allowed.
func TestReadAhead(t *testing.T) {
	s, root := slowMap(t, true)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		want := keysOf(t, hamttest.Load(t, s, root, hamt.WithReadAhead(1)))
		sequential := time.Since(began)
		if s.Most() != 1 {
			t.Errorf("%d loads at the same time without read-ahead", s.Most())
		}
		for _, ahead := range []int{2, 8, 64} {
			s2 := hamttest.NewStore()
			s2.Delay, s2.OnRead = s.Delay, func(link datamodel.Link, _ []byte) ([]byte, error) { return s.Block(link), nil }
			began := time.Now()
			got := keysOf(t, hamttest.Load(t, s2, root, hamt.WithReadAhead(ahead)))
			took := time.Since(began)
			if !slices.Equal(got, want) {
				t.Errorf("%d ahead: another order", ahead)
			}
			if s2.Most() > int64(ahead) || s2.Most() < int64(min(ahead, 16)) {
				t.Errorf("%d ahead: %d loads at the same time", ahead, s2.Most())
			}
			if loads := s2.TakeLoads(); len(loads) != s.Len() {
				t.Errorf("%d ahead: %d loads of %d blocks", ahead, len(loads), s.Len())
			}
			// Half of what is possible, and some for the first levels.
			if allowed := 2*sequential/time.Duration(ahead) + 8*hamttest.Delay; took > allowed {
				t.Errorf("%d ahead: it took %v, and %v in sequence", ahead, took, sequential)
			}
		}
	})
}

// TestEverythingReadsAhead: count, statistics, verify, blocks and the
// MapIterator use the same mechanism.
func TestEverythingReadsAhead(t *testing.T) {
	s, root := slowMap(t, false)
	for name := range hamttest.ReachesMany {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := hamttest.Load(t, s, root, hamt.WithReadAhead(64))
				began := time.Now()
				if err := hamttest.Uses[name](t.Context(), n, ""); err != nil {
					t.Fatal(err)
				}
				if took, sequential := time.Since(began), time.Duration(s.Len())*hamttest.Delay; took > sequential/8 {
					t.Errorf("it took %v for %d blocks", took, s.Len())
				}
			})
		})
	}
}

// TestFastStoreIsAskedInSequence: a store that answers at once is asked for one
// block after another.
func TestFastStoreIsAskedInSequence(t *testing.T) {
	s, root := slowMap(t, false)
	s.Delay = nil
	synctest.Test(t, func(t *testing.T) {
		keysOf(t, hamttest.Load(t, s, root))
		if _, err := hamttest.Load(t, s, root).Estimate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.Most() != 1 {
			t.Errorf("%d loads at the same time", s.Most())
		}
	})
}

// TestReadAheadHoldsLittle lets the first node take an hour: what is loaded
// meanwhile is bounded in bytes, and in number.
func TestReadAheadHoldsLittle(t *testing.T) {
	const ahead = 16
	for name, c := range map[string]struct{ entries, each, least, most int }{
		"bytes":  {600, 1 << 18, 8, 32 + ahead*4},
		"number": {2000, 1 << 10, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			content := hamttest.Model{}
			value := basicnode.NewBytes(make([]byte, c.each))
			for i := range c.entries {
				content[fmt.Sprint("key-", i)] = value
			}
			s := hamttest.NewStore()
			root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{
				Params:        params.Params{BitWidth: 3, BucketSize: 1},
				LinkSystem:    s.LinkSystem(),
				MaxBlockBytes: 16 << 20,
			}, content))
			first := hamttest.LinkAt(t, s, root, fault.Path{0})
			synctest.Test(t, func(t *testing.T) {
				var loads, bytes atomic.Int64
				s.Delay = func(link datamodel.Link) time.Duration {
					loads.Add(1)
					bytes.Add(int64(len(s.Block(link))))
					if link == first {
						return time.Hour
					}
					return hamttest.Delay
				}
				n := hamttest.Load(t, s, root, hamt.WithReadAhead(ahead))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for _, err := range n.Entries(ctx) {
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
				}
				if mib, n := int(bytes.Load()>>20), loads.Load(); mib > c.most || mib < c.least || n > 4*32+2 || n < ahead {
					t.Errorf("%d MiB are loaded ahead, in %d loads", mib, n)
				}
			})
		})
	}
}

// TestBreakingOff: leaving an iteration, or dropping an iterator, leaves no
// goroutine once the loads under way have ended; synctest says so by itself,
// where one stays for ever.
func TestBreakingOff(t *testing.T) {
	s, root := slowMap(t, true)
	for name, leave := range map[string]func(t *testing.T, n *adl.Node){
		"range": func(t *testing.T, n *adl.Node) {
			seen := 0
			for range n.Entries(t.Context()) {
				if seen++; seen == 100 {
					break
				}
			}
		},
		"MapIterator": func(t *testing.T, n *adl.Node) {
			it := n.MapIterator()
			for range 100 {
				if _, _, err := it.Next(); err != nil {
					t.Fatal(err)
				}
			}
		},
		"Verify": func(t *testing.T, n *adl.Node) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*hamttest.Delay)
			defer cancel()
			for range n.Verify(ctx) {
				break
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leave(t, hamttest.Load(t, s, root))
				time.Sleep(2 * hamttest.Delay) // longer than any load
				synctest.Wait()
				s.TakeLoads()
				time.Sleep(10 * hamttest.Delay)
				if loads := s.TakeLoads(); len(loads) > 0 {
					t.Errorf("%d blocks were loaded after the end", len(loads))
				}
			})
		})
	}
}

// TestBreakingOffCancelsLoads: what a broken-off iteration has under way ends
// at once, however long the store would take.
func TestBreakingOffCancelsLoads(t *testing.T) {
	s, root := slowMap(t, false)
	synctest.Test(t, func(t *testing.T) {
		var long atomic.Bool
		s.Delay = func(datamodel.Link) time.Duration {
			if long.Load() {
				return time.Hour
			}
			return hamttest.Delay
		}
		var flying atomic.Int64
		lsys := s.LinkSystem()
		open := lsys.StorageReadOpener
		lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
			flying.Add(1)
			defer flying.Add(-1)
			return open(lctx, link)
		}
		n := hamttest.Must(hamt.Load(t.Context(), lsys, root))
		for name, iterate := range map[string]func(each func() bool){
			"Entries": func(each func() bool) {
				n.Entries(t.Context())(func(adl.Entry, error) bool { return each() })
			},
			"Blocks": func(each func() bool) {
				n.Blocks(t.Context())(func(datamodel.Link, error) bool { return each() })
			},
			"Verify": func(each func() bool) {
				// A map without faults has nothing to break off at.
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*hamttest.Delay+hamttest.Delay/2, cancel)
				for range n.Verify(ctx) {
				}
			},
		} {
			long.Store(false)
			seen, most := 0, int64(0)
			iterate(func() bool {
				seen++
				long.Store(seen >= 30)
				most = max(most, flying.Load())
				return seen < 40
			})
			synctest.Wait()
			if left := flying.Load(); left > 0 {
				t.Errorf("%s: %d loads go on (there were up to %d)", name, left, most)
			}
		}
	})
}

// TestEqualLoadsAreShared: many who want the same block at the same time cause
// one load of it.
func TestEqualLoadsAreShared(t *testing.T) {
	s, root := slowMap(t, false)
	for _, cache := range []int64{0, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			n := hamttest.Load(t, s, root, hamt.WithCacheBytes(cache))
			s.TakeLoads()
			var wait sync.WaitGroup
			for range 50 {
				wait.Go(func() {
					if _, err := n.LookupByString("key-7"); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			loads := s.TakeLoads()
			slices.Sort(loads)
			if distinct := slices.Compact(slices.Clone(loads)); len(loads) != len(distinct) || len(loads) == 0 {
				t.Errorf("%d loads of %d blocks", len(loads), len(distinct))
			}
		})
	}
}

// TestSharedLoadSurvivesItsFirst: who waits for a load that another one began
// gets the block, though that one gives up.
func TestSharedLoadSurvivesItsFirst(t *testing.T) {
	s, root := slowMap(t, false)
	synctest.Test(t, func(t *testing.T) {
		n := hamttest.Load(t, s, root)
		ctx, cancel := context.WithCancel(t.Context())
		var first, second error
		var wait sync.WaitGroup
		wait.Go(func() { _, first = n.GetString(ctx, "key-7") })
		synctest.Wait()
		wait.Go(func() { _, second = n.GetString(t.Context(), "key-7") })
		synctest.Wait()
		cancel()
		wait.Wait()
		if !errors.Is(first, context.Canceled) || second != nil {
			t.Errorf("the first: %v; the second: %v", first, second)
		}
	})
}

// TestWaiterCanGiveUp: who waits for another's load waits no longer than its
// own context.
func TestWaiterCanGiveUp(t *testing.T) {
	s, root := slowMap(t, false)
	synctest.Test(t, func(t *testing.T) {
		n := hamttest.Load(t, s, root)
		s.Delay = func(datamodel.Link) time.Duration { return time.Hour }
		long, cancel := context.WithCancel(t.Context())
		defer cancel()
		go n.GetString(long, "key-7")
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began := time.Now()
		if _, err := n.GetString(ctx, "key-7"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestConcurrentReaders is for the race detector: one Node, read in every way
// by many, with a cache that has to throw out.
func TestConcurrentReaders(t *testing.T) {
	s, root := slowMap(t, false)
	s.Delay = nil
	n := hamttest.Load(t, s, root, hamt.WithCacheBytes(40_000))
	var wait sync.WaitGroup
	for name, use := range hamttest.Uses {
		if name == "Rebuild" { // as many writers of one store are not promised
			continue
		}
		for i := range 3 {
			wait.Go(func() {
				for j := range 5 {
					if err := use(t.Context(), n, fmt.Sprint("key-", 100*i+j)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
	for range 4 {
		wait.Go(func() {
			_, _ = n.Link()
			n.Length()
			n.CacheStats()
			_ = n.Substrate().Kind()
		})
	}
	wait.Wait()
}
