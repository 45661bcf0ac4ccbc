package blockio

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneDoorToTheCache: what a cache notes in the nodes is read and written by
// the cache alone.
func TestOneDoorToTheCache(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if bytes.Contains(source, []byte("block.Cached")) && path != filepath.Join(root, "internal", "blockio", "cache.go") {
			t.Errorf("%s uses block.Cached", path)
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Fatalf("%d files, error %v", files, err)
	}
}
