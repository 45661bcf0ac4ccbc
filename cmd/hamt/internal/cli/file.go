package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/unixfs"
)

// file is a file that is read with so many blocks at the same time.
type file struct {
	*unixfs.File
	atOnce int
}

// writeTo writes all that is in the file.
func (f file) writeTo(ctx context.Context, w io.Writer) error {
	parts := inOrder[unixfs.Chunk, []byte]{
		atOnce: f.atOnce,
		answer: f.Load,
		size:   func(part []byte) int64 { return int64(len(part)) },
		idle:   func() {},
	}
	for part, err := range parts.all(ctx, func(ctx context.Context) iter.Seq2[unixfs.Chunk, error] { return f.Chunks(ctx) }) {
		if err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// content returns all that is in the file, if it is not too much for the memory.
func (f file) content(ctx context.Context) ([]byte, error) {
	if f.Size() > maxValueText {
		return nil, fmt.Errorf("a file of %d bytes, more than %d MiB: get --raw prints it", f.Size(), maxValueText>>20)
	}
	var content bytes.Buffer
	err := f.writeTo(ctx, &content)
	return content.Bytes(), err
}
