package transfer

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"golang.org/x/sync/errgroup"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// treeStore is a store that can deliver all blocks below one in one answer, also
// those that values link to. visit gets each once, after one that links to it,
// and may end it.
type treeStore interface {
	Tree(ctx context.Context, root cid.Cid, visit func(c cid.Cid, block []byte) error) error
}

// parts puts parts of a map, each of which the source delivers in one answer. That
// it delivers less than all, or nothing, is no error: what is missing is asked for
// block by block.
func (c *copier) parts(ctx context.Context, source treeStore, root cid.Cid, m *adl.Node) error {
	p := &parts{of: m}
	atOnce := max(1, m.ReadAhead())
	below, err := c.below(ctx, root, p, atOnce)
	if err != nil || len(below) == 0 {
		return err
	}
	// The first one shows whether that is of any use.
	if delivered, err := c.tree(ctx, source, below[0], p); err != nil || !delivered {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, part := range below[1:] {
		if p.linked.Load() {
			break
		}
		group.Go(func() error {
			_, err := c.tree(ctx, source, part, p)
			return err
		})
	}
	return group.Wait()
}

// below finds blocks of which all below each can be asked for at the same time:
// those of the first level that has enough of them, or of the last one that has
// any. There are enough where a quarter of the places is taken: one level
// further down there may be so many that they have nothing below them. None,
// where values link to something.
func (c *copier) below(ctx context.Context, root cid.Cid, p *parts, atOnce int) ([]cid.Cid, error) {
	level := []cid.Cid{root}
	for {
		next := make([][]cid.Cid, len(level))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for i, id := range level {
			group.Go(func() error {
				block, err := c.moved(ctx, id)
				if err == nil {
					next[i] = p.children(id, block)
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		var all []cid.Cid
		for _, links := range next {
			all = append(all, links...)
		}
		switch {
		case p.linked.Load():
			return nil, nil
		case len(all) == 0:
			return nil, nil // all is there
		case len(all) >= atOnce/4 || len(all) <= len(level):
			return all, nil
		}
		level = all
	}
}

// errEnough ends an answer from which nothing more is wanted.
var errEnough = errors.New("nothing more is wanted")

// tree puts what the source delivers in one answer, of a part of the map as far as
// it is the map's own. It reports whether anything came.
func (c *copier) tree(ctx context.Context, source treeStore, top cid.Cid, p *parts) (delivered bool, err error) {
	var failed error
	_ = source.Tree(ctx, top, func(id cid.Cid, block []byte) error {
		delivered = true
		if !stores.Checks(c.from) {
			if failed = stores.Check(id, block); failed != nil {
				return failed
			}
		}
		if failed = c.putNew(ctx, id, block); failed != nil {
			return failed
		}
		if p != nil {
			p.children(id, block)
			if p.linked.Load() {
				return errEnough
			}
		}
		return nil
	})
	if failed != nil {
		return delivered, failed
	}
	return delivered, ctx.Err()
}

// putNew puts a block, unless it came on another way.
func (c *copier) putNew(ctx context.Context, id cid.Cid, block []byte) error {
	has, err := c.to.Has(ctx, id)
	if err != nil || has {
		return err
	}
	return c.put(ctx, id, block)
}

// parts is what is known of a map that is asked for in parts. linked says that
// an answer could bring more than the map: a value links to something, or a
// block is not as it should be.
type parts struct {
	of     *adl.Node
	linked atomic.Bool
}

// children returns the blocks of the map that a block of the map links to.
func (p *parts) children(id cid.Cid, block []byte) (below []cid.Cid) {
	links, inValues, err := p.of.BlockLinks(adl.Block{Link: cidlink.Link{Cid: id}, Bytes: block})
	if err != nil || len(inValues) > 0 {
		p.linked.Store(true)
	}
	for _, link := range links {
		c, err := stores.CIDOf(link)
		if err != nil {
			p.linked.Store(true)
			return nil
		}
		below = append(below, c)
	}
	return below
}
