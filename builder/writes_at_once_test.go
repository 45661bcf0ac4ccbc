package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// missingFrom returns a link of a block that a store does not have; nil for none.
func missingFrom(s *hamttest.Store, raw []byte) datamodel.Link {
	for _, link := range hamttest.Must(traversal.SelectLinks(hamttest.Must(ipld.Decode(raw, dagcbor.Decode)))) {
		if s.Block(link) == nil {
			return link
		}
	}
	return nil
}

// orderedStore is one that takes a block only where it has all that the block
// links to when the write begins; each write takes another time.
func orderedStore(t *testing.T) *hamttest.Store {
	s := hamttest.NewStore()
	s.WriteDelay = func(link datamodel.Link) time.Duration {
		return hamttest.Delay * time.Duration(1+link.Binary()[12]) / 256
	}
	s.OnWrite = func(link datamodel.Link, raw []byte) error {
		if child := missingFrom(s, raw); child != nil {
			t.Errorf("%s is written before %s", link, child)
		}
		return nil
	}
	return s
}

// withLarge is a map of n entries, every fourth value of which is above 30
// bytes.
func withLarge(n int) hamttest.Model {
	content := hamttest.Numbered(n)
	for i := 0; i < n; i += 4 {
		content[fmt.Sprint("key-", i)] = basicnode.NewString(fmt.Sprint(i%128, strings.Repeat("x", 40)))
	}
	return content
}

// edited makes a map by two commits, the second of which sets and deletes.
func edited(ctx context.Context, p builder.Prototype, content hamttest.Model) (*adl.Node, error) {
	txn := hamttest.Must(p.NewTxn())
	var later []string
	for key, value := range content {
		if len(key)%2 == 0 {
			later = append(later, key)
			key += " goes"
		}
		if err := txn.SetString(key, value); err != nil {
			return nil, err
		}
	}
	base, _, err := txn.Commit(ctx)
	if err != nil {
		return nil, err
	}
	txn = hamttest.Must(builder.NewTxn(base)) // which goes on as the prototype says
	for _, key := range later {
		hamttest.Must(txn.DeleteString(ctx, key+" goes"))
		if err := txn.SetString(key, content[key]); err != nil {
			return nil, err
		}
	}
	next, _, err := txn.Commit(ctx)
	return next, err
}

// TestWritesAtOnce makes random maps in every way, with several writes at the
// same time: the blocks are those of one after another, none is written before
// what it links to, and there are never more under way than allowed.
func TestWritesAtOnce(t *testing.T) {
	ways := map[string]hamttest.Maker{"edits": edited}
	for name, way := range hamttest.Makers {
		ways[name] = way
	}
	random := rand.New(rand.NewPCG(7, 1))
	for name, way := range ways {
		for range 8 {
			p := params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3 + random.IntN(6), BucketSize: 1 + random.IntN(3)}
			content := withLarge(200 + random.IntN(600))
			if random.IntN(4) == 0 {
				content = withLarge(5000) // so many that several goroutines make them
			}
			atOnce := []int{2, 7, 64}[random.IntN(3)]
			t.Run(fmt.Sprintf("%s/%v/%d/%d", name, p, len(content), atOnce), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					one, many := orderedStore(t), orderedStore(t)
					one.WriteDelay = nil // a mutex stops the clock of synctest
					prototype := builder.Prototype{Params: p, LinkSystem: one.LinkSystem(), InlineBytes: 30}
					want, err := way(t.Context(), prototype, content)
					if err != nil {
						t.Fatal(err)
					}
					prototype.LinkSystem, prototype.WritesAtOnce = many.LinkSystem(), atOnce
					got, err := way(t.Context(), prototype, content)
					if err != nil {
						t.Fatal(err)
					}
					if hamttest.RootOf(t, got) != hamttest.RootOf(t, want) {
						t.Errorf("root %s, want %s", hamttest.RootOf(t, got), hamttest.RootOf(t, want))
					}
					if most := many.MostWrites(); most < 2 || most > int64(atOnce) {
						t.Errorf("%d writes at the same time, and %d are allowed", most, atOnce)
					}
					a, b := one.TakeWrites(), many.TakeWrites()
					slices.Sort(a)
					slices.Sort(b)
					if !slices.Equal(a, b) {
						t.Errorf("%d blocks are written, want %d, the same", len(b), len(a))
					}
				})
			})
		}
	}
}

