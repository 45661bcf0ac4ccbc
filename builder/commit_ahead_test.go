package builder_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// spread begins a transaction that sets every step-th of the keys of a numbered
// map of n entries anew.
func spread(t *testing.T, base *adl.Node, n, step int) *builder.Txn {
	t.Helper()
	txn := hamttest.Must(builder.NewTxn(base))
	for i := 0; i < n; i += step {
		if err := txn.SetString(fmt.Sprint("key-", i), basicnode.NewInt(int64(-1-i))); err != nil {
			t.Fatal(err)
		}
	}
	return txn
}

// slowed makes a store take so long for each load.
func slowed(s *hamttest.Store, takes time.Duration) *hamttest.Store {
	s.Delay = func(datamodel.Link) time.Duration { return takes }
	return s
}

// mirror is another store that has the blocks of one.
func mirror(s *hamttest.Store) *hamttest.Store {
	m := hamttest.NewStore()
	m.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) {
		if raw := s.Block(link); raw != nil {
			return raw, nil
		}
		return nil, hamttest.NotFound{Key: link.Binary()}
	}
	return m
}

// TestCommitTime commits changes all over maps in a slow store: the time is
// that of loading one node after another, divided by how many may be under way,
// and a little for the first levels; never more are, and no node is loaded twice. Of 5,000
// changes there are several parts.
func TestCommitTime(t *testing.T) {
	const n, takes = 30_000, 20 * time.Millisecond
	for _, p := range []params.Params{
		{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 2},
		{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3},
		{HashAlg: multicodec.Sha2_256, BitWidth: 8, BucketSize: 3},
	} {
		s, root := hamttest.Stored(t, p, hamttest.Numbered(n))
		for _, step := range []int{60, 6} {
			for _, ahead := range []int{1, 2, 8, 64} {
				t.Run(fmt.Sprint(p, step, ahead), func(t *testing.T) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
					synctest.Test(t, func(t *testing.T) {
						m := slowed(mirror(s), takes)
						txn := spread(t, hamttest.Load(t, m, root, hamt.WithReadAhead(ahead)), n, step)
						m.TakeLoads()
						began := time.Now()
						if _, _, err := txn.Commit(t.Context()); err != nil {
							t.Fatal(err)
						}
						took, loads := time.Since(began), m.TakeLoads()
						if best := time.Duration(len(loads)) * takes / time.Duration(ahead); took > best+4*takes {
							t.Errorf("%d loads took %v; one after another, divided by %d: %v", len(loads), took, ahead, best)
						}
						if m.Most() > int64(ahead) {
							t.Errorf("%d loads were under way at the same time", m.Most())
						}
						slices.Sort(loads)
						if len(slices.Compact(slices.Clone(loads))) != len(loads) {
							t.Error("a node was loaded twice")
						}
					})
				})
			}
		}
	}
}

// TestFirstCommitTakesOneTimeForOneLevel: that the store is slow is known from
// the root, so the first nodes below it are loaded together already.
func TestFirstCommitTakesOneTimeForOneLevel(t *testing.T) {
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}, hamttest.Numbered(300))
	synctest.Test(t, func(t *testing.T) {
		m := slowed(mirror(s), hamttest.Delay)
		txn := spread(t, hamttest.Load(t, m, root), 300, 1)
		began := time.Now()
		if _, _, err := txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took, loads := time.Since(began), len(m.TakeLoads()); took != hamttest.Delay || loads < 20 {
			t.Errorf("%d loads took %v", loads, took)
		}
	})
}

