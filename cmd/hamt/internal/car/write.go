package car

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"
)

// Writer writes a CARv1.
type Writer struct {
	buffer *bufio.Writer
	car    storage.WritableCar
}

// NewWriter begins a CAR.
func NewWriter(w io.Writer, roots ...cid.Cid) (*Writer, error) {
	buffer := bufio.NewWriterSize(w, 1<<20)
	car, err := storage.NewWritable(onlyWriter{buffer}, roots, carv2.WriteAsCarV1(true), carv2.UseWholeCIDs(true))
	if err != nil {
		return nil, err
	}
	return &Writer{buffer, car}, nil
}

// onlyWriter hides whatever else a writer can do: a CARv1 is a stream.
type onlyWriter struct{ io.Writer }

// Put writes a block, unless it is there already.
func (w *Writer) Put(ctx context.Context, c cid.Cid, block []byte) error {
	return w.car.Put(ctx, c.KeyString(), block)
}

// Finish writes what is left in the buffer.
func (w *Writer) Finish() error {
	if err := w.car.Finalize(); err != nil {
		return err
	}
	return w.buffer.Flush()
}

// WriteFile writes a file so that, whatever happens, there is the old file or
// the whole new one under its name, and nothing else after an error.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close() // may be closed already
			_ = os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Chmod(fileMode(path)); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// fileMode is that of the file that is replaced, or what a new file has.
func fileMode(path string) os.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}

// syncDir puts the new name on the disk, where the system lets a directory be
// synced.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	_ = dir.Sync() // some file systems refuse it, and the file itself is synced
	return dir.Close()
}
