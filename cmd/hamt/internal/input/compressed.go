package input

import (
	"bufio"
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

// magics are what compressed data begins with: a member of gzip, a frame of zstd, or
// one of the skippable frames that may stand in front.
var magics = []string{gzipMagic, "\x28\xb5\x2f\xfd"}

const gzipMagic = "\x1f\x8b"

func init() {
	for n := range 16 {
		magics = append(magics, string([]byte{byte(0x50 + n), 0x2a, 0x4d, 0x18}))
	}
}

// decompressed returns what is compressed in a stream, as its first bytes tell, or
// the stream itself.
func decompressed(stream io.Reader) (*bufio.Reader, error) {
	const bufferBytes = 64 << 10
	source := &source{Reader: stream}
	in := bufio.NewReaderSize(source, bufferBytes)
	var out io.Reader
	var err error
	d := &decompressor{source: source}
	switch beginning(in, magics...) {
	case "":
		return in, nil
	case gzipMagic:
		d.format = "gzip"
		out, err = gzip.NewReader(in)
	default:
		d.format = "zstd"
		out = zstd.NewReader(in)
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
