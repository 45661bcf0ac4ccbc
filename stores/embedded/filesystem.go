package embedded

import (
	"errors"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writing is the file system of a store that is written to. It differs from
// the system's own in two ways.
//
// No space is reserved for the log. The engine would reserve as much as it
// keeps in memory, and so 35 MB for a map of three entries; what that saves is
// little for a process that syncs once.
//
// A write that fails ends the process, by way of die. The engine itself would
// panic, in places where nobody can recover, or try again without end. Nothing
// that was synced is lost.
type writing struct {
	vfs.FS
	die func(format string, args ...any)
}

func (fs writing) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(fs.FS.Create(name, category))
}

func (fs writing) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(fs.FS.ReuseForWrite(oldName, newName, category))
}

func (fs writing) file(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, fs.check(err)
	}
	return written{file, fs}, nil
}

// check ends the process with an error, unless it says that there is no such
// file or directory: that can be put right, and is part of normal operation.
func (fs writing) check(err error) error {
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fs.die("cannot write to disk: %v", err)
	}
	return err
}

// written is a file that is written to.
type written struct {
	vfs.File
	fs writing
}

func (written) Preallocate(offset, length int64) error { return nil }

func (f written) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.check(err)
}

func (f written) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.File.WriteAt(p, offset)
	return n, f.fs.check(err)
}

func (f written) Sync() error     { return f.fs.check(f.File.Sync()) }
func (f written) SyncData() error { return f.fs.check(f.File.SyncData()) }

func (f written) SyncTo(length int64) (fullSync bool, err error) {
	fullSync, err = f.File.SyncTo(length)
	return fullSync, f.fs.check(err)
}
