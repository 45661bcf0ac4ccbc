package carfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// temporary is a file that is being written beside the one whose place it is
// to take.
type temporary struct {
	*os.File
	target target
	held   io.Closer // as long as it is, nobody takes the file for a left one
}

// temporaryName is what the names of temporary files for a target begin with.
func temporaryName(target string) string { return "." + filepath.Base(target) + ".part" }

// newTemporary begins a file, and removes those that processes which were
// killed have left in the same place.
func newTemporary(to target) (*temporary, error) {
	target := to.path
	removeLeft(target)
	for {
		file, err := createTemporary(target)
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", target, err)
		}
		held, err := hold(file)
		if err == nil {
			return &temporary{file, to, held}, nil
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

// createTemporary creates a file that nobody else has. Its mode is what the umask
// leaves of that of any new file, or of the file that is to be replaced: whoever
// may not read that may not read this.
func createTemporary(target string) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if info, err := os.Stat(target); err == nil {
		mode = info.Mode().Perm() | 0o600
	}
	for {
		name := fmt.Sprintf("%s%d", temporaryName(target), rand.Uint64())
		file, err := os.OpenFile(filepath.Join(filepath.Dir(target), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// fsync is what puts a file or a directory on the disk; tests watch it.
var fsync = (*os.File).Sync

// place closes the file and puts it, whole and on the disk, under the name of
// its target.
func (t *temporary) place() error {
	if err := t.target.check(t.target.path); err != nil { // somebody may have put something there
		return err
	}
	if info, err := os.Stat(t.target.path); err == nil {
		if err := t.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := fsync(t.File); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), t.target.path); err != nil {
		return err
	}
	return errors.Join(t.held.Close(), syncDir(filepath.Dir(t.target.path)))
}

// discard removes the file.
func (t *temporary) discard() {
	_ = t.Close() // may be closed already
	_ = os.Remove(t.Name())
	_ = t.held.Close() // as may this
}
