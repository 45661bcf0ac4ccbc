//go:build unix

package spill

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// hold keeps a directory from being removed by others, until it is closed or the
// process ends; fs.ErrNotExist where it was removed before. Where there are no locks
// it is not removed either.
func hold(path string) (io.Closer, error) {
	held := lockOf(path)
	if err := held.Lock(); err != nil && !isUnsupported(err) {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// isUnsupported reports whether an error means that a file system has no locks for
// directories.
func isUnsupported(err error) bool {
	for _, kind := range []error{syscall.ENOLCK, syscall.ENOTSUP, syscall.EBADF, syscall.EISDIR, syscall.EINVAL} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// removeUnlessHeld removes a directory that no process holds.
func removeUnlessHeld(path string) {
	held := lockOf(path)
	if locked, err := held.TryLock(); err != nil || !locked {
		return
	}
	_ = os.RemoveAll(path) // another process may have done it
	_ = held.Close()       // nothing was written
}

// lockOf returns the lock of a directory that is there.
func lockOf(path string) *flock.Flock { return flock.New(path, flock.SetFlag(os.O_RDONLY)) }
