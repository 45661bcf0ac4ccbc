package embedded

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// filesystem is what a store asks of the system. Tests have one that loses what
// was not synced.
type filesystem interface {
	MakeDir(path string) error
	// Create makes an empty file, in place of one that is there.
	Create(path string) (file, error)
	Open(path string) (file, error)
	// OpenWrite opens a file that is there, for reading and writing.
	OpenWrite(path string) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	// List returns the names in a directory; none, where there is none.
	List(dir string) ([]string, error)
	// SyncDir brings a directory to the disk, that a new file in it is found.
	SyncDir(dir string) error
	// Lock locks a file, and waits so long for it: stores.ErrLocked after that.
	Lock(ctx context.Context, path string, wait time.Duration) (io.Closer, error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Sync() error
}

// disk is the system's own file system.
type disk struct{}

func (disk) MakeDir(path string) error { return os.MkdirAll(path, 0o777) }

func (disk) Create(path string) (file, error) {
	return diskFile(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666))
}

func (disk) Open(path string) (file, error) { return diskFile(os.Open(path)) }

func (disk) OpenWrite(path string) (file, error) { return diskFile(os.OpenFile(path, os.O_RDWR, 0)) }

func (disk) Rename(from, to string) error { return os.Rename(from, to) }

func (disk) Remove(path string) error { return os.Remove(path) }

func (disk) List(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

// osFile is a file of the system.
type osFile struct{ *os.File }

func diskFile(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// readFile reads a whole file.
func readFile(fs filesystem, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) { // a file may grow, and a log that is read while it does has lines enough
		err = nil
	}
	return data[:n], err
}

// replaceFile writes a file so that, whatever happens, there is the old one or
// the new one under its name, and the new one is on the disk.
func replaceFile(fs filesystem, path string, data []byte) (err error) {
	temporary := path + ".tmp"
	f, err := fs.Create(temporary)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fs.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, fs.Remove(temporary))
	}
	return fs.SyncDir(filepath.Dir(path))
}
