package carfile

import (
	"context"
	"io"
	"sync"

	"github.com/ipfs/go-cid"
)

// Writer writes a CARv1 to a stream, each block once. It keeps the CIDs in
// memory. It is safe for concurrent use.
type Writer struct {
	mu       sync.Mutex
	out      io.Writer
	sections sections
}

// NewWriter begins a CAR.
func NewWriter(w io.Writer, roots ...cid.Cid) (*Writer, error) {
	head, err := header(roots...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	return &Writer{out: w, sections: newSections()}, nil
}

// Put writes a block, unless it is there already.
func (w *Writer) Put(_ context.Context, c cid.Cid, block []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.sections.add(c, block); err != nil || !w.sections.full() {
		return err
	}
	return w.sections.flush(w.out)
}

// Finish writes what is left in the buffer.
func (w *Writer) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sections.flush(w.out)
}

// WriteFile writes a file so that, whatever happens, there is the old file or
// the whole new one under its name, and nothing else after an error. A CAR that is
// there is replaced; any other file is not, and the error wraps ErrNotCAR.
func WriteFile(path string, write func(io.Writer) error, options ...WriteOption) error {
	target, err := newTarget(path, options)
	if err != nil {
		return err
	}
	file, err := newTemporary(target)
	if err != nil {
		return err
	}
	if err = write(file); err == nil {
		err = file.place()
	}
	if err != nil {
		file.discard()
	}
	return err
}
