package carfile

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// header is the header of a CARv1.
func header(roots ...cid.Cid) ([]byte, error) {
	var buffer bytes.Buffer
	_, err := storage.NewWritable(&buffer, roots, carv2.WriteAsCarV1(true))
	return buffer.Bytes(), err
}

// sections are the blocks of a CAR that is being written, each once. Positions
// count from the end of the header.
type sections struct {
	index   map[cid.Cid]span
	pending []byte // sections that are not written yet
	written int64  // bytes that are
	err     error  // of a write; nothing is written after it
}

// span is where a block is.
type span struct {
	at     int64
	length int
}

// fullPending is how much is written at once.
const fullPending = 1 << 20

func newSections() sections { return sections{index: map[cid.Cid]span{}} }

// add appends a block to what is pending, unless it is there or its CID holds
// it.
func (s *sections) add(c cid.Cid, block []byte) error {
	if s.err != nil {
		return s.err
	}
	if _, ok := s.index[c]; ok {
		return nil
	}
	if _, ok := stores.Inlined(c); ok {
		return nil
	}
	if err := checkSize(c, block); err != nil {
		return err
	}
	s.pending = binary.AppendUvarint(s.pending, uint64(c.ByteLen()+len(block)))
	s.pending = append(s.pending, c.KeyString()...)
	s.index[c] = span{s.written + int64(len(s.pending)), len(block)}
	s.pending = append(s.pending, block...)
	return nil
}

func (s *sections) full() bool { return len(s.pending) >= fullPending }

func (s *sections) has(c cid.Cid) bool {
	_, ok := s.index[c]
	return ok
}

// flush writes what is pending.
func (s *sections) flush(w io.Writer) error {
	if s.err != nil {
		return s.err
	}
	if _, s.err = w.Write(s.pending); s.err != nil {
		return s.err
	}
	s.written += int64(len(s.pending))
	s.pending = s.pending[:0]
	return nil
}
