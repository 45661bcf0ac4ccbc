package adl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/codec"
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

// parseTime is what parsing a block takes in these tests: they are of blocks in
// DAG-JSON, with a decoder that sleeps in the pretended time of a bubble.
const parseTime = 100 * time.Microsecond

// toParse is a map of some hundred blocks that take their time to parse, in a
// store that is fast.
type toParse struct {
	store        *hamttest.Store
	root         datamodel.Link
	lsys         *linking.LinkSystem
	parsing      atomic.Int64 // blocks at the moment
	most         atomic.Int64 // at the same time
	reader       string       // the goroutine that is to read; "" for any
	readerParses bool         // and nobody else
}

func newToParse(t *testing.T) *toParse {
	t.Helper()
	m := &toParse{store: hamttest.NewStore()}
	m.lsys = m.store.LinkSystem()
	m.root = hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{
		Params:        params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 1},
		LinkSystem:    m.lsys,
		LinkPrototype: hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, 32),
	}, hamttest.Numbered(1000)))
	choose := m.lsys.DecoderChooser
	m.lsys.DecoderChooser = func(link datamodel.Link) (codec.Decoder, error) {
		decode, err := choose(link)
		return func(na datamodel.NodeAssembler, r io.Reader) error {
			if m.readerParses && goroutine() != m.reader {
				t.Errorf("%s parses, not %s", goroutine(), m.reader)
			}
			for n := m.parsing.Add(1); ; {
				most := m.most.Load()
				if n <= most || m.most.CompareAndSwap(most, n) {
					break
				}
			}
			defer m.parsing.Add(-1)
			time.Sleep(parseTime)
			return decode(na, r)
		}, err
	}
	m.store.OnRead = func(link datamodel.Link, block []byte) ([]byte, error) {
		if m.reader != "" && goroutine() != m.reader {
			t.Errorf("%s reads from the store, not %s", goroutine(), m.reader)
		}
		return block, nil
	}
	return m
}

// goroutine names the one that asks.
func goroutine() string {
	stack := make([]byte, 64)
	header, _, _ := strings.Cut(string(stack[:runtime.Stack(stack, false)]), " [")
	return header
}

func (m *toParse) load(t *testing.T, options ...hamt.Option) *adl.Node {
	t.Helper()
	return hamttest.Must(hamt.Load(t.Context(), m.lsys, m.root, options...))
}

// onProcessors runs a test in a bubble, on so many processors, and waits until
// every batch must have ended; synctest says so, where one has not.
func onProcessors(t *testing.T, n int, f func(t *testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	synctest.Test(t, func(t *testing.T) {
		f(t)
		time.Sleep(40 * parseTime)
	})
}

// TestBatches: what comes from a fast store is read by who iterates, block
// after block, and parsed on all processors; the order is that of one block
// after the other.
func TestBatches(t *testing.T) {
	for _, c := range []struct{ processors, ahead, parsers int }{
		{1, 64, 1}, {2, 1, 1}, {2, 64, 2}, {2, 2, 2}, {4, 64, 4}, {16, 64, 4},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			m := newToParse(t)
			onProcessors(t, c.processors, func(t *testing.T) {
				want := keysOf(t, m.load(t, hamt.WithReadAhead(1)))
				m.reader, m.readerParses = goroutine(), c.parsers == 1
				n := m.load(t, hamt.WithReadAhead(c.ahead))
				m.store.TakeLoads()
				m.most.Store(0)
				began := time.Now()
				if !slices.Equal(keysOf(t, n), want) {
					t.Error("another order")
				}
				took, loads := time.Since(began), len(m.store.TakeLoads())
				if loads != m.store.Len()-1 {
					t.Errorf("%d loads of %d blocks", loads, m.store.Len()-1)
				}
				// The walker parses, too, where a few are left over.
				if most := int(m.most.Load()); most < c.parsers || most > c.parsers+c.parsers/2 {
					t.Errorf("%d blocks are parsed at the same time", most)
				}
				sequential := time.Duration(loads) * parseTime
				if c.parsers > 1 && took > sequential*3/2/time.Duration(min(c.parsers, 3)) {
					t.Errorf("it took %v, and %v in sequence", took, sequential)
				}
			})
		})
	}
}

// TestBatchesComeLate: whoever breaks off soon has had no block read that was
// not needed.
func TestBatchesComeLate(t *testing.T) {
	m := newToParse(t)
	onProcessors(t, 4, func(t *testing.T) {
		n := m.load(t)
		m.store.TakeLoads()
		for range n.Entries(t.Context()) {
			break
		}
		synctest.Wait()
		if loads := m.store.TakeLoads(); len(loads) > 2 {
			t.Errorf("%d blocks were loaded for one entry", len(loads))
		}
	})
}

