package embedded

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gofrs/flock"
)

// locking is a file system on which the engine's lock lets in any number of
// processes that read, or a single one that writes. Read-only the engine changes no
// file; its own lock would let in only one process all the same.
type locking struct {
	vfs.FS
	write bool
}

// errLocked is the error of a lock that another process has.
var errLocked = errors.New("the lock is taken")

func (l locking) Lock(name string) (io.Closer, error) {
	// Who reads may not be allowed to make the file, nor to write to it.
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY))
	try := lock.TryRLock
	if l.write {
		lock = flock.New(name, flock.SetFlag(os.O_RDWR|os.O_CREATE), flock.SetPermissions(0o666))
		try = lock.TryLock
	}
	locked, err := try()
	if err == nil && !locked {
		err = errLocked
	}
	if err != nil {
		return nil, err
	}
	return lock, nil
}
