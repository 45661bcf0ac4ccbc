//go:build unix

package carfile

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// hold keeps a temporary file from being removed by others, until it is closed
// or the process ends; fs.ErrNotExist where it was removed before. It opens the
// file once more: the file itself is closed before it gets its name, and until
// then it must be held.
func hold(file *os.File) (io.Closer, error) {
	held, err := os.Open(file.Name())
	if err != nil {
		return nil, err
	}
	if err := flock(held, unix.LOCK_EX); err != nil && !errors.Is(err, unix.ENOLCK) && !errors.Is(err, unix.ENOTSUP) {
		return nil, errors.Join(err, held.Close())
	}
	if _, err := os.Stat(file.Name()); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// removeUnlessHeld removes a temporary file that no process has in its hands.
// Where the file system has no locks that is never known.
func removeUnlessHeld(path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close() // it was not even read
	if flock(file, unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.Remove(path) // somebody else may have done it
	}
}

func flock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