// TestBatchesEnd: an iterator that is dropped, or an iteration that is broken
// off, leaves no goroutine and reads nothing more.
func TestBatchesEnd(t *testing.T) {
	for name, iterate := range map[string]func(n *adl.Node, until func() bool){
		"range": func(n *adl.Node, until func() bool) {
			for range n.Entries(n.Context()) {
				if until() {
					break
				}
			}
		},
		"MapIterator": func(n *adl.Node, until func() bool) {
			for it := n.MapIterator(); !it.Done() && !until(); {
				_, _, _ = it.Next()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newToParse(t)
			onProcessors(t, 4, func(t *testing.T) {
				left := false
				n, seen := m.load(t, hamt.WithReadAhead(64)), 0
				iterate(n, func() bool {
					seen++
					left = seen > 100 && m.parsing.Load() > 0
					return left
				})
				if !left {
					t.Error("nothing was under way, so this says nothing")
				}
				m.store.TakeLoads()
				time.Sleep(40 * parseTime) // longer than any batch
				synctest.Wait()
				if parsing, loads := m.parsing.Load(), m.store.TakeLoads(); parsing > 0 || len(loads) > 0 {
					t.Errorf("%d blocks are being parsed, %d were loaded", parsing, len(loads))
				}
			})
		})
	}
}

