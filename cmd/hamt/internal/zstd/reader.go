package zstd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
)

const (
	// MaxWindow bounds how far back in a frame what is read may refer, and so the
	// memory of a Reader: that of the frame, and half as much, where so much was read.
	MaxWindow = 128 << 20

	frameMagic    = 0xfd2fb528
	skippableMask = 0xfffffff0
	skippable     = 0x184d2a50

	// maxBlock is the largest block, compressed or not.
	maxBlock = 128 << 10
)

var (
	errMagic    = errors.New("what follows is no frame")
	errReserved = errors.New("a reserved bit is set, or a reserved value is used")
	errChecksum = errors.New("wrong checksum")
	errSize     = errors.New("a frame or block has another size than it says")
	errCorrupt  = errors.New("a compressed block is corrupt")
)

// Reader decompresses a stream.
type Reader struct {
	in  io.Reader
	err error // that every Read returns from now on

	frame  frame
	block  []byte  // compressed, of one block
	out    []byte  // decompressed: the window, and what is not yet read behind it
	read   int     // how much of out was read
	blocks decoder // what blocks of a frame hand on
}

// frame is what is known of the frame that is being read.
type frame struct {
	open     bool
	window   uint64
	size     uint64 // of the content, where hasSize says so
	hasSize  bool
	checksum bool
	done     uint64 // of the content
	sum      xxhash.Digest
}

// NewReader makes a reader of compressed data.
func NewReader(in io.Reader) *Reader { return &Reader{in: in} }

// Read reads what was compressed. The error is io.ErrUnexpectedEOF where the data
// ends within a frame.
func (r *Reader) Read(p []byte) (n int, err error) {
	for r.read == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.err = r.next()
	}
	n = copy(p, r.out[r.read:])
	r.read += n
	return n, nil
}

// next goes on by the head of a frame, or by one block. All of out has been read.
func (r *Reader) next() error {
	if !r.frame.open {
		return r.frameHeader()
	}
	return r.nextBlock()
}

// full reads len(p) bytes, which have to be there.
func (r *Reader) full(p []byte) error {
	_, err := io.ReadFull(r.in, p)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// uint reads a number of n bytes.
func (r *Reader) uint(n int) (uint64, error) {
	var b [8]byte
	err := r.full(b[:n])
	return binary.LittleEndian.Uint64(b[:]), err
}

// frameHeader reads the head of a frame, or a skippable frame; io.EOF where there
// is none.
func (r *Reader) frameHeader() error {
	var magic [4]byte
	if _, err := io.ReadFull(r.in, magic[:]); err != nil {
		return err
	}
	switch m := binary.LittleEndian.Uint32(magic[:]); {
	case m&skippableMask == skippable:
		size, err := r.uint(4)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r.in, int64(size)); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
		return nil
	case m != frameMagic:
		return errMagic
	}
	descriptor, err := r.uint(1)
	if err != nil {
		return err
	}
	single := descriptor&0x20 != 0
	f := frame{open: true, checksum: descriptor&0x04 != 0}
	if descriptor&0x08 != 0 {
		return errReserved
	}
	if !single {
		w, err := r.uint(1)
		if err != nil {
			return err
		}
		base := uint64(1) << (10 + w>>3)
		f.window = base + base/8*(w&7)
	}
	if n := [4]int{0, 1, 2, 4}[descriptor&3]; n > 0 {
		id, err := r.uint(n)
		if err != nil {
			return err
		}
		if id != 0 {
			return fmt.Errorf("a frame needs the dictionary %d", id)
		}
	}
	sizes := [4]int{0, 2, 4, 8}
	if single {
		sizes[0] = 1
	}
	if n := sizes[descriptor>>6]; n > 0 {
		if f.size, err = r.uint(n); err != nil {
			return err
		}
		if n == 2 {
			f.size += 256
		}
		f.hasSize = true
	}
	if single {
		f.window = f.size
	}
	if f.window > MaxWindow {
		return fmt.Errorf("a frame needs %d bytes of memory, and may take %d", f.window, MaxWindow)
	}
	f.sum.Reset()
	r.frame = f
	r.out, r.read = r.out[:0], 0
	r.blocks.reset()
	return nil
}

// nextBlock reads a block, and behind the last one what ends the frame.
func (r *Reader) nextBlock() error {
	head, err := r.uint(3)
	if err != nil {
		return err
	}
	last, kind, size := head&1 != 0, head>>1&3, int(head>>3)
	most := int(min(r.frame.window, maxBlock))
	if size > most && (kind != 2 || size > maxBlock) {
		return errSize
	}
	r.forget()
	before := len(r.out)
	switch kind {
	case 0: // raw
		r.out = append(r.out, make([]byte, size)...)
		err = r.full(r.out[before:])
	case 1: // one byte, repeated
		var b uint64
		if b, err = r.uint(1); err == nil {
			r.out = append(r.out, make([]byte, size)...)
			fill(r.out[before:], byte(b))
		}
	case 2:
		if cap(r.block) < size {
			r.block = make([]byte, maxBlock)
		}
		r.block = r.block[:size]
		if err = r.full(r.block); err == nil {
			r.out, err = r.blocks.decode(r.out, r.block, int(r.frame.window), most)
		}
	default:
		err = errReserved
	}
	if err != nil {
		r.out = r.out[:before]
		return err
	}
	r.frame.done += uint64(len(r.out) - before)
	if r.frame.checksum {
		_, _ = r.frame.sum.Write(r.out[before:]) // never fails
	}
	if r.frame.hasSize && (r.frame.done > r.frame.size || last && r.frame.done != r.frame.size) {
		return errSize
	}
	if !last {
		return nil
	}
	r.frame.open = false
	if r.frame.checksum {
		sum, err := r.uint(4)
		if err != nil {
			return err
		}
		if uint32(sum) != uint32(r.frame.sum.Sum64()) {
			return errChecksum
		}
	}
	return nil
}

// forget drops what is further back than the window. It is moved now and then, not
// with every block.
func (r *Reader) forget() {
	window := int(r.frame.window)
	if len(r.out) < window+max(window/4, 2*maxBlock) {
		return
	}
	r.out = r.out[:copy(r.out, r.out[len(r.out)-window:])]
	r.read = len(r.out)
}

func fill(p []byte, b byte) {
	for i := range p {
		p[i] = b
	}
}
