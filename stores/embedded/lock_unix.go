//go:build unix

package embedded

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// sharedLock is a file system on which the engine's lock excludes writers
// alone. Read-only the engine changes no file, so that any number of processes
// may read at the same time; left to itself it would let in only one.
type sharedLock struct{ vfs.FS }

func (sharedLock) Lock(name string) (io.Closer, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// isLocked tells a lock that is taken from a lock file that cannot be opened.
func isLocked(err error) bool {
	if errors.As(err, new(*fs.PathError)) {
		return false
	}
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES)
}
