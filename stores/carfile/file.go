package carfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/blockstore"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// File is a CAR file, version 1 or 2, as a store that can be read. The
// positions of its blocks are kept in memory, 40 bytes for each, and several
// times that while they are being sorted.
//
// Open goes through the file to find them, also where a CARv2 has an index:
// that may be wrong, and a few bytes of it can ask for all memory there is.
// go-car advises the same. Blocks are found by their hash, whatever codec the
// CID says.
type File struct {
	stores.Base
	file   *os.File
	name   string
	blocks *blockstore.ReadOnly
	roots  []cid.Cid
}

var (
	_ stores.Store  = (*File)(nil)
	_ stores.Rooted = (*File)(nil)
)

// Open opens a CAR; stores.ErrNoStore where there is no such file.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no file %s", stores.ErrNoStore, path)
	}
	if err != nil {
		return nil, err
	}
	return OpenFile(file, path)
}

// OpenFile is Open of a file that is open already, under a name for errors. It closes the
// file, also with an error.
func OpenFile(file *os.File, name string) (*File, error) {
	c := &File{file: file, name: name}
	if err := c.index(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a CAR, or is damaged: %w", name, err), file.Close())
	}
	c.Base = stores.NewBase(stores.Blocks{Get: c.get, Has: c.has})
	return c, nil
}

func (c *File) index() error {
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	// The file, and not a mapping of it into memory: a file that is cut short
	// while it is open is an error then, and not the end of the process.
	in := &readerAt{file: c.file, buffer: make([]byte, 0, 64<<10)}
	sections := io.NewSectionReader(in, 0, info.Size())
	version, err := carv2.ReadVersion(sections, Limits()...)
	if err != nil {
		return early(err)
	}
	if _, err := sections.Seek(0, io.SeekStart); err != nil {
		return err
	}
	limits := Limits()
	if version == 1 {
		limits = padded()
	}
	index, err := carv2.GenerateIndex(sections, limits...)
	if err != nil {
		return early(err)
	}
	if version == 1 {
		at, err := sections.Seek(0, io.SeekCurrent)
		if err == nil {
			err = checkPadding(sections, at)
		}
		if err != nil {
			return err
		}
	}
	if c.blocks, err = blockstore.NewReadOnly(in, index, Limits()...); err != nil {
		return err
	}
	c.roots, err = c.blocks.Roots()
	in.buffer = nil
	return err
}

// readerAt hides that a file has a position, which concurrent reads would
// fight for. While the file is being indexed it has a buffer, since that reads
// each block's length and CID byte by byte.
type readerAt struct {
	file   io.ReaderAt
	buffer []byte
	at     int64 // where the buffer's bytes are in the file
}

func (r *readerAt) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > cap(r.buffer) {
		return r.file.ReadAt(p, off)
	}
	if off < r.at || off+int64(len(p)) > r.at+int64(len(r.buffer)) {
		n, err := r.file.ReadAt(r.buffer[:cap(r.buffer)], off)
		r.buffer, r.at = r.buffer[:n], off
		if n < len(p) {
			return copy(p, r.buffer), err
		}
	}
	return copy(p, r.buffer[off-r.at:]), nil
}

func (c *File) get(ctx context.Context, id cid.Cid) ([]byte, error) {
	block, err := c.blocks.Get(ctx, id)
	if format.IsNotFound(err) {
		return nil, stores.NotFound{CID: id}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: block %s: %w", c.name, id, err)
	}
	return block.RawData(), nil
}

func (c *File) has(ctx context.Context, id cid.Cid) (bool, error) {
	has, err := c.blocks.Has(ctx, id)
	if err != nil {
		return false, fmt.Errorf("%s: block %s: %w", c.name, id, err)
	}
	return has, nil
}

// DefaultRoot returns the first root of the CAR.
func (c *File) DefaultRoot() (cid.Cid, bool) {
	if len(c.roots) == 0 {
		return cid.Undef, false
	}
	return c.roots[0], true
}

// Roots returns the roots that the CAR names.
func (c *File) Roots() []cid.Cid { return c.roots }

// Close closes the file.
func (c *File) Close() error { return c.file.Close() }
