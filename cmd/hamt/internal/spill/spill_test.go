//go:build unix

package spill

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func newDir(t *testing.T, place string) *Dir {
	t.Helper()
	d, err := New(place)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func there(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestNew(t *testing.T) {
	place := t.TempDir()
	// What others have there, under names that are not ours, stays.
	kept := []string{"hamt-1", "hamt-spill-1", "hamt-1-2.txt", "xhamt-1-2", "other"}
	for _, name := range kept {
		if err := os.MkdirAll(filepath.Join(place, name, "within"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(place, "hamt-3-4"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(place, "hamt-5-6")); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(place, "hamt-1-2", "hamt-spill-7")
	if err := os.MkdirAll(left, 0o777); err != nil {
		t.Fatal(err)
	}
	first, second := newDir(t, place), newDir(t, place)
	if there(left) {
		t.Error("what a process left is there")
	}
	if first.Path == second.Path || !there(first.Path) || !there(second.Path) {
		t.Error("a directory that is held is not there")
	}
	if !strings.HasPrefix(filepath.Base(first.Path), "hamt-") || !named.MatchString(filepath.Base(first.Path)) {
		t.Errorf("%s", first.Path)
	}
	for _, name := range append(kept, "hamt-3-4", "hamt-5-6") {
		if !there(filepath.Join(place, name)) {
			t.Errorf("%s is gone", name)
		}
	}
	if !there(elsewhere) {
		t.Error("a link was followed")
	}
	for _, d := range []*Dir{first, second} {
		if err := os.WriteFile(filepath.Join(d.Path, "run"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(); err != nil || there(d.Path) {
			t.Errorf("removed: %v", err)
		}
	}
	if _, err := New(filepath.Join(place, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no place: %v", err)
	}
}

// TestConcurrently: no process takes another's directory for a left one, however
// close they begin.
func TestConcurrently(t *testing.T) {
	place := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				d, err := New(place)
				if err != nil {
					t.Error(err)
					return
				}
				if !there(d.Path) {
					t.Error("it is gone")
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(place); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
