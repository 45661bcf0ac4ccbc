package conformance_test

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestEmptyMap: it is a map like any other, and is written when it is
// committed.
func TestEmptyMap(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Model{})
	if s.Len() != 1 {
		t.Errorf("%d blocks", s.Len())
	}
	hamttest.ExpectContent(t, hamttest.Load(t, s, root), hamttest.Model{})
	hamttest.ExpectVerified(t, hamttest.Load(t, s, root))
	other := hamttest.NewStore()
	prototype := builder.Prototype{LinkSystem: other.LinkSystem()}
	_, link, err := hamttest.Must(prototype.NewTxn()).Commit(t.Context())
	if err != nil || link != root || other.Block(link) == nil {
		t.Errorf("root %v by Txn, %v; want %s", link, err, root)
	}
	if link := hamttest.RootOf(t, hamttest.Must(hamttest.ByBulk(t.Context(), prototype, hamttest.Model{}))); link != root {
		t.Errorf("root %v by Bulk, want %s", link, root)
	}
}

// TestOversizedBlocks: a block above the limit is an error that says where it
// would stand, and which keys are to blame.
func TestOversizedBlocks(t *testing.T) {
	const limit = 2000
	// Keys of one node at depth 1: the root has only a link there.
	siblings := hamttest.Model{}
	var at fault.Path
	for i := 0; len(siblings) < 6; i++ {
		key := fmt.Sprint("key-", i)
		path := hamttest.PathOf(key, 1)
		if at == nil {
			at = path
		}
		if slices.Equal(path, at) {
			siblings[key] = basicnode.NewBytes(make([]byte, 250+50*len(siblings)))
		}
	}
	largest := slices.SortedFunc(maps.Keys(siblings), func(a, b string) int {
		return len(hamttest.Must(siblings[b].AsBytes())) - len(hamttest.Must(siblings[a].AsBytes()))
	})[:3]
	deep := params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 5}
	for name, c := range map[string]struct {
		p       params.Params
		content hamttest.Model
		path    fault.Path
		names   []string
	}{
		"root":    {params.Default(), hamttest.Model{"big": basicnode.NewBytes(make([]byte, limit)), "small": datamodel.Null}, nil, []string{`"big"`, "2006 bytes"}},
		"depth 1": {deep, siblings, at, largest},
	} {
		for way, make := range hamttest.Makers {
			t.Run(name+"/"+way, func(t *testing.T) {
				s := hamttest.NewStore()
				_, err := make(t.Context(), builder.Prototype{Params: c.p, LinkSystem: s.LinkSystem(), MaxBlockBytes: limit}, c.content)
				var f *fault.Error
				if !errors.As(err, &f) || !errors.Is(err, fault.ErrTooLarge) {
					t.Fatalf("error %v", err)
				}
				if !slices.Equal(f.Path, c.path) {
					t.Errorf("path %v, want %v", f.Path, c.path)
				}
				last := -1
				for _, name := range c.names { // the largest first
					if at := strings.Index(err.Error(), name); at <= last {
						t.Errorf("%q does not name %s in its place", err, name)
					} else {
						last = at
					}
				}
				if (way == "Txn" || way == "assembler") && s.Len() > 0 {
					t.Errorf("%d blocks were written", s.Len())
				}
			})
		}
	}
}

// TestDefaultBlockLimit: 1 MiB is within it.
func TestDefaultBlockLimit(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Model{"k": basicnode.NewBytes(nil)})
	// Behind the value's own bytes the head of a length above 65535 takes five.
	room := 1<<20 - len(s.Block(root)) - 4
	for extra, want := range []error{nil, fault.ErrTooLarge} {
		s := hamttest.NewStore()
		_, err := hamttest.ByAssembler(t.Context(), builder.Prototype{LinkSystem: s.LinkSystem()}, hamttest.Model{"k": basicnode.NewBytes(make([]byte, room+extra))})
		if !errors.Is(err, want) {
			t.Errorf("%d bytes more than fit: error %v", extra, err)
		}
	}
}

// TestAllWaysAtScale makes maps of so many entries that they are built by
// several goroutines at once, with one core and with two.
func TestAllWaysAtScale(t *testing.T) {
	for _, cores := range []int{1, 2} {
		for _, p := range []params.Params{
			params.Default(), hamttest.ManyLevels(),
			{HashAlg: multicodec.Murmur3X64_64, BitWidth: 5, BucketSize: 2},
			{IdentityHash: true, BitWidth: 4, BucketSize: 3},
			{HashAlg: multicodec.Sha2_256, BitWidth: 16, BucketSize: 1},
		} {
			t.Run(fmt.Sprintf("%d/%v", cores, p), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
				content := hamttest.Model{}
				for i := range 5000 {
					// One length for all; the first digits are all in a few places.
					content[fmt.Sprintf("%08d", i)] = basicnode.NewInt(int64(i))
				}
				s := hamttest.NewStore()
				prototype := builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}
				txn := hamttest.Must(prototype.NewTxn())
				if err := hamttest.SetAll(txn, content); err != nil {
					t.Fatal(err)
				}
				n, want, err := txn.Commit(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, memory := range []int64{1 << 16, 1 << 20, 0} {
					node, err := hamttest.Bulk(t.Context(), prototype, content, builder.BulkOptions{MemoryBytes: memory})
					if err != nil {
						t.Fatal(err)
					}
					if link := hamttest.RootOf(t, node); link != want {
						t.Errorf("root %s by Bulk with %d bytes, want %s", link, memory, want)
					}
				}
				if link := hamttest.RootOf(t, hamttest.Build(t, prototype, content)); link != want {
					t.Errorf("root %s by assembler, want %s", link, want)
				}
				if rebuilt := hamttest.MustFirst(builder.Rebuild(t.Context(), n, prototype, builder.BulkOptions{})); hamttest.RootOf(t, rebuilt) != want {
					t.Error("another root by Rebuild")
				}
				if s.Len() != len(hamttest.Links(t, n)) {
					t.Errorf("%d blocks were written for a tree of %d", s.Len(), len(hamttest.Links(t, n)))
				}
			})
		}
	}
}

// TestHistoryIndependence comes to the same map in several ways, over several
// transactions, and expects the same root.
func TestHistoryIndependence(t *testing.T) {
	final := hamttest.Numbered(300)
	_, want := hamttest.Stored(t, hamttest.ManyLevels(), final)
	for _, width := range []int{1, 7, 50, 1000} { // keys a transaction
		s := hamttest.NewStore()
		txn := hamttest.Must(builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}.NewTxn())
		steps := slices.Collect(maps.Keys(hamttest.Numbered(500))) // in any order
		i := 0
		commit := func() {
			if i++; i%width == 0 {
				if _, _, err := txn.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, key := range steps {
			if err := txn.SetString(key, datamodel.Null); err != nil {
				t.Fatal(err)
			}
			commit()
		}
		for _, key := range steps {
			if value, stays := final[key]; stays {
				if err := txn.SetString(key, value); err != nil {
					t.Fatal(err)
				}
			} else if existed, err := txn.Delete(t.Context(), []byte(key)); err != nil || !existed {
				t.Fatal(existed, err)
			}
			commit()
		}
		if _, link, err := txn.Commit(t.Context()); err != nil || link != want {
			t.Errorf("%d keys a transaction: root %v, %v; want %s", width, link, err, want)
		}
	}
}
