package carfile

import (
	"fmt"
	"path/filepath"
	"testing"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// TestMap builds a map straight into a CAR, changes it there, and reads it from
// the file.
func TestMap(t *testing.T) {
	const entries = 20_000
	path := filepath.Join(t.TempDir(), "x.car")
	b := create(t, path)
	bulk, err := builder.Prototype{LinkSystem: b.LinkSystem()}.NewBulk(builder.BulkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer bulk.Close()
	for n := range entries {
		if err := bulk.SetString(fmt.Sprint("key ", n), basicnode.NewInt(int64(n))); err != nil {
			t.Fatal(err)
		}
	}
	m, _, err := bulk.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := m.Link()
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, root.(cidlink.Link).Cid)
	readMap(t, path, root.(cidlink.Link), entries)

	txn, err := builder.NewTxn(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.SetString(fmt.Sprint("key ", entries), basicnode.NewInt(entries)); err != nil {
		t.Fatal(err)
	}
	_, changed, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	publish(t, b, changed.(cidlink.Link).Cid)
	readMap(t, path, changed.(cidlink.Link), entries+1)
}

func readMap(t *testing.T, path string, root cidlink.Link, entries int64) {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	if got, ok := s.DefaultRoot(); !ok || !got.Equals(root.Cid) {
		t.Errorf("default root %s, want %s", got, root)
	}
	m, err := hamt.Load(t.Context(), s.LinkSystem(), root)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := m.Count(t.Context()); err != nil || n != entries {
		t.Errorf("%d entries, %v", n, err)
	}
	value, err := m.GetString(t.Context(), fmt.Sprint("key ", entries-1))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := value.AsInt(); err != nil || n != entries-1 {
		t.Errorf("%d, %v", n, err)
	}
}
