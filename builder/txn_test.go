package builder_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"

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
		"short write": func(lsys *linking.LinkSystem) {
			lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
				return shortWriter{}, func(datamodel.Link) error { t.Error("the block is committed"); return nil }, nil
			}
		},
		"none": func(lsys *linking.LinkSystem) { lsys.StorageWriteOpener = nil },
	}
	for name, breakIt := range failures {
		t.Run(name, func(t *testing.T) {
			lsys := s.LinkSystem()
			breakIt(lsys)
			_, err := hamttest.ByAssembler(t.Context(), builder.Prototype{LinkSystem: lsys}, hamttest.Numbered(3))
			want := hamttest.ErrStore
			if name == "short write" {
				want = io.ErrShortWrite
			}
			if err == nil || name != "none" && !errors.Is(err, want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, hamttest.ErrStore }

// shortWriter breaks the contract of io.Writer: it returns no error.
type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

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
		if n := hamttest.MustFirst(b.Finish(t.Context())); n.Length() != 0 {
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
	n := hamttest.MustFirst(b.Finish(t.Context()))
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
