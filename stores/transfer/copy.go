// Package transfer moves maps between stores.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/flight"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/gate"
)

// Options say what is copied, and how.
type Options struct {
	// Params are those of a map in one of Filecoin's layouts, whose blocks do
	// not carry them. Any other map says by itself what it is.
	Params params.Params
	// Values takes along the blocks that values link to, and all that those
	// link to.
	Values bool
	// Fresh says that the destination is new. Then a source that can give all
	// below a root at once is asked for that, if Values is set: such sources
	// follow the links in values, too.
	Fresh bool
	// AtOnce is how many blocks may be on their way at the same time; 0 means
	// as many as the library reads ahead.
	AtOnce int
	// Begun, if not nil, is called with the map when its root is there.
	Begun func(m *adl.Node)
	// Progress, if not nil, is called after each block, by several goroutines
	// at the same time.
	Progress func(Progress)
}

// Progress is how far a copy is.
type Progress struct {
	Seen  int64 // blocks looked at
	Moved int64 // of them, blocks that the destination lacked
	Bytes int64 // of those
	// Opaque counts linked blocks in a codec that is not known here: they are
	// copied, and what they may link to is not.
	Opaque int64
}

// Copy copies a map's blocks that the destination lacks, and no others: what is
// there already is read there, for what it links to. When it returns without an
// error, all blocks have been put; Publish is for the caller. After an error
// the destination keeps what it got, but for what was on its way, and another
// Copy goes on from there.
//
// Blocks are checked against their CIDs before they are put. A fault in the map
// is a *fault.Error.
func Copy(ctx context.Context, root cid.Cid, from stores.Store, to stores.Writable, o Options) (Progress, error) {
	c := &copier{from: from, to: to, options: o, flights: flight.NewGroup[[]byte]()}
	if o.Fresh && o.Values {
		if err := c.tree(ctx, root); err != nil {
			return c.progress(), err
		}
	}
	options := []hamt.Option{hamt.WithParams(o.Params)}
	if o.AtOnce > 0 {
		options = append(options, hamt.WithReadAhead(o.AtOnce))
	}
	walking, cancel := context.WithCancel(ctx)
	err := c.walk(walking, root, options)
	cancel()
	c.loads.Close()
	if keeper, ok := to.(interface{ Sync() error }); ok && err != nil {
		err = errors.Join(err, keeper.Sync()) // for the copy that goes on from here
	}
	return c.progress(), err
}

// walk reads all of a map through the copier.
func (c *copier) walk(ctx context.Context, root cid.Cid, options []hamt.Option) error {
	o := c.options
	m, err := hamt.Load(ctx, stores.ReadingBlocks(c.get), cidlink.Link{Cid: root}, options...)
	if err != nil {
		return err
	}
	if o.Begun != nil {
		o.Begun(m)
	}
	if o.Values {
		err = EachLinked(ctx, m, c.get, func(_ cid.Cid, _ []byte, opaque bool) error {
			if opaque {
				c.opaque.Add(1)
			}
			return nil
		})
	} else {
		_, err = m.Stats(ctx)
	}
	return err
}

// copier puts into one store what is read through it and came from another.
type copier struct {
	from    stores.Store
	to      stores.Writable
	options Options
	flights *flight.Group[[]byte] // a block that several link to moves once

	seen, moved, bytes, opaque atomic.Int64

	// Loads begun ahead are still under way when a walk breaks off. They end
	// before the copy does: the stores may be closed after that.
	loads gate.Gate
}

var errOver = errors.New("the copy is over")

func (c *copier) progress() Progress {
	return Progress{Seen: c.seen.Load(), Moved: c.moved.Load(), Bytes: c.bytes.Load(), Opaque: c.opaque.Load()}
}

// get gives a block, which the destination has from then on.
func (c *copier) get(ctx context.Context, id cid.Cid) ([]byte, error) {
	if !c.loads.Enter() {
		return nil, errOver
	}
	defer c.loads.Leave()
	block, err := c.flights.Do(ctx, id.Bytes(), func() ([]byte, error) { return c.move(ctx, id) })
	if err == nil {
		c.saw()
	}
	return block, err
}

// move gives a block, and puts it where it was not.
func (c *copier) move(ctx context.Context, id cid.Cid) ([]byte, error) {
	has, err := c.to.Has(ctx, id)
	if err != nil {
		return nil, err
	}
	if has {
		return c.to.Get(ctx, id)
	}
	block, err := c.from.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return block, c.put(ctx, id, block)
}

func (c *copier) put(ctx context.Context, id cid.Cid, block []byte) error {
	if err := stores.Check(id, block); err != nil {
		return err
	}
	if err := c.to.Put(ctx, id, block); err != nil {
		return err
	}
	c.moved.Add(1)
	c.bytes.Add(int64(len(block)))
	return nil
}

func (c *copier) saw() {
	c.seen.Add(1)
	if c.options.Progress != nil {
		c.options.Progress(c.progress())
	}
}

// treeStore is a store that can give all blocks below a root in one answer.
type treeStore interface {
	Tree(ctx context.Context, root cid.Cid, visit func(c cid.Cid, block []byte) error) error
}

// tree puts what the source gives in one answer. That it gives less than all,
// or nothing, is no error: what is missing is asked for block by block.
func (c *copier) tree(ctx context.Context, root cid.Cid) error {
	source, ok := c.from.(treeStore)
	if !ok {
		return nil
	}
	var failed error
	_ = source.Tree(ctx, root, func(id cid.Cid, block []byte) error {
		failed = c.put(ctx, id, block)
		return failed
	})
	if failed != nil {
		return fmt.Errorf("copying: %w", failed)
	}
	return ctx.Err()
}