// TestCommitAheadGivesTheSame edits random maps in every way, from stores whose
// loads end in any order: root and blocks are those of one load after another.
func TestCommitAheadGivesTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	for range 12 {
		p := params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3 + random.IntN(6), BucketSize: 1 + random.IntN(3)}
		content := hamttest.Numbered(500 + random.IntN(8000))
		after := maps.Clone(content)
		for key := range content {
			switch random.IntN(4) {
			case 0:
				delete(after, key)
			case 1:
				after[key] = datamodel.Null
				after[key+" too"] = datamodel.Null
			}
		}
		s, root := hamttest.Stored(t, p, content)
		var want []string
		for _, ahead := range []int{1, 2, 3, 64} {
			t.Run(fmt.Sprint(p, len(content), ahead), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := mirror(s)
					m.Delay = func(link datamodel.Link) time.Duration {
						return hamttest.Delay * time.Duration(1+link.Binary()[10]) / 256
					}
					base := hamttest.Load(t, m, root, hamt.WithReadAhead(ahead))
					txn := hamttest.Must(builder.NewTxn(base))
					for key, value := range after {
						if content[key] != value {
							if err := txn.SetString(key, value); err != nil {
								t.Fatal(err)
							}
						}
					}
					var gone [][]byte
					for key := range content {
						if after[key] == nil {
							gone = append(gone, []byte(key))
						}
					}
					base.Prefetch(t.Context(), gone)
					for _, key := range gone {
						hamttest.Must(txn.Delete(t.Context(), key))
					}
					next, link, err := txn.Commit(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if fresh := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: hamttest.NewStore().LinkSystem()}, after)); link != fresh {
						t.Errorf("root %s, want %s", link, fresh)
					}
					if count, known := next.KnownCount(); known && count != int64(len(after)) {
						t.Errorf("%d entries are known, want %d", count, len(after))
					}
					writes := m.TakeWrites()
					slices.Sort(writes)
					if want == nil {
						want = writes
					} else if !slices.Equal(writes, want) {
						t.Errorf("%d blocks are written, want %d, the same", len(writes), len(want))
					}
					if m.Most() > int64(ahead) {
						t.Errorf("%d loads were under way at the same time", m.Most())
					}
				})
			})
		}
	}
}

// TestCommitFromFastStore: a store that answers at once is asked by the one
// goroutine that merges, and one that turns fast is again, in deep trees and
// where all is planned from the root.
func TestCommitFromFastStore(t *testing.T) {
	for _, p := range []params.Params{hamttest.ManyLevels(), {HashAlg: multicodec.Sha2_256, BitWidth: 10, BucketSize: 1}} {
		s, root := hamttest.Stored(t, p, hamttest.Numbered(3000))
		for name, slow := range map[string]int64{"fast": 0, "turns fast": 5} {
			t.Run(fmt.Sprint(p, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := mirror(s)
					var loads, goroutines atomic.Int64
					m.Delay = func(datamodel.Link) time.Duration {
						switch n := loads.Add(1); {
						case n <= slow:
							return time.Millisecond
						case n > 200:
							goroutines.Store(max(goroutines.Load(), int64(runtime.NumGoroutine())))
						}
						return 0
					}
					txn := spread(t, hamttest.Load(t, m, root), 3000, 3)
					before := int64(runtime.NumGoroutine())
					if _, _, err := txn.Commit(t.Context()); err != nil {
						t.Fatal(err)
					}
					if loads.Load() < 400 || goroutines.Load() > before+1 {
						t.Errorf("%d loads; there were %d goroutines, and then %d", loads.Load(), before, goroutines.Load())
					}
					if slow == 0 && m.Most() != 1 {
						t.Errorf("%d loads at the same time", m.Most())
					}
				})
			})
		}
	}
}

