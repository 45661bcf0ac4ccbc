package hamt_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/teststore"
)

// TestCancelledBefore: a context that is done is what every use says, as it is
// and not as a fault of some block.
func TestCancelledBefore(t *testing.T) {
	s, root := stored(t, manyLevels(), numbered(200))
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			n := load(t, s, root)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			expectCancelled(t, use(ctx, n, "key-7"))
		})
	}
	t.Run("Load", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := loadWith(ctx, s, root)
		expectCancelled(t, err)
	})
}

func expectCancelled(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*fault.Error)) {
		t.Errorf("got error %v", err)
	}
}

// TestCancelledMidway cancels while the n-th block is being loaded, from a
// store that is fast or slow. Nothing may be left running.
func TestCancelledMidway(t *testing.T) {
	s, root := stored(t, manyLevels(), numbered(200))
	for name, use := range uses {
		for _, slow := range []bool{false, true} {
			for _, at := range []int64{1, 2, 5} {
				if !reachesMany[name] && at > 2 {
					continue // a lookup loads no more
				}
				t.Run(name, func(t *testing.T) {
					expectNoLeak(t, func() {
						mirror := teststore.New() // its own for each: loads may outlast the use
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						var loads atomic.Int64
						mirror.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) {
							if loads.Add(1) == at+1 { // the root comes first
								cancel()
								return nil, errStore // as stores do then, in their own words
							}
							return s.Block(link), nil
						}
						if slow {
							mirror.Delay = func(datamodel.Link) time.Duration { return time.Millisecond }
						}
						n := load(t, mirror, root)
						expectCancelled(t, use(ctx, n, "key-7"))
					})
				})
			}
		}
	}
}

// reachesMany are the uses that load more than one path.
var reachesMany = map[string]bool{
	"MapIterator": true, "Entries": true, "Keys": true, "KeyStrings": true, "Values": true, "Blocks": true,
	"Count": true, "Stats": true, "Verify": true, "Rebuild": true,
}

// TestVerifyEndsWithItsContext: one report, the last, however many blocks were
// to follow.
func TestVerifyEndsWithItsContext(t *testing.T) {
	s, root := stored(t, manyLevels(), numbered(200))
	n := load(t, s, root)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var reports []error
	for err := range n.Verify(ctx) {
		reports = append(reports, err)
	}
	if len(reports) != 1 || !errors.Is(reports[0], context.Canceled) {
		t.Errorf("reports %v", reports)
	}
}

// TestStoreTimeoutIsAFault: when the store gives up on a block, that is no end
// of the walk: Verify goes on to the others.
func TestStoreTimeoutIsAFault(t *testing.T) {
	b := newBrokenTree(t)
	b.store.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link == b.link {
			return nil, context.DeadlineExceeded
		}
		return raw, nil
	}
	n := load(t, b.store, b.root)
	reports := 0
	for err := range n.Verify(t.Context()) {
		expectFaultAt(t, err, fault.ErrMissing, b.link, b.path)
		reports++
	}
	loads := len(b.store.TakeLoads())
	if reports != 1 || loads < b.store.Len()/2 {
		t.Errorf("%d reports, %d blocks loaded of %d", reports, loads, b.store.Len())
	}
}

// TestCancelledWrites cancels as the n-th block is written, in each way of
// making a map.
func TestCancelledWrites(t *testing.T) {
	ways := map[string]func(ctx context.Context, p builder.Prototype) (*adl.Node, error){
		"Commit": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			txn := must(p.NewTxn())
			for key, value := range numbered(100) {
				if err := txn.SetString(key, value); err != nil {
					return nil, err
				}
			}
			n, _, err := txn.Commit(ctx)
			return n, err
		},
		"assembler": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			p.Context = ctx
			return byAssembler(ctx, p, numbered(100))
		},
		"Bulk": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			return byBulk(ctx, p, numbered(100))
		},
		"spilling Bulk": func(ctx context.Context, p builder.Prototype) (*adl.Node, error) {
			return bulk(ctx, p, numbered(100), builder.BulkOptions{MemoryBytes: 1})
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for at := range 4 {
				expectNoLeak(t, func() {
					s := teststore.New()
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
					n, err := way(ctx, builder.Prototype{Params: manyLevels(), LinkSystem: s.LinkSystem()})
					expectCancelled(t, err)
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

// TestBulkLeavesNoSpill: what was spilled is gone, whatever the end was.
func TestBulkLeavesNoSpill(t *testing.T) {
	for name, end := range map[string]func(b *builder.Bulk, s *teststore.Store){
		"finished": func(b *builder.Bulk, _ *teststore.Store) { must(b.Finish(t.Context())) },
		"closed":   func(b *builder.Bulk, _ *teststore.Store) { b.Close() },
		"cancelled": func(b *builder.Bulk, _ *teststore.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := b.Finish(ctx)
			expectCancelled(t, err)
		},
		"failed": func(b *builder.Bulk, s *teststore.Store) {
			s.OnWrite = func(datamodel.Link, []byte) error { return errStore }
			if _, err := b.Finish(t.Context()); !errors.Is(err, errStore) {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := teststore.New(), t.TempDir()
			b := must(builder.Prototype{LinkSystem: s.LinkSystem()}.NewBulk(builder.BulkOptions{MemoryBytes: 1, SpillDir: dir}))
			for key, value := range numbered(200) { // more than are merged at once
				if err := b.Set([]byte(key), value); err != nil {
					t.Fatal(err)
				}
			}
			if !isSpilled(t, dir) {
				t.Fatal("nothing was spilled")
			}
			end(b, s)
			if isSpilled(t, dir) {
				t.Error("the spill is still there")
			}
			if err := b.Set([]byte("key"), basicnode.NewInt(1)); err == nil {
				t.Error("the Bulk still takes entries")
			}
			if _, err := b.Finish(t.Context()); err == nil {
				t.Error("the Bulk can be finished again")
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
