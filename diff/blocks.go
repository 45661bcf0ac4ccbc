package diff

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// NewBlocks visits the blocks of b that a has not: what has to be sent to somebody who
// has a for him to have b. They come as those of adl.Node.RawBlocks do, the root first,
// then depth first. Blocks that values link to are not the maps' own. nil stands for
// the empty map, which has no blocks.
//
// Of both maps only nodes that differ are loaded. Where the maps differ in hash, bit
// width or layout they have no node in common: then all blocks of b come, and of a none
// is loaded.
//
// Errors are those of Changes.
func NewBlocks(ctx context.Context, a, b *adl.Node) iter.Seq2[adl.Block, error] {
	return func(yield func(adl.Block, error) bool) {
		if b == nil {
			return
		}
		if !alike(a, b) {
			for block, err := range b.RawBlocks(ctx) {
				if !yield(block, at(err, B, nil)) || err != nil {
					return
				}
			}
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if err := newBlocks(ctx, a, b, yield); err != nil {
			yield(adl.Block{}, err)
		}
	}
}

// alike reports whether two maps may have blocks in common.
func alike(a, b *adl.Node) bool {
	return a != nil && trie.Joint(treeOf(a), treeOf(b)) && a.Params().Layout == b.Params().Layout
}

func newBlocks(ctx context.Context, a, b *adl.Node, yield func(adl.Block, error) bool) error {
	rootA, err := a.Link()
	if err != nil {
		return at(err, A, nil)
	}
	rootB, err := b.Link()
	if err != nil {
		return at(err, B, nil)
	}
	if rootA == rootB {
		return nil
	}
	lsys := b.LinkSystem()
	writer, err := blockio.NewWriter(&lsys, b.LinkPrototype(), math.MaxInt)
	if err != nil {
		return err
	}
	walk := trie.CoWalk{Trees: []*trie.Tree{treeOf(a), treeOf(b)}, Ahead: resolve(a, b, nil).ahead, Choose: func(slots []trie.Slot) trie.Choice {
		if slots[1].IsLink() && !slots[1].SameBlocks(slots[0]) {
			return trie.Descend
		}
		return trie.Pass
	}}.Start(ctx)
	for {
		event, more := walk.Next()
		switch {
		case !more:
			return nil
		case event.Err != nil:
			return at(event.Err, Side(event.Tree), nil)
		case event.Kind == trie.CoEnter && event.Visit.Node(1) != nil:
			block, err := newBlock(ctx, writer, event.Visit, rootB)
			if err != nil {
				return at(err, B, nil)
			}
			if !yield(block, nil) {
				return nil
			}
			for part := range event.Visit.Node(1).Parts {
				if block.Link, err = blockio.Link(part); err == nil {
					block.Bytes, err = writer.Load(ctx, block.Link)
				}
				if err != nil {
					return at(err, B, nil)
				}
				if !yield(block, nil) {
					return nil
				}
			}
		}
	}
}

// newBlock returns the block of the second map's node at a visit.
func newBlock(ctx context.Context, writer *blockio.Writer, visit *trie.CoVisit, root datamodel.Link) (b adl.Block, err error) {
	b.Link = root
	if binaryCID := visit.CID(1); binaryCID != nil {
		if b.Link, err = blockio.Link(binaryCID); err != nil {
			return b, err
		}
	}
	b.Bytes, err = writer.Stored(ctx, b.Link, visit.Node(1))
	var f *fault.Error
	if errors.As(err, &f) {
		err = faults.At(f, nil, b.Link, visit.Path())
	}
	return b, err
}
