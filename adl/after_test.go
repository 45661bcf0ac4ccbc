package adl_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// entryKeys returns the keys of entries.
func entryKeys(t *testing.T, entries iter.Seq2[adl.Entry, error]) (keys []string) {
	t.Helper()
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.KeyString())
	}
	return keys
}

// TestEntriesAfter: after each of its keys, a map has what a walk over all of it comes to
// after that. After a key that it has not, it has what has a greater hash, but for the
// order of entries in one bucket.
func TestEntriesAfter(t *testing.T) {
	for _, p := range []params.Params{
		hamttest.ManyLevels(),
		params.Default(),
		{HashAlg: multicodec.Sha2_256, BitWidth: 4, BucketSize: 20},
		{HashAlg: multicodec.Murmur3X64_64, BitWidth: 5, BucketSize: 2},
		{HashAlg: multicodec.Identity, BitWidth: 8, BucketSize: 3},
		params.Filecoin(),
	} {
		for _, n := range []int{0, 1, 5, 200} {
			t.Run(fmt.Sprint(p, n), func(t *testing.T) {
				s, root := hamttest.Stored(t, p, hamttest.Numbered(n))
				m := hamttest.Load(t, s, root, adl.WithParams(p))
				keys := entryKeys(t, m.Entries(t.Context()))
				for i, key := range keys {
					if got := entryKeys(t, m.EntriesAfter(t.Context(), []byte(key))); !slices.Equal(got, keys[i+1:]) {
						t.Fatalf("after %s: %q, want %q", key, got, keys[i+1:])
					}
				}
				for i := range 200 {
					key := fmt.Sprint("absent-", i)
					got := entryKeys(t, m.EntriesAfter(t.Context(), []byte(key)))
					if !slices.Equal(got, keys[len(keys)-len(got):]) {
						t.Fatalf("after %s: %q, which is no end of %q", key, got, keys)
					}
					if p.HashAlg != multicodec.Sha2_256 {
						continue
					}
					digest, greater := sha256.Sum256([]byte(key)), 0
					for _, k := range keys {
						if d := sha256.Sum256([]byte(k)); bytes.Compare(d[:], digest[:]) > 0 {
							greater++
						}
					}
					if off := len(got) - greater; off > p.BucketSize || -off > p.BucketSize {
						t.Errorf("after %s: %d keys, and %d have a greater hash", key, len(got), greater)
					}
				}
			})
		}
	}
}

// TestEntriesAfterDeleted: a walk goes on after a key that was deleted, where it would
// have gone on.
func TestEntriesAfterDeleted(t *testing.T) {
	large := params.PyHAMT() // in its buckets, shorter keys come first
	large.BucketSize = 40
	for p, n := range map[params.Params]int{
		params.Default(): 60,
		{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 20}: 60,
		large: 1200,
	} {
		const deleted = 60
		load := func(content hamttest.Model) *adl.Node {
			s, root := hamttest.Stored(t, p, content)
			return hamttest.Load(t, s, root, adl.WithParams(p))
		}
		content := hamttest.Numbered(n)
		keys, compared := entryKeys(t, load(content).Entries(t.Context())), 0
		for i := 0; i < n; i += n / deleted {
			content := maps.Clone(content)
			delete(content, keys[i])
			m := load(content)
			if !slices.Equal(entryKeys(t, m.Entries(t.Context())), slices.Delete(slices.Clone(keys), i, i+1)) {
				continue // a node became a bucket, whose order is another
			}
			compared++
			if got := entryKeys(t, m.EntriesAfter(t.Context(), []byte(keys[i]))); !slices.Equal(got, keys[i+1:]) {
				t.Fatalf("%s, after %s: %d keys, want the last %d", p, keys[i], len(got), n-i-1)
			}
		}
		if compared < deleted/2 {
			t.Errorf("%s: only %d compared", p, compared)
		}
	}
}

