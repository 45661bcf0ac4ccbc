package adl_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestCacheIsBounded: reading more than fits stays within the bound, and the
// cache says what it did.
func TestCacheIsBounded(t *testing.T) {
	s, root := slowMap(t, false)
	s.Delay = nil
	for _, limit := range []int64{0, 20_000, 60_000, 1 << 20} {
		n := hamttest.Load(t, s, root, hamt.WithCacheBytes(limit))
		s.TakeLoads()
		loads := 0
		for round := range 3 {
			held := n.CacheStats().Nodes
			for key := range hamttest.Numbered(1000) {
				if _, err := n.LookupByString(key); err != nil {
					t.Fatal(err)
				}
				if stats := n.CacheStats(); stats.Bytes > limit {
					t.Fatalf("%d bytes, and the limit is %d", stats.Bytes, limit)
				}
			}
			// Every block is needed, so what is not held is loaded: nobody else
			// keeps what the cache has let go.
			took := len(s.TakeLoads())
			if need := s.Len() - 1 - int(held); took < need {
				t.Errorf("limit %d, round %d: %d blocks were held, and only %d loaded of the other %d", limit, round, held, took, need)
			}
			loads += took
		}
		stats := n.CacheStats()
		switch {
		case int64(loads) != stats.Misses:
			t.Errorf("limit %d: %d loads, %d misses", limit, loads, stats.Misses)
		case limit == 0 && (stats.Nodes != 0 || stats.Bytes != 0 || stats.Hits != 0):
			t.Errorf("no cache: %+v", stats)
		case limit == 1<<20 && (loads != s.Len()-1 || stats.Nodes != int64(s.Len()-1)):
			t.Errorf("room for all: %d loads for %d blocks, %+v", loads, s.Len(), stats)
		case limit > 0 && (stats.Hits == 0 || stats.Nodes == 0):
			t.Errorf("limit %d: %+v", limit, stats)
		}
	}
}

// TestWalkKeepsWhatLookupsUse: a walk over the whole map fills what is free in
// the cache, and pushes out nothing.
func TestWalkKeepsWhatLookupsUse(t *testing.T) {
	// So large that the cache, which is in parts, has room in each for what is
	// looked up.
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 4, BucketSize: 2}, hamttest.Numbered(8000))
	all := hamttest.Load(t, s, root)
	keys := keysOf(t, all)
	for _, key := range keys {
		if _, err := all.LookupByString(key); err != nil {
			t.Fatal(err)
		}
	}
	s.Delay = func(datamodel.Link) time.Duration { return 10 * time.Microsecond } // else walks keep nothing
	n := hamttest.Load(t, s, root, hamt.WithCacheBytes(all.CacheStats().Bytes/2))
	look := func() {
		for i := 0; i < len(keys); i += len(keys) / 12 {
			if _, err := n.LookupByString(keys[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	look()
	for range 3 { // what was used once would not outlive more than one
		keysOf(t, n)
	}
	if stats := n.CacheStats(); 10*stats.Bytes < 9*all.CacheStats().Bytes/2 {
		t.Errorf("the walks left the cache as empty as %+v", stats)
	}
	s.TakeLoads()
	look()
	if loads := s.TakeLoads(); len(loads) > 0 {
		t.Errorf("%d blocks had to be loaded again", len(loads))
	}
}

// TestWhatWalksKeep: one that reads ahead keeps what there is room for, unless
// the store is in memory; a serial one keeps nothing, however long loads take.
func TestWhatWalksKeep(t *testing.T) {
	s, root := slowMap(t, false)
	for _, delay := range []time.Duration{0, 50 * time.Microsecond, hamttest.Delay} {
		for _, ahead := range []int{1, 64} {
			synctest.Test(t, func(t *testing.T) {
				s.Delay = func(datamodel.Link) time.Duration { return delay }
				n := hamttest.Load(t, s, root, hamt.WithReadAhead(ahead))
				keysOf(t, n)
				want := 0
				if ahead > 1 && delay > 0 {
					want = s.Len() - 1
				}
				if stats := n.CacheStats(); stats.Nodes != int64(want) {
					t.Errorf("%d ahead, %v a load: the walk left %+v, want %d nodes", ahead, delay, stats, want)
				}
			})
		}
	}
}

// TestOldVersionsAreNotHeld makes many versions of a map with a wide root, and
// drops them: what the cache keeps must not keep them alive.
func TestOldVersionsAreNotHeld(t *testing.T) {
	const versions = 1000
	p := params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 12, BucketSize: 1}
	s, root := hamttest.Stored(t, p, hamttest.Numbered(12_000))
	lsys := s.LinkSystem()
	lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		return io.Discard, func(datamodel.Link) error { return nil }, nil
	}
	const limit = 8 << 20
	first, err := hamt.Load(t.Context(), lsys, root, hamt.WithCacheBytes(limit))
	if err != nil {
		t.Fatal(err)
	}
	before := hamttest.Heap()
	for i := range versions {
		txn := hamttest.Must(builder.NewTxn(first))
		if err := txn.SetString("another", basicnode.NewInt(int64(i))); err != nil {
			t.Fatal(err)
		}
		next, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := next.LookupByString(fmt.Sprint("key-", i)); err != nil {
			t.Fatal(err)
		}
	}
	held := hamttest.Heap() - before
	if held > 2*limit {
		t.Errorf("%d MiB are held, with a cache of %d", held>>20, limit>>20)
	}
	runtime.KeepAlive(first)
}
