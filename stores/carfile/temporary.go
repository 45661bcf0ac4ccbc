package carfile

import (
	"fmt"
	"os"
	"path/filepath"
)

// temporary is a file that is being written beside the one whose place it is
// to take.
type temporary struct {
	*os.File
	target string
}

func newTemporary(target string) (*temporary, error) {
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot write %s: it is there, and no regular file", target)
	}
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", target, err)
	}
	return &temporary{file, target}, nil
}

// place closes the file and puts it, whole and on the disk, under the name of
// its target.
func (t *temporary) place() error {
	if err := t.Chmod(fileMode(t.target)); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), t.target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(t.target))
}

// discard removes the file.
func (t *temporary) discard() {
	_ = t.Close() // may be closed already
	_ = os.Remove(t.Name())
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
	_ = dir.Sync() // some file systems refuse it, and the file itself is synced
	return dir.Close()
}
