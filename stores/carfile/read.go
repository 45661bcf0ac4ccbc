package carfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// Block is a block under its name.
type Block struct {
	CID  cid.Cid
	Data []byte
}

// Reader reads the blocks of a CAR, version 1 or 2, in their order.
type Reader struct {
	name  string
	in    *counter
	car   *carv2.BlockReader
	check func(c cid.Cid) error
}

// counter counts what is read through it.
type counter struct {
	*bufio.Reader
	n    int64
	last byte // that was read
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if n > 0 {
		c.last = p[n-1]
	}
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
		c.last = b
	}
	return b, err
}

// NewReader reads the header of a CAR. name is for errors.
func NewReader(r io.Reader, name string) (*Reader, error) {
	in := &counter{Reader: bufio.NewReaderSize(r, 1<<20)}
	car, err := carv2.NewBlockReader(in, padded()...)
	if err != nil {
		return nil, fmt.Errorf("%s is not a CAR, or is damaged: %w", name, early(err))
	}
	return &Reader{name, in, car, stores.CheckDigest}, nil
}

// AllowWeakDigests has Blocks visit blocks whose CIDs do not tell them from
// others, too. It must be called before.
func (r *Reader) AllowWeakDigests() { r.check = func(cid.Cid) error { return nil } }

// Roots are the roots that the header names.
func (r *Reader) Roots() []cid.Cid { return r.car.Roots }

// Blocks visits all blocks, each checked against its CID. The iteration is over
// after an error, which wraps stores.ErrWeakDigest for a CID that any bytes could
// match.
func (r *Reader) Blocks() iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		for {
			begin := r.in.n
			block, err := r.car.Next()
			if errors.Is(err, io.EOF) && r.in.n == begin {
				return
			}
			if errors.Is(err, io.EOF) && r.in.n == begin+1 && r.in.last == 0 {
				// Only a CARv1 goes on to the end of what is read.
				if err = errPaddedV2; r.car.Version == 1 {
					err = checkPadding(r.in, r.in.n)
				}
				if err == nil {
					return
				}
			}
			if err != nil {
				yield(Block{}, fmt.Errorf("%s: %w", r.name, early(err)))
				return
			}
			if err := r.check(block.Cid()); err != nil {
				yield(Block{}, fmt.Errorf("%s: %w", r.name, err))
				return
			}
			if !yield(Block{block.Cid(), block.RawData()}, nil) {
				return
			}
		}
	}
}

var errPaddedV2 = errors.New("a section has no bytes")

// early says that a file ends where more has to come.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
