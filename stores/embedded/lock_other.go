//go:build !unix

package embedded

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sharedLock leaves the lock to the engine: one process at a time, whether it
// reads or writes.
type sharedLock struct{ vfs.FS }

// isLocked tells a lock that is taken from a directory that cannot be opened:
// only the lock gives an error number without a path.
func isLocked(err error) bool {
	return !errors.As(err, new(*fs.PathError)) && errors.As(err, new(syscall.Errno))
}
