package builder_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
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

// TestFailedCommit lets every single write of a commit fail in turn. The old
// version stays whole, nothing is lost from the transaction, and the retry
// gives the right root.
func TestFailedCommit(t *testing.T) {
	before, after := hamttest.Numbered(60), hamttest.Numbered(90)
	for i := range 20 {
		delete(after, fmt.Sprint("key-", i))
	}
	_, want := hamttest.Stored(t, hamttest.ManyLevels(), after)
	for n := 0; ; n++ {
		s, root := hamttest.Stored(t, hamttest.ManyLevels(), before)
		txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, s, root)))
		for key := range before {
			if _, still := after[key]; !still {
				hamttest.Must(txn.Delete(t.Context(), []byte(key)))
			}
		}
		for key, value := range after {
			if _, already := before[key]; !already {
				if err := txn.SetString(key, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		left := n
		s.OnWrite = func(datamodel.Link, []byte) error {
			if left--; left < 0 {
				return hamttest.ErrStore
			}
			return nil
		}
		_, link, err := txn.Commit(t.Context())
		if err == nil {
			if n < 20 {
				t.Errorf("only %d blocks were written", n)
			}
			if link != want {
				t.Errorf("root %s, want %s", link, want)
			}
			return // there is no n-th block
		}
		if !errors.Is(err, hamttest.ErrStore) {
			t.Fatalf("write %d: error %v", n, err)
		}
		if s.Block(want) != nil {
			t.Errorf("write %d: the root is there, and not all of its blocks", n)
		}
		hamttest.ExpectContent(t, hamttest.Load(t, s, root), before)
		hamttest.ExpectContent(t, txn.Base(), before)
		s.OnWrite = nil
		next, link, err := txn.Commit(t.Context())
		if err != nil || link != want {
			t.Errorf("write %d: root %v, %v in the retry; want %s", n, link, err, want)
		}
		hamttest.ExpectContent(t, hamttest.Load(t, s, hamttest.RootOf(t, next)), after)
	}
}

// TestFailedWriteOpener: the LinkSystem's other ways of failing.
func TestFailedWriteOpener(t *testing.T) {
	s := hamttest.NewStore()
	failures := map[string]func(lsys *linking.LinkSystem){
		"opener": func(lsys *linking.LinkSystem) {
			lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
				return nil, nil, hamttest.ErrStore
			}
		},
		"writer": func(lsys *linking.LinkSystem) {
			lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
				return brokenWriter{}, func(datamodel.Link) error { return nil }, nil
			}
		},
		"none": func(lsys *linking.LinkSystem) { lsys.StorageWriteOpener = nil },
	}
	for name, breakIt := range failures {
		t.Run(name, func(t *testing.T) {
			lsys := s.LinkSystem()
			breakIt(lsys)
			_, err := hamttest.ByAssembler(t.Context(), builder.Prototype{LinkSystem: lsys}, hamttest.Numbered(3))
			if err == nil || name != "none" && !errors.Is(err, hamttest.ErrStore) {
				t.Errorf("error %v", err)
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, hamttest.ErrStore }

// TestNothingToCommit: neither no change nor one back to what there is writes
// anything.
func TestNothingToCommit(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(100))
	n := hamttest.Load(t, s, root)
	for name, change := range map[string]func(txn *builder.Txn) error{
		"no change":    func(*builder.Txn) error { return nil },
		"equal values": func(txn *builder.Txn) error { return hamttest.SetAll(txn, hamttest.Numbered(100)) },
		"there and back": func(txn *builder.Txn) error {
			if err := txn.SetString("another", datamodel.Null); err != nil {
				return err
			}
			_, err := txn.Delete(t.Context(), []byte("another"))
			return err
		},
		"delete what is not there": func(txn *builder.Txn) error {
			_, err := txn.Delete(t.Context(), []byte("another"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			txn := hamttest.Must(builder.NewTxn(n))
			if err := change(txn); err != nil {
				t.Fatal(err)
			}
			s.TakeWrites()
			next, link, err := txn.Commit(t.Context())
			if err != nil || link != root || next != n {
				t.Errorf("root %v, %v; want %s, and the same Node", link, err, root)
			}
			if writes := s.TakeWrites(); len(writes) > 0 {
				t.Errorf("%d blocks were written", len(writes))
			}
		})
	}
}

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

// TestInlineBytes: values above the size become blocks of their own, with a
// link in their place; the map is the one that has these links.
func TestInlineBytes(t *testing.T) {
	content := hamttest.Numbered(50)
	content["at the limit"] = basicnode.NewString(strings.Repeat("x", 98)) // and a head of two
	large := map[string]datamodel.Node{
		"above it": basicnode.NewString(strings.Repeat("x", 99)),
		"far":      basicnode.NewBytes(make([]byte, 10_000)),
		"again":    basicnode.NewBytes(make([]byte, 10_000)), // the same block
	}
	linked := maps.Clone(content)
	for key, value := range large {
		content[key] = value
		linked[key] = basicnode.NewLink(hamttest.BlockOf(hamttest.Must(ipld.Encode(value, dagcbor.Encode))).Link)
	}
	plain, want := hamttest.Stored(t, hamttest.ManyLevels(), linked)
	for way, make := range hamttest.Makers {
		t.Run(way, func(t *testing.T) {
			s := hamttest.NewStore()
			lsys := s.LinkSystem()
			n, err := make(t.Context(), builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: lsys, InlineBytes: 100}, content)
			if err != nil {
				t.Fatal(err)
			}
			if link := hamttest.RootOf(t, n); link != want {
				t.Errorf("root %s, want %s", link, want)
			}
			hamttest.ExpectContent(t, n, linked)
			if s.Len() != plain.Len()+2 {
				t.Errorf("%d blocks, want %d and two values", s.Len(), plain.Len())
			}
			for key, value := range large {
				link := hamttest.Must(hamttest.Must(n.GetString(t.Context(), key)).AsLink())
				got, err := lsys.Load(linking.LinkContext{}, link, basicnode.Prototype.Any)
				if err != nil || !hamttest.Equal(t, got, value) {
					t.Errorf("value of %q: %v", key, err)
				}
			}
		})
	}
}

// TestReplacedValuesAreNotWritten: a value that a later change of the same
// transaction replaces leaves no block behind, and one that is back to what it
// was writes none.
func TestReplacedValuesAreNotWritten(t *testing.T) {
	s := hamttest.NewStore()
	prototype := builder.Prototype{LinkSystem: s.LinkSystem(), InlineBytes: 10}
	big := func(c string) datamodel.Node { return basicnode.NewString(strings.Repeat(c, 100)) }
	txn := hamttest.Must(prototype.NewTxn())
	for _, step := range []struct {
		key   string
		value datamodel.Node
	}{{"a", big("1")}, {"a", big("2")}, {"b", big("3")}, {"b", datamodel.Null}, {"c", big("4")}} {
		if err := txn.SetString(step.key, step.value); err != nil {
			t.Fatal(err)
		}
	}
	hamttest.Must(txn.Delete(t.Context(), []byte("c")))
	if _, _, err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 2 {
		t.Errorf("%d blocks, want the root and one value", s.Len())
	}
	s.TakeWrites()
	if err := txn.SetString("a", big("2")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if writes := s.TakeWrites(); len(writes) > 0 {
		t.Errorf("%d blocks were written for an equal value", len(writes))
	}
}

// TestAllWaysAtScale makes maps of so many entries that they are built by
// several goroutines at once, with one core and with two.
func TestAllWaysAtScale(t *testing.T) {
	for _, cores := range []int{1, 2} {
		for _, p := range []params.Params{
			params.Default(), hamttest.ManyLevels(),
			{HashAlg: multicodec.Murmur3X64_64, BitWidth: 5, BucketSize: 2},
			{HashAlg: multicodec.Identity, BitWidth: 4, BucketSize: 3},
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
				if rebuilt := hamttest.Must(builder.Rebuild(t.Context(), n, prototype, builder.BulkOptions{})); hamttest.RootOf(t, rebuilt) != want {
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

// TestBulkRepeatedKeys: the last value wins, or the key is refused, within
// memory and across the spill.
func TestBulkRepeatedKeys(t *testing.T) {
	for _, memory := range []int64{0, 1, 1 << 12, 30_000} {
		s := hamttest.NewStore()
		prototype := builder.Prototype{LinkSystem: s.LinkSystem()}
		b := hamttest.Must(prototype.NewBulk(builder.BulkOptions{MemoryBytes: memory}))
		for round := range 3 {
			for i := range 150 {
				// At once, and again in each round: within a pile and across.
				for repeat := range 2 {
					if err := b.Set(fmt.Append(nil, "key-", i), basicnode.NewInt(int64(i*(round+repeat-2)))); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		n, err := b.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hamttest.ExpectContent(t, n, hamttest.Numbered(150))
		if count, known := n.KnownCount(); !known || count != 150 {
			t.Errorf("%d entries are known (%v)", count, known)
		}

		strict := hamttest.Must(prototype.NewBulk(builder.BulkOptions{MemoryBytes: memory, Repeated: builder.Refuse}))
		for i := range 150 {
			if err := strict.Set(fmt.Append(nil, "key-", i), datamodel.Null); err != nil {
				t.Fatal(err)
			}
		}
		err = strict.Set([]byte("key-7"), datamodel.Null)
		if err == nil {
			_, err = strict.Finish(t.Context())
		}
		if !errors.Is(err, fault.ErrRepeatedKey) || !strings.Contains(err.Error(), "key-7") {
			t.Errorf("memory %d: error %v", memory, err)
		}
		if err := strict.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSetRaw takes canonical DAG-CBOR and nothing else.
func TestSetRaw(t *testing.T) {
	prototype := builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}
	for _, raw := range []string{"", "\x00\x00", "\x18\x01", "\xf9\x3c\x00", "\xf7", "\xa2\x61b\x00\x61a\x00", "\xa1\x00\x00", "\xc1\x00", "\x81", "\xff"} {
		txn := hamttest.Must(prototype.NewTxn())
		if err := txn.SetRaw([]byte("key"), []byte(raw)); !errors.Is(err, fault.ErrValue) || txn.Changes() != 0 {
			t.Errorf("Txn takes %x: %v", raw, err)
		}
		b := hamttest.Must(prototype.NewBulk(builder.BulkOptions{}))
		if err := b.SetRaw([]byte("key"), []byte(raw)); !errors.Is(err, fault.ErrValue) {
			t.Errorf("Bulk takes %x: %v", raw, err)
		}
		if n := hamttest.Must(b.Finish(t.Context())); n.Length() != 0 {
			t.Errorf("%x left %d entries", raw, n.Length())
		}
	}
}

// TestArgumentsAreCopied: the caller may use keys and values again.
func TestArgumentsAreCopied(t *testing.T) {
	_, want := hamttest.Stored(t, params.Default(), hamttest.Model{"key": basicnode.NewString("value")})
	prototype := builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}
	key, raw := []byte("key"), []byte("\x65value")
	txn := hamttest.Must(prototype.NewTxn())
	b := hamttest.Must(prototype.NewBulk(builder.BulkOptions{}))
	if err := errors.Join(txn.SetRaw(key, raw), b.SetRaw(key, raw)); err != nil {
		t.Fatal(err)
	}
	clear(key)
	clear(raw)
	if _, link, err := txn.Commit(t.Context()); err != nil || link != want {
		t.Errorf("root %v by Txn, %v", link, err)
	}
	n := hamttest.Must(b.Finish(t.Context()))
	if hamttest.RootOf(t, n) != want {
		t.Errorf("root %v by Bulk", hamttest.RootOf(t, n))
	}
	// And what GetRaw gives is the caller's.
	got, _, err := n.GetRaw(t.Context(), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	if again, _, _ := n.GetRaw(t.Context(), []byte("key")); !bytes.Equal(again, []byte("\x65value")) {
		t.Errorf("%x is left of the value", again)
	}
}

// TestOldVersionsStay: each of many versions keeps what it had, read from a
// cache that they share.
func TestOldVersionsStay(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	n, content := hamttest.Load(t, s, root), hamttest.Numbered(50)
	type version struct {
		node    *adl.Node
		content hamttest.Model
	}
	var versions []version
	for i := range 40 {
		versions = append(versions, version{n, maps.Clone(content)})
		txn := hamttest.Must(builder.NewTxn(n))
		gone, fresh := fmt.Sprint("key-", i), fmt.Sprint("another-", i)
		hamttest.Must(txn.Delete(t.Context(), []byte(gone)))
		if err := txn.SetString(fresh, datamodel.Null); err != nil {
			t.Fatal(err)
		}
		delete(content, gone)
		content[fresh] = datamodel.Null
		var err error
		if n, _, err = txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range versions {
		hamttest.ExpectContent(t, v.node, v.content)
	}
}

// TestEditMapWithoutLink: a map reified from decoded data may never have been
// stored, so a commit writes its root even where nothing changed.
func TestEditMapWithoutLink(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	lsys := s.LinkSystem()
	plain, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		t.Fatal(err)
	}
	s.Remove(root)
	n, err := hamt.Reify(linking.LinkContext{Ctx: t.Context()}, plain, lsys)
	if err != nil {
		t.Fatal(err)
	}
	_, link, err := hamttest.Must(builder.NewTxn(n.(*adl.Node))).Commit(t.Context())
	if err != nil || link != root || s.Block(root) == nil {
		t.Errorf("root %v, %v; stored: %v", link, err, s.Block(root) != nil)
	}
}
