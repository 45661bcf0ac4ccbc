package builder

import (
	"context"
	"maps"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// staged is a tree whose blocks are all encoded and not written yet: whatever is
// wrong with the data is found before anything is stored.
type staged struct {
	config *config
	parts  []*[]stagedBlock // of the tree below the root, each as its emitter encoded it
	root   []byte           // the root in DAG-CBOR
	named  blockio.Block    // and as a block
}

// stagedBlock is a block of a staged tree.
type stagedBlock struct {
	blockio.Block
	depth int
}

// puts returns the trie.Put of a part.
func (d *staged) puts() trie.Put {
	part := new([]stagedBlock)
	d.parts = append(d.parts, part)
	var room slab
	return func(raw []byte, depth int) ([]byte, error) {
		b, err := d.config.blockWriter.Encode(room.keep(raw))
		if err != nil {
			return nil, err
		}
		*part = append(*part, stagedBlock{b, depth})
		return b.CID, nil
	}
}

// slab keeps bytes in few large pieces, so that the blocks of a staged tree cost
// the garbage collector nothing.
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

// finish encodes the root.
func (d *staged) finish(root *block.Encoder) (err error) {
	d.root = root.AppendRoot(nil)
	d.named, err = d.config.blockWriter.Encode(d.root)
	if err != nil {
		return trie.Oversized(err, d.root, fault.Path{}, d.config.Params)
	}
	return nil
}

// write stores the blocks, the root last, except those for which known reports
// that they are there already.
func (d *staged) write(ctx context.Context, known func(binaryCID []byte) bool) error {
	w := d.config.writer(ctx, nil)
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
	return d.config.blockWriter.Write(ctx, d.named)
}

// node returns the Node of a staged tree that was written.
func (d *staged) node(ctx context.Context, count int64) (*adl.Node, error) {
	link, err := blockio.Link(d.named.CID)
	if err != nil {
		return nil, err
	}
	return d.config.node(ctx, d.root, len(d.named.Bytes), link, count)
}

// trees returns the builder of whole trees.
func (w *config) trees(puts func() trie.Put) trie.Builder {
	return trie.Builder{Params: w.Params, Hasher: w.hasher, Puts: puts}
}

// build builds and writes the tree of an overlay that holds no deletions, and
// before it what its values link to.
func (w *config) build(ctx context.Context, overlay *hashsort.Overlay, values []blockio.Block, nested nestedMaps) (*adl.Node, error) {
	d := staged{config: w}
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

func init() {
	nodes.Stage = func(prototype any) (nodes.Staged, error) {
		config, err := prototype.(Prototype).open()
		if err != nil {
			return nil, err
		}
		return &stagedMap{staged: staged{config: config}}, nil
	}
}

// stagedMap is a staged tree, and the blocks of its values, for those who make trees in
// another way than this package.
type stagedMap struct {
	staged
	values []blockio.Block
}

func (d *stagedMap) Params() params.Params { return d.config.Params }

func (d *stagedMap) Put() trie.Put { return d.puts() }

func (d *stagedMap) Inline(raw []byte) ([]byte, error) {
	inline, own, err := d.config.inlineOrBlock(raw)
	if own != nil {
		d.values = append(d.values, *own)
	}
	return inline, err
}

func (d *stagedMap) Finish(root *block.Encoder) ([]byte, error) {
	err := d.finish(root)
	return d.named.CID, err
}

func (d *stagedMap) Holds(t *trie.Tree) bool { return d.config.holdsTree(t) }

func (d *stagedMap) Write(ctx context.Context, known func([]byte) bool, copies func(nodes.AddBlock) error, count int64) (datamodel.Node, error) {
	if err := d.config.writeValues(ctx, d.values); err != nil {
		return nil, err
	}
	if err := d.copy(ctx, copies); err != nil {
		return nil, err
	}
	if err := d.write(ctx, known); err != nil {
		return nil, err
	}
	return d.node(d.config.Context, count)
}

// copy writes blocks that others have.
func (d *stagedMap) copy(ctx context.Context, copies func(nodes.AddBlock) error) error {
	w := d.config.writer(ctx, nil)
	defer w.stop()
	if err := copies(w.branch()); err != nil {
		return err
	}
	return w.wait()
}
