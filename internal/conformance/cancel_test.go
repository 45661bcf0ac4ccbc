package conformance_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestCancelledBefore: a context that is done is what every use says, as it is
// and not as a fault of some block.
func TestCancelledBefore(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(200))
	for name, use := range hamttest.Uses {
		t.Run(name, func(t *testing.T) {
			n := hamttest.Load(t, s, root)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			hamttest.ExpectCancelled(t, use(ctx, n, "key-7"))
		})
	}
	t.Run("Load", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := hamttest.LoadWith(ctx, s, root)
		hamttest.ExpectCancelled(t, err)
	})
}

// TestCancelledMidway cancels while the n-th block is being loaded, from a
// store that is fast or slow. Nothing may be left running.
func TestCancelledMidway(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(200))
	for name, use := range hamttest.Uses {
		for _, slow := range []bool{false, true} {
			for _, at := range []int64{1, 2, 5} {
				if !hamttest.ReachesMany[name] && at > 2 {
					continue // a lookup loads no more
				}
				t.Run(name, func(t *testing.T) {
					hamttest.ExpectNoLeak(t, func() {
						mirror := hamttest.NewStore() // its own for each: loads may outlast the use
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						var loads atomic.Int64
						mirror.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) {
							if loads.Add(1) == at+1 { // the root comes first
								cancel()
								return nil, hamttest.ErrStore // as stores do then, in their own words
							}
							return s.Block(link), nil
						}
						if slow {
							mirror.Delay = func(datamodel.Link) time.Duration { return time.Millisecond }
						}
						n := hamttest.Load(t, mirror, root)
						hamttest.ExpectCancelled(t, use(ctx, n, "key-7"))
					})
				})
			}
		}
	}
}

// TestStoreTimeoutIsAFault: when the store gives up on a block, that is no end
// of the walk: Verify goes on to the others.
func TestStoreTimeoutIsAFault(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link == b.Link {
			return nil, context.DeadlineExceeded
		}
		return raw, nil
	}
	n := hamttest.Load(t, b.Store, b.Root)
	reports := 0
	for err := range n.Verify(t.Context()) {
		hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
		reports++
	}
	loads := len(b.Store.TakeLoads())
	if reports != 1 || loads < b.Store.Len()/2 {
		t.Errorf("%d reports, %d blocks loaded of %d", reports, loads, b.Store.Len())
	}
}

// TestCancelledWrites cancels as the n-th block is written, in each way of
// making a map.
func TestCancelledWrites(t *testing.T) {
	ways := map[string]func(ctx context.Context, p builder.Prototype) (*adl.Node, error){
		"Commit": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			txn := hamttest.Must(p.NewTxn())
			for key, value := range hamttest.Numbered(100) {
				if err := txn.SetString(key, value); err != nil {
					return nil, err
				}
			}
			n, _, err := txn.Commit(ctx)
			return n, err
		},
		"assembler": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			p.Context = ctx
			return hamttest.ByAssembler(ctx, p, hamttest.Numbered(100))
		},
		"Bulk": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			return hamttest.ByBulk(ctx, p, hamttest.Numbered(100))
		},
		"spilling Bulk": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			return hamttest.Bulk(ctx, p, hamttest.Numbered(100), builder.BulkOptions{MemoryBytes: 1})
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for at := range 4 {
				hamttest.ExpectNoLeak(t, func() {
					s := hamttest.NewStore()
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					writes := 0
					s.OnWrite = func(datamodel.Link, []byte) error {
						if writes++; writes > at {
							cancel()
						}
						return nil
					}
					if at == 0 {
						cancel()
					}
					n, err := way(ctx, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()})
					hamttest.ExpectCancelled(t, err)
					if n != nil {
						t.Error("there is a node")
					}
					if got := s.Len(); got > at+1 {
						t.Errorf("%d blocks were written after the context was done", got-at)
					}
				})
			}
		})
	}
}

// TestStoreTimeoutIsShared: a store's own time limit is an answer like any
// other, and not each waiter's to wait for again.
func TestStoreTimeoutIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
		lsys := *s.LinkSystem()
		open := lsys.StorageReadOpener
		lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
			if link == root {
				return open(lctx, link)
			}
			time.Sleep(time.Second)
			return nil, context.DeadlineExceeded
		}
		m, err := hamt.Load(t.Context(), &lsys, root)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var wait sync.WaitGroup
		for range 40 {
			wait.Go(func() {
				if _, err := m.GetString(t.Context(), "key-1"); !errors.Is(err, fault.ErrMissing) {
					t.Errorf("error %v", err)
				}
			})
		}
		wait.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("40 equal lookups took %s", took)
		}
	})
}
