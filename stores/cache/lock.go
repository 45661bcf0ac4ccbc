package cache

import (
	"errors"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// lockName is the file that is locked. It is not the account itself: where locks are
// mandatory, as on Windows, nobody else could read that.
const lockName = accountName + ".lock"

func newLock(dir string) *flock.Flock {
	return flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o644))
}

// lock waits until no other process, and no other Cache in this one, has the lock.
func lock(l *flock.Flock) error {
	for {
		err := l.Lock()
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
