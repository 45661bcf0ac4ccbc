//go:build unix

package flatfs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-ds-flatfs"
	"golang.org/x/sys/unix"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// TestOddFiles: a link to a block elsewhere is as good as the block; what would
// never end, or never begin, is not read.
func TestOddFiles(t *testing.T) {
	dir, written := repository(t, flatfs.IPFS_DEF_SHARD, 4)
	s := open(t, dir)
	path := func(n int) string { return s.path(written[n].Cid()) }
	elsewhere := filepath.Join(t.TempDir(), "block")
	if err := os.Rename(path(0), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path(0)); err != nil {
		t.Fatal(err)
	}
	if block, err := load(t, s, written[0].Cid()); err != nil || !bytes.Equal(block, written[0].RawData()) {
		t.Errorf("a link to the block: %v", err)
	}
	for n := 1; n < 4; n++ {
		if err := os.Remove(path(n)); err != nil {
			t.Fatal(err)
		}
	}
	for n, make := range []func(path string) error{
		func(path string) error { return os.Symlink("/dev/zero", path) },
		func(path string) error { return unix.Mkfifo(path, 0o644) },
		func(path string) error { return os.Symlink(path, path) },
	} {
		if err := make(path(n + 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), written[n+1].Cid()); err == nil || stores.IsNotFound(err) || !strings.Contains(err.Error(), path(n+1)) {
			t.Errorf("%d: %v", n, err)
		}
	}
}
