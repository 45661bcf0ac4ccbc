package flatfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-ds-flatfs"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
)

func TestBase(t *testing.T) {
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		dir, _ := repository(t, flatfs.IPFS_DEF_SHARD, 0)
		s := open(t, dir)
		for c, block := range blocks {
			path := s.path(c)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, block, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return s
	})
}