// TestEntriesFrom: from any hash on, a map has what a walk over all of it comes to from
// there on. What has a greater hash is never left out.
func TestEntriesFrom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range []params.Params{
		hamttest.ManyLevels(),
		{HashAlg: multicodec.Sha2_256, BitWidth: 4, BucketSize: 20},
	} {
		s, root := hamttest.Stored(t, p, hamttest.Numbered(400))
		m := hamttest.Load(t, s, root)
		keys := entryKeys(t, m.Entries(t.Context()))
		for range 500 {
			var hash [sha256.Size]byte
			for i := range hash {
				hash[i] = byte(random.Uint32())
			}
			got := entryKeys(t, m.EntriesFrom(t.Context(), hash[:]))
			if !slices.Equal(got, keys[len(keys)-len(got):]) {
				t.Fatalf("from %x: %q, which is no end of %q", hash, got, keys)
			}
			greater := 0
			for _, k := range keys {
				if d := sha256.Sum256([]byte(k)); bytes.Compare(d[:], hash[:]) > 0 {
					greater++
				}
			}
			if more := len(got) - greater; more < 0 || more > p.BucketSize {
				t.Errorf("from %x: %d keys, and %d have a greater hash", hash, len(got), greater)
			}
		}
		for _, hash := range [][]byte{nil, {}, {0}, make([]byte, 100)} {
			if got := entryKeys(t, m.EntriesFrom(t.Context(), hash)); !slices.Equal(got, keys) {
				t.Errorf("from %x: %d keys", hash, len(got))
			}
		}
		if got := entryKeys(t, m.EntriesFrom(t.Context(), bytes.Repeat([]byte{0xff}, 32))); len(got) > p.BucketSize {
			t.Errorf("from the last hash: %d keys", len(got))
		}
	}
}

// TestEntriesAfterLoads: what comes before is not loaded, whether the store is slow or
// not, and what is loaded ahead is all used.
func TestEntriesAfterLoads(t *testing.T) {
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 4, BucketSize: 2}, hamttest.Numbered(5000))
	for name, delay := range map[string]time.Duration{"fast": 0, "slow": 2 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			slow := hamttest.NewStore()
			slow.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) { return s.Block(link), nil }
			slow.Delay = func(datamodel.Link) time.Duration { return delay }
			load := func() *adl.Node { return hamttest.Load(t, slow, root, adl.WithCacheBytes(0), adl.WithReadAhead(8)) }
			keys := entryKeys(t, load().Entries(t.Context()))
			all := slow.TakeLoads()
			m := load()
			slow.TakeLoads()
			if got := entryKeys(t, m.EntriesAfter(t.Context(), []byte(keys[len(keys)*9/10]))); len(got) != len(keys)-len(keys)*9/10-1 {
				t.Errorf("%d keys", len(got))
			}
			if loads := slow.TakeLoads(); len(loads) > len(all)/8 {
				t.Errorf("for the last tenth, %d of %d blocks were loaded", len(loads), len(all))
			}
			n := 0
			for _, err := range m.EntriesAfter(t.Context(), []byte(keys[10])) {
				if n++; err != nil || n == 2 {
					break
				}
			}
			if loads := slow.TakeLoads(); len(loads) > 30 {
				t.Errorf("for two keys, %d blocks were loaded", len(loads))
			}
		})
	}
}

// TestEntriesAfterMissing: a block that is missing on the way is an error, and so is a
// context that is done.
func TestEntriesAfterMissing(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	m := hamttest.Load(t, b.Store, b.Root)
	met := 0
	for i := range 1000 {
		for _, err := range m.EntriesAfter(t.Context(), fmt.Append(nil, "key-", i)) {
			if err != nil {
				hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
				met++
			}
		}
	}
	if met == 0 {
		t.Error("nobody missed the block")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(1))
	one := hamttest.Load(t, s, root)
	for _, entries := range []iter.Seq2[adl.Entry, error]{one.EntriesAfter(ctx, nil), one.EntriesFrom(ctx, nil)} {
		met = 0
		for _, err := range entries {
			if met++; !errors.Is(err, ctx.Err()) {
				t.Errorf("%v", err)
			}
		}
		if met != 1 {
			t.Errorf("%d times", met)
		}
	}
}
