package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld/go-car/v2/blockstore"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/car"
)

// CAR is a .car file, version 1 or 2, as a store that can be read. The
// positions of its blocks are kept in memory.
type CAR struct {
	file   *os.File
	blocks *blockstore.ReadOnly
	roots  []cid.Cid
	lsys   *linking.LinkSystem
}

var _ Store = (*CAR)(nil)

// OpenCAR opens a CAR.
func OpenCAR(path string) (*CAR, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no file %s", ErrNoStore, path)
	}
	if err != nil {
		return nil, err
	}
	c := &CAR{file: file}
	if err := c.index(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a CAR, or is damaged: %w", path, err), file.Close())
	}
	c.lsys = newLinkSystem(c.read)
	return c, nil
}

func (c *CAR) index() (err error) {
	// The file, and not a mapping of it into memory: a file that is cut short
	// while it is open is an error then, and not the end of the process.
	if c.blocks, err = blockstore.NewReadOnly(readerAt{c.file}, nil, car.Limits()...); err != nil {
		return err
	}
	c.roots, err = c.blocks.Roots()
	return err
}

// readerAt hides that a file has a position, which concurrent reads would
// fight for.
type readerAt struct{ io.ReaderAt }

func (c *CAR) read(ctx context.Context, id cid.Cid) (io.Reader, error) {
	block, err := c.blocks.Get(ctx, id)
	if format.IsNotFound(err) {
		return nil, NotFound{id}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: block %s: %w", c.file.Name(), id, err)
	}
	return bytes.NewReader(block.RawData()), nil
}

// LinkSystem gives access to the blocks.
func (c *CAR) LinkSystem() *linking.LinkSystem { return c.lsys }

// DefaultRoot is the first root of the CAR.
func (c *CAR) DefaultRoot() (cid.Cid, bool) {
	if len(c.roots) == 0 {
		return cid.Undef, false
	}
	return c.roots[0], true
}

// Close closes the file.
func (c *CAR) Close() error { return c.file.Close() }
