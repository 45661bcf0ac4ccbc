package proof

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// header returns the header of a CARv1 with these roots: its length, and a map in
// DAG-CBOR.
func header(roots ...cid.Cid) []byte {
	fields := cbor.AppendHead(nil, cbor.Map, 2)
	fields = cbor.AppendHead(cbor.AppendString(fields, "roots"), cbor.List, uint64(len(roots)))
	for _, root := range roots {
		fields = cbor.AppendCID(fields, root.Bytes())
	}
	fields = cbor.AppendHead(cbor.AppendString(fields, "version"), cbor.Uint, 1)
	return append(binary.AppendUvarint(nil, uint64(len(fields))), fields...)
}

// writeSection writes a block under its name.
func writeSection(w io.Writer, name, block []byte) error {
	head := binary.AppendUvarint(nil, uint64(len(name)+len(block)))
	if _, err := w.Write(append(head, name...)); err != nil {
		return err
	}
	_, err := w.Write(block)
	return err
}

// carReader reads a CARv1 as it is written here and no other way: a byte that is not
// as it has to be is an error.
type carReader struct {
	in     *bufio.Reader
	left   int64 // bytes that may still be read
	failed error // of the reader beneath, which says nothing of the proof
}

var (
	errEnds  = errors.New("the proof ends before it")
	errBytes = fmt.Errorf("%w: it has too many bytes", ErrBudget)
)

// fail notes an error of the reader beneath; the end is none.
func (c *carReader) fail(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errEnds
	}
	c.failed = err
	return err
}

// frame reads a length, which must be written the one short way, and that many bytes.
func (c *carReader) frame() ([]byte, error) {
	var length uint64
	for shift := 0; ; shift += 7 {
		b, err := c.in.ReadByte()
		if err != nil {
			return nil, c.fail(err)
		}
		if c.left--; c.left < 0 {
			return nil, errBytes
		}
		if shift == 63 || shift > 0 && b == 0 {
			return nil, errors.New("a length in the proof is no varint")
		}
		length |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	if length > uint64(c.left) {
		return nil, errBytes
	}
	c.left -= int64(length)
	return c.bytes(int(length))
}

// bytes reads n bytes. It takes memory for those that come, not for those announced.
func (c *carReader) bytes(n int) ([]byte, error) {
	const atOnce = 1 << 20
	var raw []byte
	for len(raw) < n {
		from := len(raw)
		raw = append(raw, make([]byte, min(n-from, atOnce))...)
		if _, err := io.ReadFull(c.in, raw[from:]); err != nil {
			return nil, c.fail(err)
		}
	}
	return raw, nil
}

// header reads the header of a CARv1. Which roots it names does not matter: gateways
// name the block at a path's end, or none.
func (c *carReader) header() error {
	raw, err := c.frame()
	if err != nil {
		return err
	}
	fields, at, err := cbor.Expect(raw, 0, cbor.Map)
	if err != nil || fields < 1 || fields > 2 {
		return errNoCAR
	}
	if fields == 2 {
		if at, err = roots(raw, at); err != nil {
			return errNoCAR
		}
	}
	if string(raw[at:]) != "\x67version\x01" {
		return errNoCAR
	}
	return nil
}

var errNoCAR = errors.New("it is no CARv1")

// roots returns where the roots of a header end, which begin at off.
func roots(raw []byte, off int) (end int, err error) {
	name, ok := bytes.CutPrefix(raw[off:], []byte("\x65roots"))
	if !ok {
		return 0, errNoCAR
	}
	n, off, err := cbor.Expect(raw, len(raw)-len(name), cbor.List)
	if err != nil {
		return 0, err
	}
	for range n {
		if _, off, err = cbor.Link(raw, off); err != nil {
			return 0, err
		}
	}
	return off, nil
}

// section reads the section of a block, and returns the block. It has to be the one
// with this CID.
func (c *carReader) section(want cid.Cid) ([]byte, error) {
	raw, err := c.frame()
	if err != nil {
		return nil, err
	}
	block, ok := bytes.CutPrefix(raw, want.Bytes())
	if !ok {
		return nil, fmt.Errorf("the proof has %s in its place", named(raw))
	}
	return block, nil
}

// end expects that nothing follows.
func (c *carReader) end() error {
	if _, err := c.in.Peek(1); err != nil {
		if err = c.fail(err); err == errEnds {
			return nil
		}
		return err
	}
	raw, err := c.frame()
	if err != nil {
		return fmt.Errorf("something follows that is no block: %w", err)
	}
	return fmt.Errorf("it has %s more than it needs", named(raw))
}

// named says which block a section has.
func named(section []byte) string {
	n, c, err := cid.CidFromBytes(section)
	if err != nil || n > len(section) {
		return "something without a CID"
	}
	return "block " + c.String()
}
