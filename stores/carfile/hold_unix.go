//go:build unix

package carfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// hold keeps a temporary file from being removed by others, until it is closed
// or the process ends; fs.ErrNotExist where it was removed before. It opens the
// file once more: the file itself is closed before it gets its name, and until
// then it must be held.
func hold(file *os.File) (io.Closer, error) {
	held := lockOf(file.Name())
	if err := held.Lock(); err != nil && !errors.Is(err, syscall.ENOLCK) && !errors.Is(err, syscall.ENOTSUP) {
		return nil, err
	}
	if _, err := os.Stat(file.Name()); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// syncDir puts a new name on the disk. Some file systems do not know how to sync a
// directory, and say so; any other error is one.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	err = fsync(dir)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, dir.Close())
}

// removeUnlessHeld removes a temporary file that no process holds. Where the file
// system has no locks that is never known.
func removeUnlessHeld(path string) {
	held := lockOf(path)
	if locked, err := held.TryLock(); err != nil || !locked {
		return
	}
	_ = os.Remove(path) // another process may have done it
	_ = held.Close()    // nothing was written
}

// lockOf returns the lock of a file that is there.
func lockOf(path string) *flock.Flock { return flock.New(path, flock.SetFlag(os.O_RDONLY)) }
