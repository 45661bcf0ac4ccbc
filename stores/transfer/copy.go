// Package transfer moves maps between stores.
package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/flight"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/gate"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/links"
)

// Options say what is copied, and how.
type Options struct {
	// Params are those of a map in a layout of Filecoin or py-hamt, whose blocks do
	// not carry them. Any other map says by itself what it is.
	Params params.Params
	// Values takes along the blocks that values link to, and all that those
	// link to.
	Values bool
	// Fresh means that the destination is new. Then a source that can deliver all
	// below a block in one answer is asked for that, which saves most of the
	// requests: for all below the root if Values is set, else for parts of the
	// map, as long as no value in them is a link. Into a destination that has
	// some blocks already, each is asked for by itself: no others are moved.
	Fresh bool
	// WeakDigests allows CIDs that do not tell blocks apart, which the two stores
	// must take too ([stores.Base.AllowWeakDigests]).
	WeakDigests bool
	// AtOnce is how many blocks may be on their way at the same time; 0 means
	// as many as the library reads ahead.
	AtOnce int
	// Begun, if not nil, is called with the map when its root is there.
	Begun func(m *adl.Node)
	// Progress, if not nil, is called whenever it has changed, by several
	// goroutines at the same time.
	Progress func(Progress)
}

// Progress is how far a copy is.
type Progress struct {
	Seen  int64 // blocks looked at
	Moved int64 // blocks that the destination lacked: seen, or to be seen soon
	Bytes int64 // of those
	// Opaque counts linked blocks in a codec that is not known here: they are
	// copied, and what they may link to is not.
	Opaque int64
	// Left counts the links in values that were not followed, without Options.Values.
	Left int64
}

// Copy copies a map's blocks that the destination lacks, and no others: what is
// there already is read there, for what it links to. When it returns without an
// error, all blocks have been put; Publish is for the caller. After an error
// the destination keeps what it got, if it is a stores.Syncer, and another Copy
// goes on from there.
//
// Blocks are checked against their CIDs before they are put, once each: by the store
// that they come from if it does that, else here. A fault in the map
// is a *fault.Error.
func Copy(ctx context.Context, root cid.Cid, from stores.Store, to stores.Writable, o Options) (Progress, error) {
	c := &copier{from: from, to: to, options: o}
	walking, cancel := context.WithCancel(ctx)
	err := c.walk(walking, root)
	cancel()
	c.loads.Close()
	if syncer, ok := to.(stores.Syncer); ok && err != nil {
		err = errors.Join(err, syncer.Sync()) // for the copy that goes on from here
	}
	return c.progress(), err
}

// walk reads all of a map through the copier.
func (c *copier) walk(ctx context.Context, root cid.Cid) error {
	o := c.options
	options := []hamt.Option{hamt.WithParams(o.Params)}
	if o.AtOnce > 0 {
		options = append(options, hamt.WithReadAhead(o.AtOnce))
	}
	c.Base = stores.NewBase(stores.Blocks{Get: c.get, Checked: true})
	if o.WeakDigests {
		c.AllowWeakDigests()
		options = append(options, hamt.WithWeakDigests())
	}
	trees, givesTrees := c.from.(treeStore)
	if givesTrees && o.Fresh && o.Values {
		// One answer for all: values of several parts of the map may link to
		// the same blocks, which would come with each part.
		if _, err := c.tree(ctx, trees, root, nil); err != nil {
			return err
		}
	}
	lsys := c.LinkSystem()
	lsys.TrustedStorage = true // get returns checked blocks
	m, err := hamt.Load(ctx, lsys, cidlink.Link{Cid: root}, options...)
	if err != nil {
		return err
	}
	if o.Begun != nil {
		o.Begun(m)
	}
	if givesTrees && o.Fresh && !o.Values {
		if err := c.parts(ctx, trees, root, m); err != nil {
			return err
		}
	}
	if o.Values {
		return EachLinked(ctx, m, c.Get, func(_ cid.Cid, _ []byte, opaque bool) error {
			if opaque {
				c.count.opaque.Add(1)
			}
			return nil
		})
	}
	for entry, err := range m.Entries(ctx) {
		if err != nil {
			return err
		}
		c.count.left.Add(int64(linksIn(entry.Raw())))
	}
	return nil
}

// linksIn returns the number of links in a value. One that cannot be read is left as
// it is, too.
func linksIn(value []byte) int {
	if !bytes.Contains(value, []byte("\xd8\x2a")) { // the tag of a link
		return 0
	}
	all, _ := links.InDagCBOR(value)
	return len(all)
}

// copier puts into one store what is read through it and came from another.
type copier struct {
	stores.Base // as which the map is read
	from        stores.Store
	to          stores.Writable
	options     Options
	flights     flight.Group // a block that several link to moves once

	count struct{ seen, moved, bytes, opaque, left atomic.Int64 }

	// Loads begun ahead are still under way when a walk breaks off. They end
	// before the copy does: the stores may be closed after that.
	loads gate.Gate
}

var errOver = errors.New("the copy is over")

func (c *copier) progress() Progress {
	return Progress{
		Seen: c.count.seen.Load(), Moved: c.count.moved.Load(), Bytes: c.count.bytes.Load(),
		Opaque: c.count.opaque.Load(), Left: c.count.left.Load(),
	}
}

// get is moved, for who goes through the map.
func (c *copier) get(ctx context.Context, id cid.Cid) ([]byte, error) {
	block, err := c.moved(ctx, id)
	if err == nil {
		c.count.seen.Add(1)
		c.tell()
	}
	return block, err
}

// moved returns a block, which the destination has from then on.
func (c *copier) moved(ctx context.Context, id cid.Cid) ([]byte, error) {
	if !c.loads.Enter() {
		return nil, errOver
	}
	defer c.loads.Leave()
	return c.flights.Do(ctx, id, func() ([]byte, error) { return c.move(ctx, id) })
}

// move returns a block, and puts it where it was not. It is checked as it comes, and
// not again.
func (c *copier) move(ctx context.Context, id cid.Cid) ([]byte, error) {
	if err := c.CheckDigest(id); err != nil {
		return nil, err
	}
	has, err := c.to.Has(ctx, id)
	if err != nil {
		return nil, err
	}
	if has && c.options.Fresh {
		return c.again(ctx, id)
	}
	if has {
		return stores.GetChecked(ctx, c.to, id)
	}
	block, err := stores.GetChecked(ctx, c.from, id)
	if err != nil {
		return nil, err
	}
	return block, c.put(ctx, id, block)
}

// again reads a block that this copy has checked and put. Get would hash it again.
func (c *copier) again(ctx context.Context, id cid.Cid) (block []byte, err error) {
	r, err := c.to.LinkSystem().StorageReadOpener(linking.LinkContext{Ctx: ctx}, cidlink.Link{Cid: id})
	if err != nil {
		return nil, err
	}
	if closer, ok := r.(io.Closer); ok {
		defer func() { err = errors.Join(err, closer.Close()) }()
	}
	return stores.ReadBlock(r, 0)
}

func (c *copier) put(ctx context.Context, id cid.Cid, block []byte) error {
	if err := c.to.Put(ctx, id, block); err != nil {
		return err
	}
	c.count.moved.Add(1)
	c.count.bytes.Add(int64(len(block)))
	c.tell()
	return nil
}

func (c *copier) tell() {
	if c.options.Progress != nil {
		c.options.Progress(c.progress())
	}
}