// TestCancelledBatch cancels while a batch is read, and while one is parsed:
// no block is read after that, and the context is what the iteration says.
func TestCancelledBatch(t *testing.T) {
	for name, at := range map[string]int{"first": 17, "within": 30, "second": 50, "later": 150} {
		t.Run(name, func(t *testing.T) {
			m := newToParse(t)
			onProcessors(t, 2, func(t *testing.T) {
				n := m.load(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				reads := 0
				m.store.OnRead = func(_ datamodel.Link, block []byte) ([]byte, error) {
					if reads++; reads == at {
						cancel()
					}
					return block, nil
				}
				var err error
				for _, err = range n.Entries(ctx) {
				}
				hamttest.ExpectCancelled(t, err)
				if reads != at {
					t.Errorf("%d blocks were read after the end", reads-at)
				}
			})
		})
	}
}

// TestFaultsInBatches: blocks that cannot be had, or parsed, in the middle of
// batches are reported where they stand, and the walk goes on behind each.
func TestFaultsInBatches(t *testing.T) {
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 1}, hamttest.Numbered(1000))
	bad := map[datamodel.Link]error{}
	blocks := 0
	for link := range hamttest.Load(t, s, root).Blocks(t.Context()) {
		if blocks++; blocks > 1 && blocks%7 == 0 {
			bad[link] = [...]error{fault.ErrMissing, fault.ErrHashMismatch}[blocks/7%2]
		}
	}
	s.OnRead = func(link datamodel.Link, block []byte) ([]byte, error) {
		switch bad[link] {
		case fault.ErrMissing:
			return nil, hamttest.ErrStore
		case fault.ErrHashMismatch:
			return []byte{}, nil
		}
		return block, nil
	}
	reports := func(n *adl.Node) (all []string) {
		for err := range n.Verify(t.Context()) {
			if f := new(fault.Error); !errors.As(err, &f) || !errors.Is(err, bad[f.Link]) {
				t.Errorf("report %v", err)
			}
			all = append(all, err.Error())
		}
		return all
	}
	onProcessors(t, 4, func(t *testing.T) {
		want := reports(hamttest.Load(t, s, root, hamt.WithReadAhead(1)))
		if len(want) < 20 {
			t.Errorf("%d reports", len(want))
		}
		if got := reports(hamttest.Load(t, s, root)); !slices.Equal(got, want) {
			t.Errorf("reports one block after another:\n%s\nin batches:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	})
}

// TestStoreTurnsSlow: a store that is slow all of a sudden, in the middle of a
// batch, is asked for many blocks at the same time from then on.
func TestStoreTurnsSlow(t *testing.T) {
	m := newToParse(t)
	onProcessors(t, 2, func(t *testing.T) {
		want := keysOf(t, m.load(t, hamt.WithReadAhead(1)))
		n := m.load(t)
		var reads atomic.Int64
		m.store.TakeLoads()
		m.store.Delay = func(datamodel.Link) time.Duration {
			if reads.Add(1) < 20 { // the walker alone reads, so far
				return 0
			}
			return hamttest.Delay
		}
		began := time.Now()
		if !slices.Equal(keysOf(t, n), want) {
			t.Error("another order")
		}
		slow := len(m.store.TakeLoads()) - 20
		if took := time.Since(began); took > time.Duration(slow)*hamttest.Delay/16 {
			t.Errorf("it took %v for %d blocks", took, slow)
		}
		if m.store.Most() < 48 || m.store.Most() > 64 {
			t.Errorf("%d loads at the same time", m.store.Most())
		}
	})
}

// TestBatchesAreShared: what is in a batch is not loaded by another one who
// wants it, and the other way round.
func TestBatchesAreShared(t *testing.T) {
	m := newToParse(t)
	// Fast, but not so fast that what walks have loaded is not worth keeping.
	m.store.Delay = func(datamodel.Link) time.Duration { return 150 * time.Microsecond }
	onProcessors(t, 4, func(t *testing.T) {
		n := m.load(t)
		m.store.TakeLoads()
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() { keysOf(t, n) })
		}
		wait.Go(func() {
			for key := range hamttest.Numbered(1000) {
				if _, err := n.LookupByString(key); err != nil {
					t.Error(err)
				}
			}
		})
		wait.Wait()
		if loads := m.store.TakeLoads(); len(loads) != m.store.Len()-1 {
			t.Errorf("%d loads of %d blocks", len(loads), m.store.Len()-1)
		}
	})
}

// TestFailedReadIsShared: who waits for a block that is read for a batch is
// told why it cannot be had.
func TestFailedReadIsShared(t *testing.T) {
	m := newToParse(t)
	onProcessors(t, 4, func(t *testing.T) {
		key := keysOf(t, m.load(t))[600]
		m.store.TakeLoads()
		hamttest.Must(m.load(t).LookupByString(key))
		path := m.store.TakeLoads()
		leaf := path[len(path)-1]
		n := m.load(t)
		var wait sync.WaitGroup
		reads := 0
		m.store.OnRead = func(link datamodel.Link, block []byte) ([]byte, error) {
			if link.String() != leaf {
				return block, nil
			}
			if reads++; reads > 1 {
				t.Error("it is read again")
			}
			wait.Go(func() {
				if _, err := n.LookupByString(key); !errors.Is(err, hamttest.ErrStore) {
					t.Errorf("error %v", err)
				}
			})
			time.Sleep(10 * parseTime) // once: that makes no slow store
			return nil, hamttest.ErrStore
		}
		for _, err := range n.Entries(t.Context()) {
			if err != nil && !errors.Is(err, hamttest.ErrStore) {
				t.Error(err)
			}
		}
		wait.Wait()
	})
}

// TestBatchOfPanickingStore: a store that panics while a batch is read, and
// somebody who recovers, leave nobody waiting for what was read before.
func TestBatchOfPanickingStore(t *testing.T) {
	m := newToParse(t)
	onProcessors(t, 2, func(t *testing.T) {
		n := m.load(t)
		reads := 0
		m.store.OnRead = func(_ datamodel.Link, block []byte) ([]byte, error) {
			if reads++; reads == 30 {
				panic(hamttest.ErrStore)
			}
			return block, nil
		}
		func() {
			defer func() {
				if got := recover(); got != hamttest.ErrStore {
					t.Errorf("the panic was %v", got)
				}
			}()
			keysOf(t, n)
		}()
		if got := len(keysOf(t, n)); got != 1000 {
			t.Errorf("%d entries", got)
		}
	})
}

// TestBatchesAreBounded: blocks are read ahead as far as a bound of bytes
// allows.
func TestBatchesAreBounded(t *testing.T) {
	const each, bound = 128 << 10, 32 << 20
	content := hamttest.Model{}
	for i := range 500 {
		content[fmt.Sprint("key-", i)] = basicnode.NewBytes(bytes.Repeat([]byte{byte(i)}, each))
	}
	s := hamttest.NewStore()
	root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{
		Params:        params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 6, BucketSize: 1},
		LinkSystem:    s.LinkSystem(),
		MaxBlockBytes: 4 << 20,
	}, content))
	var read, largest int64
	s.OnRead = func(_ datamodel.Link, block []byte) ([]byte, error) {
		read += int64(len(block))
		largest = max(largest, int64(len(block)))
		return block, nil
	}
	onProcessors(t, 2, func(t *testing.T) { // time stands still, so large blocks are no slow store
		n := hamttest.Load(t, s, root)
		var entered, most int64
		for link, err := range n.Blocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			entered += int64(len(s.Block(link)))
			most = max(most, read-entered)
		}
		if most > bound*3/4+2*largest || most < bound/2 {
			t.Errorf("%d MiB were read ahead", most>>20)
		}
	})
}
