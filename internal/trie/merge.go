package trie

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Merged is what Merge found on its way.
type Merged struct {
	// Delta is by how much the number of entries changes.
	Delta int64
	// Opened are the binary CIDs of the nodes of the tree that the changes
	// led into. A node of the new tree that is equal to one of them has been
	// written before.
	Opened map[string]struct{}
}

// Merge feeds an emitter with what a tree holds once the changes are made:
// links to the subtrees that they do not touch, and the entries of all nodes
// that they do. Empty buckets of those nodes get lost on the way.
func (t *Tree) Merge(ctx context.Context, changes *Batch, e *Emitter) (Merged, error) {
	entries := changes.unsorted().sort()
	items := make([]Item, 0, changes.Len())
	if err := entries.each(entries.all(), nil, func(item Item) error { items = append(items, item); return nil }); err != nil {
		return Merged{}, err
	}
	m := merger{ctx: ctx, tree: t, emitter: e, order: e.order, out: Merged{Opened: map[string]struct{}{}}}
	err := m.node(t.root, nil, items)
	return m.out, err
}

type merger struct {
	ctx     context.Context
	tree    *Tree
	emitter *Emitter
	order   order
	out     Merged
}

// node merges the changes into the node at path. All changes lead there.
func (m *merger) node(node *block.Node, path []int, changes []Item) (err error) {
	depth := len(path)
	node.Indexes(func(position, index int) bool {
		// Changes at places before this element, where there was nothing.
		var before, here []Item
		before, changes = m.split(changes, depth, index)
		if err = m.fresh(before); err != nil {
			return false
		}
		here, changes = m.split(changes, depth, index+1)
		at := append(path[:depth:depth], index)
		switch {
		case node.IsLink(position) && len(here) == 0:
			err = m.emitter.AddLink(at, node.Link(position))
		case node.IsLink(position):
			err = m.child(node, position, at, here)
		case len(here) == 0:
			err = m.untouched(node, position, at)
		default:
			err = m.bucket(node, position, at, here)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return m.fresh(changes)
}

// split parts the changes at the first whose index at depth is not below limit.
func (m *merger) split(changes []Item, depth, limit int) (below, rest []Item) {
	if len(changes) == 0 {
		return nil, nil
	}
	n := sort.Search(len(changes), func(i int) bool {
		return m.order.index(changes[i].Head, changes[i].Key, depth) >= limit
	})
	return changes[:n], changes[n:]
}

// fresh adds changes where there was nothing.
func (m *merger) fresh(changes []Item) error {
	for _, change := range changes {
		if len(change.Value) == 0 {
			continue
		}
		m.out.Delta++
		if err := m.emitter.Add(change); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) child(parent *block.Node, position int, path []int, changes []Item) error {
	binaryCID := parent.Link(position)
	child, err := m.tree.child(m.ctx, parent, position, len(path), true)
	if err != nil {
		return locatedCID(err, binaryCID, slices.Clone(path))
	}
	m.out.Opened[string(binaryCID)] = struct{}{}
	return m.node(child, path, changes)
}

// untouched adds the entries of a bucket that no change leads into. Where they
// stand says as much of their hash as will be asked for.
func (m *merger) untouched(node *block.Node, position int, path []int) error {
	head, known := headOfPath(path, m.order.bitWidth)
	for b := node.Bucket(position); b.Next(); {
		if !known {
			head = m.order.head(b.Key())
			if !m.placed(head, b.Key(), path) {
				return misplaced(b.Key(), path)
			}
		}
		item, err := entry(node, &b, head)
		if err != nil {
			return err
		}
		if err := m.emitter.Add(item); err != nil {
			return err
		}
	}
	return nil
}

// bucket merges changes into a bucket.
func (m *merger) bucket(node *block.Node, position int, path []int, changes []Item) error {
	b := node.Bucket(position)
	result := make([]Item, 0, b.Len()+len(changes))
	m.out.Delta -= int64(b.Len())
	for b.Next() {
		head := m.order.head(b.Key())
		if m.changed(head, b.Key(), changes) {
			continue
		}
		if !m.placed(head, b.Key(), path) {
			return misplaced(b.Key(), path)
		}
		item, err := entry(node, &b, head)
		if err != nil {
			return err
		}
		result = append(result, item)
	}
	for _, change := range changes {
		if len(change.Value) > 0 {
			result = append(result, change)
		}
	}
	m.out.Delta += int64(len(result))
	m.order.sort(result)
	for _, item := range result {
		if err := m.emitter.Add(item); err != nil {
			return err
		}
	}
	return nil
}

// changed says whether there is a change for a key.
func (m *merger) changed(head uint64, key []byte, changes []Item) bool {
	_, found := slices.BinarySearchFunc(changes, key, func(change Item, key []byte) int {
		return m.order.compare(change.Head, change.Key, head, key)
	})
	return found
}

// entry makes an item of the bucket's current entry, in canonical encoding.
func entry(node *block.Node, b *block.Bucket, head uint64) (Item, error) {
	item := Item{Head: head, Key: b.Key(), Value: b.Value()}
	if node.Loose() {
		value, err := cbor.Canonical(item.Value)
		if err != nil {
			return item, err
		}
		item.Value = value
	}
	return item, nil
}

// placed says whether a key's hash leads to path.
func (m *merger) placed(head uint64, key []byte, path []int) bool {
	for depth, index := range path {
		if m.order.index(head, key, depth) != index {
			return false
		}
	}
	return true
}

// misplaced refuses to edit next to an entry that no lookup finds: it would
// move, or get lost.
func misplaced(key []byte, path []int) error {
	return &fault.Error{Kind: fault.ErrMisplaced, Path: slices.Clone(path[:len(path)-1]),
		Detail: fmt.Sprintf("rebuild the map before editing it; key %q", key)}
}
