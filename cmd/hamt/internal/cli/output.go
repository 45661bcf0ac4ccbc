package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

// writing calls do with where its result is to go.
type writing func(do func(w *bufio.Writer) error) error

// output returns what writes to the FILE of an -o flag, once nothing is to be said
// against that, or to standard output where there is none. A regular file is replaced
// when all is written; what is in no place of its own, such as a pipe, is written to.
func (a *app) output(file string) (writing, error) {
	if file == "" || file == "-" {
		return func(do func(w *bufio.Writer) error) error { return do(a.out) }, nil
	}
	from, err := a.store.chosen()
	if err != nil {
		return nil, err
	}
	if from.Same(open.Location{Kind: open.CAR, Place: file}) {
		return nil, usage("%s is the store that is read: it would be replaced", file)
	}
	if dir := open.StoreAround(file); dir != "" {
		return nil, usage("cannot write %s: it is part of the store in %s", file, dir)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(file)); err != nil {
			return nil, usage("%w", err)
		}
	case err != nil:
		return nil, usage("%w", err)
	case info.IsDir():
		return nil, usage("%s is a directory", file)
	case !info.Mode().IsRegular():
		return func(do func(w *bufio.Writer) error) error { return writeTo(file, do) }, nil
	}
	return func(do func(w *bufio.Writer) error) error { return replace(file, do) }, nil
}

func writeTo(file string, do func(w *bufio.Writer) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = do(w)
	return errors.Join(err, w.Flush(), f.Close())
}

// replace puts what do writes in the place of a file, or of what a symbolic link leads
// to, when it is whole.
func replace(file string, do func(w *bufio.Writer) error) (err error) {
	if file, err = linked(file); err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(file), fmt.Sprintf(".%s.part%d", filepath.Base(file), rand.Uint64()))
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // may be closed already
			_ = os.Remove(part)
		}
	}()
	if there, err := os.OpenFile(file, os.O_WRONLY, 0); err == nil { // as it may be written, so it may be replaced
		info, err := there.Stat()
		if err == nil {
			err = f.Chmod(info.Mode().Perm())
		}
		if err = errors.Join(err, there.Close()); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w := bufio.NewWriter(f)
	if err = do(w); err != nil {
		return err
	}
	if err = errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// linked returns what symbolic links lead to, also where there is nothing yet.
func linked(file string) (string, error) {
	const most = 40 // as Linux follows them
	for range most {
		to, err := os.Readlink(file)
		if err != nil {
			return file, nil
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(file))
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		file = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", file)
}