// TestOneWriteAtATime: unless more are asked for, there is one write under way,
// however many goroutines make blocks.
func TestOneWriteAtATime(t *testing.T) {
	p := params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}
	content := withLarge(5000)
	for name, way := range hamttest.Makers {
		for _, atOnce := range []int{0, 1} {
			t.Run(fmt.Sprint(name, " ", atOnce), func(t *testing.T) {
				s := orderedStore(t)
				s.WriteDelay = nil
				ordered := s.OnWrite
				s.OnWrite = func(link datamodel.Link, raw []byte) error {
					for range 50 {
						runtime.Gosched() // so that another would be seen
					}
					return ordered(link, raw)
				}
				if _, err := way(t.Context(), builder.Prototype{Params: p, LinkSystem: s.LinkSystem(), WritesAtOnce: atOnce}, content); err != nil {
					t.Fatal(err)
				}
				if most := s.MostWrites(); most != 1 {
					t.Errorf("%d writes at the same time", most)
				}
			})
		}
	}
}

// TestWritesAtOnceTime: the time is that of one after another, divided by how
// many there are at the same time, and some for the levels.
func TestWritesAtOnceTime(t *testing.T) {
	const takes, atOnce = 20 * time.Millisecond, 64
	content := hamttest.Numbered(20_000)
	for _, c := range []struct {
		p      params.Params
		levels time.Duration
	}{
		{params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 8, BucketSize: 3}, 3},
		{params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 1}, 6},
		{hamttest.ManyLevels(), 12},
	} {
		for name, way := range hamttest.Makers {
			t.Run(fmt.Sprint(name, c.p), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := hamttest.NewStore()
					s.WriteDelay = func(datamodel.Link) time.Duration { return takes }
					began := time.Now()
					if _, err := way(t.Context(), builder.Prototype{Params: c.p, LinkSystem: s.LinkSystem(), WritesAtOnce: atOnce}, content); err != nil {
						t.Fatal(err)
					}
					took, best := time.Since(began), time.Duration(s.Len())*takes/atOnce
					if took > best+c.levels*takes {
						t.Errorf("%d blocks took %v; one after another, divided by %d: %v", s.Len(), took, atOnce, best)
					}
				})
			})
		}
	}
}

// TestFailedWriteAtOnce lets each write fail in turn, in every way: nothing
// that leads to the block is written, least of all the root, and nothing is
// under way after the end.
func TestFailedWriteAtOnce(t *testing.T) {
	const atOnce = 2 // so few that there is waiting for room
	content := withLarge(160)
	for name, way := range hamttest.Makers {
		t.Run(name, func(t *testing.T) {
			for n := int64(1); ; n++ {
				done := false
				synctest.Test(t, func(t *testing.T) {
					s := orderedStore(t) // which sees a parent of the failed block
					var writes, inFlight atomic.Int64
					ordered := s.OnWrite
					s.OnWrite = func(link datamodel.Link, raw []byte) error {
						inFlight.Add(1)
						defer inFlight.Add(-1)
						if writes.Add(1) == n {
							return hamttest.ErrStore
						}
						time.Sleep(hamttest.Delay) // whatever the context says
						return ordered(link, raw)
					}
					prototype := builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), WritesAtOnce: atOnce, InlineBytes: 30}
					node, err := way(t.Context(), prototype, content)
					if done = writes.Load() < n; done {
						return // there is no n-th block
					}
					if !errors.Is(err, hamttest.ErrStore) || node != nil {
						t.Errorf("write %d: error %v", n, err)
					}
					if inFlight.Load() > 0 || writes.Load() > n+atOnce {
						t.Errorf("write %d: %d were begun, and %d are under way after the end", n, writes.Load(), inFlight.Load())
					}
				})
				if done {
					if n < 60 {
						t.Errorf("only %d blocks were written", n)
					}
					return
				}
			}
		})
	}
}

