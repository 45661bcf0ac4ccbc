//go:build unix

package carfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestUmask: a new file has the mode that the umask leaves of any new file, also
// before it has its name, and a file that is replaced keeps its mode.
func TestUmask(t *testing.T) {
	for _, umask := range []int{0o077, 0o022, 0o002} {
		old := syscall.Umask(umask)
		for name, write := range writers(t) {
			path := filepath.Join(t.TempDir(), "x.car")
			want := os.FileMode(0o666 &^ umask)
			fsync = func(file *os.File) error {
				info, err := file.Stat()
				if err == nil && info.Mode().IsRegular() && info.Mode().Perm() != want {
					t.Errorf("umask %o: %s writes with mode %o", umask, name, info.Mode().Perm())
				}
				return errors.Join(err, file.Sync())
			}
			if err := write(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("umask %o: %s leaves mode %o, %v", umask, name, info.Mode().Perm(), err)
			}
			want = 0o640
			if err := os.Chmod(path, want); err != nil {
				t.Fatal(err)
			}
			if err := write(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("umask %o: %s makes mode %o of 640, %v", umask, name, info.Mode().Perm(), err)
			}
		}
		fsync = syncFile
		syscall.Umask(old)
	}
}

// TestDirectoryNotSynced: that a name is not on the disk is an error, but where a
// file system does not know how to bring it there.
func TestDirectoryNotSynced(t *testing.T) {
	defer func() { fsync = syncFile }()
	for _, broken := range []error{syscall.EIO, syscall.EINVAL, syscall.ENOTSUP} {
		fsync = func(file *os.File) error {
			if info, err := file.Stat(); err != nil || !info.IsDir() {
				return errors.Join(err, file.Sync())
			}
			return &os.PathError{Op: "sync", Path: file.Name(), Err: broken}
		}
		for name, write := range writers(t) {
			err := write(filepath.Join(t.TempDir(), "x.car"))
			if errors.Is(err, syscall.EIO) != (broken == syscall.EIO) || err != nil && broken != syscall.EIO {
				t.Errorf("%s, %v: %v", name, broken, err)
			}
		}
	}
}

var syncFile = (*os.File).Sync