// TestCommitFromFlappingStore: a store is slow and fast in turns, so the parts go
// to and fro between loading by themselves and having it done. There are never
// more loads under way than allowed, and it comes to an end.
func TestCommitFromFlappingStore(t *testing.T) {
	const n = 20_000
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(n))
	for name, slow := range map[string]func(n int64, link datamodel.Link) bool{
		"turns of 20":  func(n int64, _ datamodel.Link) bool { return n/20%2 == 0 },
		"turns of 300": func(n int64, _ datamodel.Link) bool { return n/300%2 == 0 },
		"one of 8":     func(_ int64, link datamodel.Link) bool { return link.Binary()[11]%8 == 0 },
		"one of 16":    func(_ int64, link datamodel.Link) bool { return link.Binary()[11]%16 == 0 },
	} {
		for _, ahead := range []int{2, 3, 16} {
			t.Run(fmt.Sprint(name, ahead), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
				synctest.Test(t, func(t *testing.T) {
					m := mirror(s)
					var loads atomic.Int64
					m.Delay = func(link datamodel.Link) time.Duration {
						if slow(loads.Add(1), link) {
							return time.Millisecond * time.Duration(1+link.Binary()[10]%4)
						}
						return time.Microsecond
					}
					txn := spread(t, hamttest.Load(t, m, root, hamt.WithReadAhead(ahead)), n, 3)
					if _, _, err := txn.Commit(t.Context()); err != nil {
						t.Fatal(err)
					}
					if m.Most() > int64(ahead) {
						t.Errorf("%d loads were under way at the same time", m.Most())
					}
				})
			})
		}
	}
}

// TestIdlePartReservesNoRequest: a part that loads nothing reserves
// no request that the others may have.
func TestIdlePartReservesNoRequest(t *testing.T) {
	const takes = 20 * time.Millisecond
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	high := hamttest.Numbered(20_000)
	maps.DeleteFunc(high, func(key string, _ datamodel.Node) bool { return hamttest.PathOf(key, 1)[0] < 6 })
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), high) // of which the first part has nothing
	synctest.Test(t, func(t *testing.T) {
		m := slowed(mirror(s), takes)
		txn := spread(t, hamttest.Load(t, m, root, hamt.WithReadAhead(2)), 20_000, 4)
		m.TakeLoads()
		began := time.Now()
		if _, _, err := txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		took, loads := time.Since(began), len(m.TakeLoads())
		if best := time.Duration(loads) * takes / 2; took > best+4*takes || loads < 500 {
			t.Errorf("%d loads took %v, at best %v", loads, took, best)
		}
	})
}

// TestCancelledCommit: a context that is done ends a commit at once, however
// long the store would take; nothing is under way then, and nothing is written.
// The transaction can be committed again.
func TestCancelledCommit(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(20_000))
	for _, step := range []int{50, 3} { // one part, and several
		for _, after := range []time.Duration{0, hamttest.Delay / 2, 2*hamttest.Delay + hamttest.Delay/8} {
			t.Run(fmt.Sprint(step, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const stubborn = hamttest.Delay / 5 // whatever the context says, and some of them half of it
					m := slowed(mirror(s), hamttest.Delay)
					txn := spread(t, hamttest.Load(t, m, root, hamt.WithReadAhead(16)), 20_000, step)
					var begun, inFlight atomic.Int64
					honest := m.OnRead
					m.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
						inFlight.Add(1)
						defer inFlight.Add(-1)
						time.Sleep(stubborn / time.Duration(1+link.Binary()[10]%2))
						return honest(link, raw)
					}
					m.Delay = func(datamodel.Link) time.Duration {
						if begun.Add(1) > 40 {
							return time.Hour
						}
						return hamttest.Delay
					}
					ctx, cancel := context.WithTimeout(t.Context(), after)
					defer cancel()
					began := time.Now()
					next, _, err := txn.Commit(ctx)
					if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*fault.Error)) || next != nil {
						t.Errorf("error %v", err)
					}
					if took := time.Since(began); took > after+stubborn || inFlight.Load() > 0 {
						t.Errorf("it took %v, and %d loads are under way after the end", took, inFlight.Load())
					}
					at := begun.Load()
					m.Delay = nil
					time.Sleep(2 * time.Hour)
					if begun.Load() != at || len(m.TakeWrites()) > 0 {
						t.Error("something goes on, or was written")
					}
					if _, _, err := txn.Commit(t.Context()); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// TestFailedLoadEndsCommit: when one load fails the commit does at once, and
// says where, though the others would take an hour and some come first.
func TestFailedLoadEndsCommit(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(20_000))
	for _, step := range []int{50, 3} {
		for _, level := range []int{1, 2, 3} {
			t.Run(fmt.Sprint(step, level), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := slowed(mirror(s), hamttest.Delay)
					txn := spread(t, hamttest.Load(t, m, root), 20_000, step)
					// The key is of the first part, and not the first of it.
					key, path := "", fault.Path(nil)
					for i := 0; key == "" || path[0] != 1; i += step {
						key = fmt.Sprint("key-", i)
						path = hamttest.PathOf(key, level)
					}
					bad := hamttest.LinkAt(t, s, root, path)
					above := map[datamodel.Link]bool{}
					for up := 1; up < level; up++ {
						above[hamttest.LinkAt(t, s, root, path[:up])] = true
					}
					m.Delay = func(link datamodel.Link) time.Duration {
						if link == bad || above[link] {
							return hamttest.Delay
						}
						return time.Hour
					}
					honest := m.OnRead
					m.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
						if link == bad {
							return nil, hamttest.ErrStore
						}
						return honest(link, raw)
					}
					began := time.Now()
					next, _, err := txn.Commit(t.Context())
					hamttest.ExpectFaultAt(t, err, fault.ErrMissing, bad, path)
					if !errors.Is(err, hamttest.ErrStore) || next != nil || len(m.TakeWrites()) > 0 {
						t.Errorf("error %v, and there is a Node or a block", err)
					}
					if took := time.Since(began); took > time.Duration(level)*hamttest.Delay {
						t.Errorf("it took %v", took)
					}
				})
			})
		}
	}
}