// TestFailedCommitAtOnce: the transaction stays, and can be committed again.
func TestFailedCommitAtOnce(t *testing.T) {
	content := withLarge(300)
	for n := int64(1); n < 150; n += 13 {
		synctest.Test(t, func(t *testing.T) {
			s := orderedStore(t)
			ordered, writes := s.OnWrite, new(atomic.Int64)
			s.OnWrite = func(link datamodel.Link, raw []byte) error {
				if writes.Add(1) == n {
					return hamttest.ErrStore
				}
				return ordered(link, raw)
			}
			prototype := builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), WritesAtOnce: 8, InlineBytes: 30}
			want := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: hamttest.NewStore().LinkSystem(), InlineBytes: 30}, content))
			txn := hamttest.Must(prototype.NewTxn())
			if err := hamttest.SetAll(txn, content); err != nil {
				t.Fatal(err)
			}
			if _, _, err := txn.Commit(t.Context()); !errors.Is(err, hamttest.ErrStore) || s.Block(want) != nil {
				t.Errorf("write %d: error %v; the root is there: %v", n, err, s.Block(want) != nil)
			}
			if _, link, err := txn.Commit(t.Context()); err != nil || link != want {
				t.Errorf("write %d: root %v, %v in the retry; want %s", n, link, err, want)
			}
		})
	}
}

// TestCancelledWritesAtOnce: a context that is done ends all at once, however
// long the store would take, and though the emitter waits for room; synctest
// says where a goroutine stays.
func TestCancelledWritesAtOnce(t *testing.T) {
	content := withLarge(3000)
	for name, way := range hamttest.Makers {
		for _, inline := range []int{0, 30} {
			t.Run(fmt.Sprint(name, inline), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := orderedStore(t)
					var long atomic.Bool
					quick := s.WriteDelay
					s.WriteDelay = func(link datamodel.Link) time.Duration {
						if long.Load() {
							return time.Hour
						}
						return quick(link)
					}
					time.AfterFunc(3*hamttest.Delay, func() { long.Store(true) })
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					began := time.Now()
					prototype := builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: inItsOwnWords(s), WritesAtOnce: 2, InlineBytes: inline, Context: ctx}
					node, err := way(ctx, prototype, content)
					if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, hamttest.ErrStore) || node != nil {
						t.Errorf("error %v", err)
					}
					if took := time.Since(began); took != time.Second {
						t.Errorf("it took %v", took)
					}
				})
			})
		}
	}
}

// inItsOwnWords is a LinkSystem that never says what a context says.
func inItsOwnWords(s *hamttest.Store) *linking.LinkSystem {
	lsys := s.LinkSystem()
	open := lsys.StorageWriteOpener
	lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		writer, commit, err := open(lctx)
		return writer, func(link datamodel.Link) error {
			if commit(link) != nil {
				return hamttest.ErrStore
			}
			return nil
		}, err
	}
	return lsys
}

// TestOversizedAtOnce: an error in the data ends what is being written.
func TestOversizedAtOnce(t *testing.T) {
	content := hamttest.Numbered(500)
	content["large"] = basicnode.NewBytes(make([]byte, 1000))
	for name, way := range hamttest.Makers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := hamttest.NewStore()
				var inFlight atomic.Int64
				s.OnWrite = func(datamodel.Link, []byte) error {
					inFlight.Add(1)
					defer inFlight.Add(-1)
					time.Sleep(hamttest.Delay)
					return nil
				}
				_, err := way(t.Context(), builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), WritesAtOnce: 8, MaxBlockBytes: 500}, content)
				if !errors.Is(err, fault.ErrTooLarge) || inFlight.Load() > 0 {
					t.Errorf("error %v; %d writes are under way", err, inFlight.Load())
				}
			})
		})
	}
}

// TestWritesAtOnceIsPassedOn: to what comes from a map that was built so, and
// not to another LinkSystem.
func TestWritesAtOnceIsPassedOn(t *testing.T) {
	s := hamttest.NewStore()
	n := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem(), WritesAtOnce: 5}, hamttest.Numbered(3))
	if got := builder.PrototypeOf(n).WritesAtOnce; got != 5 {
		t.Errorf("%d", got)
	}
	if got := builder.PrototypeOf(hamttest.Load(t, s, hamttest.RootOf(t, n))).WritesAtOnce; got != 0 {
		t.Errorf("%d of a map that was loaded", got)
	}
	for name, c := range map[string]struct {
		p    builder.Prototype
		want int
	}{
		"nothing said":       {builder.Prototype{}, 5},
		"another number":     {builder.Prototype{WritesAtOnce: 2}, 2},
		"another LinkSystem": {builder.Prototype{LinkSystem: s.LinkSystem()}, 0},
	} {
		txn := hamttest.Must(c.p.Edit(n))
		if err := txn.SetString("another", datamodel.Null); err != nil {
			t.Fatal(err)
		}
		next, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := builder.PrototypeOf(next).WritesAtOnce; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
