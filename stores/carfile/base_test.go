package carfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
)

func TestFileBase(t *testing.T) {
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		path := filepath.Join(t.TempDir(), "x.car")
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		var all []Block
		for c, data := range blocks {
			all = append(all, Block{c, data})
		}
		write(t, out, all[0].CID, all...)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

func TestBuilderBase(t *testing.T) {
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		b := create(t, filepath.Join(t.TempDir(), "x.car"))
		for c, data := range blocks {
			if err := b.put(t.Context(), c, data); err != nil {
				t.Fatal(err)
			}
		}
		return b
	})
	storetest.TestWriting(t, create(t, filepath.Join(t.TempDir(), "x.car")))
}