// TestFailedLoadEndsOtherParts: the one load of another part's own ends as well,
// though it would take an hour.
func TestFailedLoadEndsOtherParts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(20_000))
	bad := hamttest.LinkAt(t, s, root, fault.Path{4}) // the first of the second part
	synctest.Test(t, func(t *testing.T) {
		m := mirror(s)
		txn := spread(t, hamttest.Load(t, m, root), 20_000, 3)
		m.Delay = func(link datamodel.Link) time.Duration {
			if link == bad {
				return hamttest.Delay
			}
			return time.Hour
		}
		m.OnRead = func(datamodel.Link, []byte) ([]byte, error) { return nil, hamttest.ErrStore }
		began := time.Now()
		_, _, err := txn.Commit(t.Context())
		hamttest.ExpectFaultAt(t, err, fault.ErrMissing, bad, fault.Path{4})
		if took := time.Since(began); took != hamttest.Delay {
			t.Errorf("it took %v", took)
		}
	})
}

// large is a map of n entries of so many bytes each.
func large(n, bytes int) hamttest.Model {
	content := hamttest.Model{}
	for i := range n {
		content[fmt.Sprint("key-", i)] = basicnode.NewBytes(make([]byte, bytes))
	}
	return content
}

// TestCommitHoldsLittle lets the first node that is needed take an hour: what is
// loaded meanwhile is bounded in bytes, and the rest comes afterwards, as fast
// as ever.
func TestCommitHoldsLittle(t *testing.T) {
	const bound, ahead, n, size = 32 << 20, 8, 4000, 20_000
	p := params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}
	s, root := hamttest.Stored(t, p, large(n, size))
	first := hamttest.LinkAt(t, s, root, fault.Path{0})
	synctest.Test(t, func(t *testing.T) {
		m := mirror(s)
		var bytes, loads, largest atomic.Int64
		m.Delay = func(link datamodel.Link) time.Duration {
			length := int64(len(s.Block(link)))
			bytes.Add(length)
			largest.Store(max(largest.Load(), length))
			loads.Add(1)
			if link == first {
				return time.Hour
			}
			return hamttest.Delay
		}
		txn := spread(t, hamttest.Load(t, m, root, hamt.WithReadAhead(ahead), hamt.WithCacheBytes(0)), n, 1)
		done := make(chan error)
		began := time.Now()
		go func() {
			_, _, err := txn.Commit(t.Context())
			done <- err
		}()
		time.Sleep(time.Hour / 2)
		if held := bytes.Load(); held > bound+ahead*largest.Load() || held < bound/4 {
			t.Errorf("%d KiB are loaded ahead", held>>10)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		best := time.Duration(loads.Load()) * hamttest.Delay / ahead
		if took := time.Since(began) - time.Hour; took > best+best/4 {
			t.Errorf("after the hour it took %v more for %d loads; at best %v", took, loads.Load(), best)
		}
	})
}

