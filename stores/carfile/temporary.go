package carfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// temporary is a file that is being written beside the one whose place it is
// to take.
type temporary struct {
	*os.File
	target string
	held   io.Closer // as long as it is, nobody takes the file for a left one
}

// temporaryName is what the names of temporary files for a target begin with.
func temporaryName(target string) string { return "." + filepath.Base(target) + ".part" }

// newTemporary begins a file, and removes those that processes which were
// killed have left in the same place.
func newTemporary(target string) (*temporary, error) {
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot write %s: it is there, and no regular file", target)
	}
	removeLeft(target)
	for {
		file, err := os.CreateTemp(filepath.Dir(target), temporaryName(target)+"*")
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", target, err)
		}
		held, err := hold(file)
		if err == nil {
			return &temporary{file, target, held}, nil
		}
		_ = file.Close() // nothing is in it
		if !errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(file.Name()) // there is a better error
			return nil, fmt.Errorf("cannot write %s: %w", target, err)
		}
		// Somebody thought that it was left, before it was held.
	}
}

// removeLeft removes the temporary files for a target that nobody holds. What
// cannot be removed is nothing to fail for.
func removeLeft(target string) {
	dir := filepath.Dir(target)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), temporaryName(target))
		if ok && number != "" && entry.Type().IsRegular() && strings.Trim(number, "0123456789") == "" {
			removeUnlessHeld(filepath.Join(dir, entry.Name()))
		}
	}
}

// fsync is what puts a file or a directory on the disk; tests watch it.
var fsync = (*os.File).Sync

// place closes the file and puts it, whole and on the disk, under the name of
// its target.
func (t *temporary) place() error {
	if err := t.Chmod(fileMode(t.target)); err != nil {
		return err
	}
	if err := fsync(t.File); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), t.target); err != nil {
		return err
	}
	return errors.Join(t.held.Close(), syncDir(filepath.Dir(t.target)))
}

// discard removes the file.
func (t *temporary) discard() {
	_ = t.Close() // may be closed already
	_ = os.Remove(t.Name())
	_ = t.held.Close() // as may this
}

// fileMode is that of the file that is replaced, or what a new file has.
func fileMode(path string) os.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}

// syncDir puts the new name on the disk, where the system lets a directory be
// synced.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	_ = fsync(dir) // some file systems refuse it, and the file itself is synced
	return dir.Close()
}
