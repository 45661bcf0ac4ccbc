package merge

import (
	"context"
	"math"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// copyGrafts adds the blocks of the subtrees that were taken from maps in other stores,
// each node after those below it, but for those that a map in the merged one's store has
// at the same place.
func (s *slotwise) copyGrafts(ctx context.Context, add nodes.AddBlock) error {
	there := slices.Index(s.holds, true) // -1 for none
	for from := range s.trees {
		if len(s.grafts[from]) > 0 {
			if err := s.copyFrom(ctx, from, there, add); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *slotwise) copyFrom(ctx context.Context, from, there int, add nodes.AddBlock) error {
	t, subtrees := s.trees[from], hashsort.Prefixes(s.grafts[from])
	writer, err := blockio.NewWriter(t.Loader().LinkSystem(), t.LinkPrototype(), math.MaxInt)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	trees, sides := []*trie.Tree{t, nil}, []int{from, there}
	if there >= 0 {
		trees[1] = s.trees[there]
	}
	walk := trie.CoWalk{Trees: trees, Ahead: s.ahead, Region: subtrees, Choose: func(slots []trie.Slot) trie.Choice {
		if slots[0].IsLink() && !slots[0].SameBlocks(slots[1]) {
			return trie.Descend
		}
		return trie.Pass
	}}.Start(ctx)
	for {
		event, more := walk.Next()
		if !more {
			return nil
		}
		if event.Err != nil {
			return at(event.Err, s.side(sides[event.Tree]), s.path)
		}
		visit, width := event.Visit, t.Params().BitWidth
		if event.Kind != trie.CoLeave || !subtrees.Cover(keyhash.PrefixOf(visit.Path(), width), visit.Depth()*width) {
			continue // all but the first lead to what was taken
		}
		if err := s.copyNode(ctx, writer, walk, visit, add); err != nil {
			return at(err, s.side(from), s.path)
		}
	}
}

// copyNode adds the block of the first tree's node at a place.
func (s *slotwise) copyNode(ctx context.Context, writer *blockio.Writer, walk *trie.CoWalker, visit *trie.CoVisit, add nodes.AddBlock) error {
	link, err := blockio.Link(visit.CID(0))
	if err != nil {
		return err
	}
	raw, err := writer.Stored(ctx, link, visit.Node(0))
	if err != nil {
		return walk.Locate(err, visit, 0)
	}
	return add(blockio.Block{CID: visit.CID(0), Bytes: raw}, visit.Depth())
}
