package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/zstd"
)

// damagedError means that what is compressed cannot be decompressed.
type damagedError struct {
	format string
	err    error
}

func (e *damagedError) Error() string { return fmt.Sprintf("damaged %s data: %v", e.format, e.err) }
func (e *damagedError) Unwrap() error { return e.err }

// decompressed returns what is compressed in a stream, as its first bytes tell, or
// the stream itself.
func decompressed(stream io.Reader) (*bufio.Reader, error) {
	const bufferBytes = 64 << 10
	source := &source{Reader: stream}
	in := bufio.NewReaderSize(source, bufferBytes)
	head := peek(in, 4, "\x1f")
	var out io.Reader
	var err error
	d := &decompressor{source: source}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		d.format = "gzip"
		out, err = gzip.NewReader(in)
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")), len(head) == 4 && head[0]&0xf0 == 0x50 && string(head[1:]) == "\x2a\x4d\x18":
		d.format = "zstd" // a frame, or a skippable one
		out = zstd.NewReader(in)
	default:
		return in, nil
	}
	if err != nil {
		return nil, d.error(err)
	}
	d.out = out
	return bufio.NewReaderSize(d, bufferBytes), nil
}

// source remembers the error of a stream, so that it is not taken for one of what
// is in the stream.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (n int, err error) {
	n, err = s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type decompressor struct {
	format string
	source *source
	out    io.Reader
}

func (d *decompressor) Read(p []byte) (n int, err error) {
	n, err = d.out.Read(p)
	if err != nil && err != io.EOF {
		err = d.error(err)
	}
	return n, err
}

func (d *decompressor) error(err error) error {
	switch {
	case d.source.err != nil:
		return d.source.err
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		err = fmt.Errorf("it is cut off")
	}
	return &damagedError{d.format, err}
}
