// Package spill makes the directories for what a build puts on the disk for a
// while. A process that is killed leaves its directory; the next one that needs one
// in the same place removes it.
package spill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// named are the names of the directories: hamt-PID-RANDOM.
var named = regexp.MustCompile(`^hamt-[0-9]+-[0-9]+$`)

// Dir is a directory of this process.
type Dir struct {
	Path string
	held io.Closer // as long as it is, no other process takes the directory for a left one
}

// New makes a directory in a place, "" for where temporary files go, and removes
// those that processes which were killed have left there.
func New(place string) (*Dir, error) {
	if place == "" {
		place = os.TempDir()
	}
	removeLeft(place)
	for {
		path, err := os.MkdirTemp(place, fmt.Sprintf("hamt-%d-", os.Getpid()))
		if err != nil {
			return nil, err
		}
		held, err := hold(path)
		if err == nil {
			return &Dir{path, held}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, os.Remove(path))
		}
		// Somebody thought that it was left, before it was held.
	}
}

// Remove removes the directory and what is in it.
func (d *Dir) Remove() error { return errors.Join(os.RemoveAll(d.Path), d.held.Close()) }

// removeLeft removes the directories in a place that no process holds. What cannot
// be removed, as those of other users, is nothing to fail for.
func removeLeft(place string) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.IsDir() && named.MatchString(entry.Name()) {
			removeUnlessHeld(filepath.Join(place, entry.Name()))
		}
	}
}