// TestCommitLetsGo: a commit does not keep the nodes that it has passed.
func TestCommitLetsGo(t *testing.T) {
	const n, size = 6000, 20_000
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}, large(n, size))
	synctest.Test(t, func(t *testing.T) {
		m := slowed(mirror(s), hamttest.Delay)
		txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, m, root, hamt.WithReadAhead(8), hamt.WithCacheBytes(0))))
		for key := range large(n, 0) {
			if err := txn.SetString(key, datamodel.Null); err != nil {
				t.Fatal(err)
			}
		}
		before, after := hamttest.Heap(), int64(0)
		var loads atomic.Int64
		all, honest := int64(s.Len()-1), m.OnRead
		m.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
			if loads.Add(1) == all-8 {
				after = hamttest.Heap()
			}
			return honest(link, raw)
		}
		if _, _, err := txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held := after - before; after == 0 || held > n*size/4 {
			t.Errorf("%d loads, and %d KiB are held near the end", loads.Load(), held>>10)
		}
	})
}

// TestLargeInnerNodesLeaveRoom: where the nodes near the root alone would fill
// the memory, there is room for those below them, that come first.
func TestLargeInnerNodesLeaveRoom(t *testing.T) {
	const ahead, takes = 64, 20 * time.Millisecond
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	blob := func(key string) []byte { // a bucket that makes its node large
		value := make([]byte, 900_000)
		head := append([]byte{0x81, 0x82, 0x40 | byte(len(key))}, key...)
		return append(append(head, 0x5a, 0, byte(len(value)>>16), byte(len(value)>>8), byte(len(value)&0xff)), value...)
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	order := func(s string) []byte { b := []byte(s); slices.Sort(b); return b }
	var keys []string
	var indexes []byte
	var links [][]byte
	for _, first := range order(letters)[:40] {
		var inner [][]byte
		for _, second := range order(letters)[:15] {
			var buckets [][]byte
			for _, third := range order(letters)[:4] {
				key := string([]byte{first, second, third})
				buckets = append(buckets, h.Bucket(key, 1))
				keys = append(keys, key)
			}
			inner = append(inner, h.Link(h.Put(h.Node(string(order(letters)[:4]), buckets...))))
		}
		last := order(letters)[15]
		inner = append(inner, blob(string([]byte{first, last, 'x'})))
		raw := append([]byte("\x82\x58\x20"), bitmapOf(append(slices.Clone(order(letters)[:15]), last))...)
		raw = append(append(raw, 0x90), slices.Concat(inner...)...)
		indexes = append(indexes, first)
		links = append(links, h.Link(h.Put(raw)))
	}
	raw := append([]byte("\xa3\x64hamt\x82\x58\x20"), bitmapOf(indexes)...)
	raw = append(append(raw, 0x98, byte(len(links))), slices.Concat(links...)...)
	root := h.Put(append(raw, "\x67hashAlg\x00\x6abucketSize\x03"...))
	synctest.Test(t, func(t *testing.T) {
		m := slowed(mirror(h.Store), takes)
		txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, m, root, hamt.WithReadAhead(ahead), hamt.WithCacheBytes(0))))
		for _, key := range keys {
			if err := txn.SetString(key, datamodel.Null); err != nil {
				t.Fatal(err)
			}
		}
		m.TakeLoads()
		began := time.Now()
		if _, _, err := txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		took, loads := time.Since(began), len(m.TakeLoads())
		if sequential := time.Duration(loads) * takes; loads != 40+40*15 || took > sequential/16 {
			t.Errorf("%d loads took %v", loads, took)
		}
	})
}

