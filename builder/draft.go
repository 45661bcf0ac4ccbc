package builder

import (
	"context"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"maps"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// draft is a tree whose blocks are all made and not written yet: whatever is
// wrong with the data has been found before anything is stored.
type draft struct {
	shop  *workshop
	parts []*[]made     // of the tree below the root, each as its emitter made it
	root  []byte        // the root in DAG-CBOR
	named blockio.Block // and as a block
}

// made is a block of a draft.
type made struct {
	blockio.Block
	depth int
}

// puts gives the trie.Put of a part.
func (d *draft) puts() trie.Put {
	part := new([]made)
	d.parts = append(d.parts, part)
	var room slab
	return func(raw []byte, depth int) ([]byte, error) {
		b, err := d.shop.sink.Encode(room.keep(raw))
		if err != nil {
			return nil, err
		}
		*part = append(*part, made{b, depth})
		return b.CID, nil
	}
}

// slab keeps bytes in few large pieces, so that the blocks of a draft are
// nothing to the garbage collector.
type slab struct {
	room []byte
	size int // of the piece
}

const (
	firstSlabBytes = 1 << 10
	mostSlabBytes  = 256 << 10
)

// keep copies bytes into the slab.
func (s *slab) keep(raw []byte) []byte {
	if cap(s.room)-len(s.room) < len(raw) {
		s.size = min(mostSlabBytes, max(firstSlabBytes, 2*s.size))
		s.room = make([]byte, 0, max(s.size, len(raw)))
	}
	from := len(s.room)
	s.room = append(s.room, raw...)
	return s.room[from:len(s.room):len(s.room)]
}

// finish makes the root.
func (d *draft) finish(root *block.Encoder) (err error) {
	d.root = root.AppendRoot(nil)
	d.named, err = d.shop.sink.Encode(d.root)
	if err != nil {
		return trie.Oversized(err, d.root, fault.Path{}, d.shop.Params)
	}
	return nil
}

// write stores the blocks, the root last, but for those that known says are
// there already.
func (d *draft) write(ctx context.Context, known func(binaryCID []byte) bool) error {
	w := d.shop.writer(ctx, nil)
	defer w.stop()
	for _, part := range d.parts {
		add := w.branch()
		for _, b := range *part {
			if known(b.CID) {
				continue
			}
			if err := add(b.Block, b.depth); err != nil {
				return err
			}
		}
	}
	if err := w.wait(); err != nil {
		return err
	}
	return d.shop.sink.Write(ctx, d.named)
}

// node makes the Node of a draft that was written.
func (d *draft) node(ctx context.Context, count int64) (*adl.Node, error) {
	link, err := blockio.Link(d.named.CID)
	if err != nil {
		return nil, err
	}
	return d.shop.node(ctx, d.root, len(d.named.Bytes), link, count)
}

// trees is what makes whole trees.
func (w *workshop) trees(puts func() trie.Put) trie.Builder {
	return trie.Builder{Params: w.Params, Hasher: w.hasher, Puts: puts}
}

// build makes and writes the tree of an overlay that holds no deletions, and
// before it what its values link to.
func (w *workshop) build(ctx context.Context, overlay *hashsort.Overlay, values []blockio.Block, nested nestedMaps) (*adl.Node, error) {
	d := draft{shop: w}
	root, count, err := w.trees(d.puts).Overlay(overlay)
	if err != nil {
		return nil, err
	}
	if err := d.finish(root); err != nil {
		return nil, err
	}
	if err := w.copyMaps(ctx, maps.Values(nested), true); err != nil {
		return nil, err
	}
	if err := w.writeValues(ctx, values); err != nil {
		return nil, err
	}
	if err := d.write(ctx, func([]byte) bool { return false }); err != nil {
		return nil, err
	}
	return d.node(ctx, count)
}
