package carfile

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	carv2 "github.com/ipld/go-car/v2"
)

// ErrNotCAR is the error for a file that would be written over and is no CAR.
var ErrNotCAR = errors.New("is there already, and is no CAR")

// WriteOption says how a file is written.
type WriteOption func(*writeOptions)

type writeOptions struct{ force bool }

// WithForce returns an option to replace a file also where it is no CAR.
func WithForce() WriteOption { return func(o *writeOptions) { o.force = true } }

// CheckTarget returns early, without writing anything, the error that Create and
// WriteFile would return for what is at path: ErrNotCAR where it is a file that is
// no CAR.
func CheckTarget(path string, options ...WriteOption) error {
	_, err := newTarget(path, options)
	return err
}

// target is the place of a file that is to be written.
type target struct {
	path string // with symbolic links followed: a link is not what is replaced
	writeOptions
}

func newTarget(path string, options []WriteOption) (target, error) {
	resolved, err := followed(path)
	if err != nil {
		return target{}, fmt.Errorf("cannot write %s: %w", path, err)
	}
	t := target{path: resolved}
	for _, option := range options {
		option(&t.writeOptions)
	}
	return t, t.check(path)
}

// check returns an error unless the target is free, or may be replaced. An empty
// file may: there is nothing in it to lose. name is what the errors call it.
func (t target) check(name string) error {
	info, err := os.Stat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot write %s: %w", name, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("cannot write %s: it is there, and no regular file", name)
	case t.force || info.Size() == 0:
		return nil
	}
	file, err := os.Open(t.path)
	if err != nil {
		// What cannot be read may be anything.
		return fmt.Errorf("cannot write %s: it cannot be told whether it is a CAR: %w", name, err)
	}
	defer file.Close()
	if _, err := carv2.NewBlockReader(bufio.NewReader(file), Limits()...); err != nil {
		return fmt.Errorf("%s %w", name, ErrNotCAR)
	}
	return nil
}

// followed returns the path that symbolic links lead to, also where there is
// nothing yet.
func followed(path string) (string, error) {
	const most = 40 // links, as Linux follows them
	for range most {
		if there, err := filepath.EvalSymlinks(path); err == nil {
			return there, nil
		}
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link: a new file
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", errors.New("too many symbolic links")
}