// bitmapOf is that of bit width 8 with some indexes.
func bitmapOf(indexes []byte) []byte {
	bitmap := make([]byte, 32)
	for _, index := range indexes {
		bitmap[index/8] |= 1 << (index % 8)
	}
	return bitmap
}

// TestPrefetch: after it lookups find all they need in memory; it takes the
// time of loading one node after another, divided by how many may be under way.
func TestPrefetch(t *testing.T) {
	const n, takes = 30_000, 50 * time.Millisecond
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}, hamttest.Numbered(n))
	for _, ahead := range []int{2, 64} {
		synctest.Test(t, func(t *testing.T) {
			m := slowed(mirror(s), takes)
			base := hamttest.Load(t, m, root, hamt.WithReadAhead(ahead))
			txn := hamttest.Must(builder.NewTxn(base))
			var keys [][]byte
			for i := range 1000 {
				keys = append(keys, fmt.Append(nil, "key-", 31*i)) // the last are not there
			}
			m.TakeLoads()
			began := time.Now()
			base.Prefetch(t.Context(), keys)
			took, loads := time.Since(began), m.TakeLoads()
			if best := time.Duration(len(loads)) * takes / time.Duration(ahead); took > best+4*takes || len(loads) < 600 {
				t.Errorf("%d ahead: %d loads took %v, at best %v", ahead, len(loads), took, best)
			}
			if m.Most() > int64(ahead) {
				t.Errorf("%d ahead: %d loads at the same time", ahead, m.Most())
			}
			for i, key := range keys {
				if existed, err := txn.Delete(t.Context(), key); err != nil || existed != (31*i < n) {
					t.Fatalf("%s: %v, %v", key, existed, err)
				}
				if did, err := txn.SetIfAbsent(t.Context(), key, datamodel.Null); err != nil || !did {
					t.Fatalf("%s: %v, %v", key, did, err)
				}
			}
			if _, _, err := txn.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if loads := m.TakeLoads(); len(loads) > 0 {
				t.Errorf("%d ahead: %d nodes were loaded again", ahead, len(loads))
			}
		})
	}
}

// TestPrefetchIsNoMore: where it could not help it loads nothing, and what
// cannot be loaded is for the lookup to say.
func TestPrefetchIsNoMore(t *testing.T) {
	keys := func() (keys [][]byte) {
		for i := range 200 {
			keys = append(keys, fmt.Append(nil, "key-", i))
		}
		return keys
	}
	b := hamttest.NewBrokenTree(t)
	for name, c := range map[string]struct {
		takes   time.Duration
		options []hamt.Option
		most    int // loads
	}{
		"fast store":    {0, nil, 4}, // the path to one key
		"no cache":      {hamttest.Delay, []hamt.Option{hamt.WithCacheBytes(0)}, 0},
		"no read-ahead": {hamttest.Delay, []hamt.Option{hamt.WithReadAhead(1)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := slowed(mirror(b.Store), c.takes)
				n := hamttest.Load(t, m, b.Root, c.options...)
				m.TakeLoads()
				n.Prefetch(t.Context(), keys())
				n.Prefetch(t.Context(), nil)
				if loads := m.TakeLoads(); len(loads) > c.most {
					t.Errorf("%d loads", len(loads))
				}
			})
		})
	}
	t.Run("missing block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b.Store.Remove(b.Link)
			n := hamttest.Load(t, slowed(mirror(b.Store), hamttest.Delay), b.Root)
			n.Prefetch(t.Context(), append(keys(), []byte(b.Key)))
			_, err := hamttest.Must(builder.NewTxn(n)).DeleteString(t.Context(), b.Key)
			hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := slowed(mirror(b.Store), hamttest.Delay)
			n := hamttest.Load(t, m, b.Root)
			m.Delay = func(datamodel.Link) time.Duration { return time.Hour }
			ctx, cancel := context.WithTimeout(t.Context(), hamttest.Delay)
			defer cancel()
			began := time.Now()
			n.Prefetch(ctx, keys())
			if took := time.Since(began); took != hamttest.Delay {
				t.Errorf("it took %v", took)
			}
		})
	})
}
