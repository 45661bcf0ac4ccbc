package trie

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Merged is a tree with changes made to it.
type Merged struct {
	// Root is the encoder of the new root.
	Root *block.Encoder
	// Delta is by how much the number of entries changes.
	Delta int64
	// Opened says whether a binary CID is that of a node of the old tree that
	// the changes led into. Such a node of the new tree has been written before.
	Opened func(binaryCID []byte) bool
}

// Merge makes the tree that holds what t does once the changes are made. What
// they do not touch is linked to, and nodes that they do touch are emitted
// anew; empty buckets of those get lost on the way. puts is as for a Builder.
// There are several parts if ahead allows it.
//
// Where the store is slow, up to ahead of the nodes that the changes lead into
// are being loaded at the same time; 1 means that nothing is loaded before it
// is needed, and by one goroutine.
func (t *Tree) Merge(ctx context.Context, changes *Batch, puts func() Put, ahead int) (Merged, error) {
	workers := min(runtime.GOMAXPROCS(0), ahead)
	if changes.Len() < parallelFrom {
		workers = 1
	}
	entries := changes.unsorted().scatter(1)
	parts := entries.parts(workers, t.params.BitWidth)
	loader := newLoader(ctx, t, len(parts), ahead)
	defer loader.end()
	mergers := make([]*merger, len(parts))
	var wait sync.WaitGroup
	for i, p := range parts {
		from, end := entries.rootIndexes(p, t.params.BitWidth)
		m := &merger{loader: loader, plan: loader.plans[i], tree: t, emitter: NewEmitter(t.params, t.hasher, puts()), order: entries.order, opened: map[string]struct{}{}}
		mergers[i] = m
		wait.Go(func() {
			entries.sort(p)
			if err := m.root(&entries, p, from, end); err != nil {
				loader.fail(err)
			}
			loader.done(m.plan)
		})
	}
	wait.Wait()
	if err := loader.failure(); err != nil {
		return Merged{}, err
	}
	out := Merged{Root: block.NewEncoder(t.params), Opened: func(binaryCID []byte) bool {
		return slices.ContainsFunc(mergers, func(m *merger) bool {
			_, opened := m.opened[string(binaryCID)]
			return opened
		})
	}}
	for _, m := range mergers {
		out.Root.Join(m.encoder)
		out.Delta += m.delta
	}
	return out, nil
}

// merger merges the changes to one part of a tree.
type merger struct {
	loader  *loader
	plan    *plan
	tree    *Tree
	emitter *Emitter
	order   order
	indexes [][]int // of the elements of the node at each depth

	encoder *block.Encoder // of its part of the root
	delta   int64
	opened  map[string]struct{}
}

// root merges a part of the changes into the root's elements with indexes from
// up to but not including end.
func (m *merger) root(entries *sorted, p part, from, end int) error {
	changes := make([]Item, 0, entries.len(p))
	err := entries.each(p, nil, func(item Item) error {
		changes = append(changes, item)
		return nil
	})
	if err != nil {
		return err
	}
	if err := m.node(m.tree.root, nil, from, end, changes, nil); err != nil {
		return err
	}
	m.encoder, err = m.emitter.Finish()
	return err
}

// node merges changes into the elements of the node at path with indexes from
// up to but not including end. All changes lead there. visits are those of its
// children, where they are planned.
func (m *merger) node(node *block.Node, path []int, from, end int, changes []Item, visits []visit) error {
	depth := len(path)
	indexes := m.indexesOf(node, depth)
	position, _ := slices.BinarySearch(indexes, from)
	last, _ := slices.BinarySearch(indexes, end)
	whole := m.whole(node, indexes, depth, changes)
	for len(changes) > 0 {
		index, here, rest := m.order.cut(changes, depth)
		at, there := slices.BinarySearch(indexes, index)
		if err := m.untouched(node, indexes, position, at, path, whole); err != nil {
			return err
		}
		position = at
		var err error
		switch childPath := append(path[:depth:depth], index); {
		case !there:
			err = m.fresh(here)
		case node.IsLink(at):
			if len(visits) == 0 && m.loader.pays() {
				visits = m.loader.begin(m.plan, node, depth, changes)
			}
			var planned *visit
			if len(visits) > 0 {
				planned, visits = &visits[0], visits[1:]
			}
			err = m.child(node, at, childPath, here, planned)
		default:
			err = m.bucket(node, at, childPath, here)
		}
		if err != nil {
			return err
		}
		if there {
			position++
		}
		changes = rest
	}
	return m.untouched(node, indexes, position, last, path, whole)
}

// indexesOf lists the indexes of a node's elements, in memory that serves for
// every node at that depth.
func (m *merger) indexesOf(node *block.Node, depth int) []int {
	if depth == len(m.indexes) {
		m.indexes = append(m.indexes, nil)
	}
	indexes := m.indexes[depth][:0]
	node.Indexes(func(_, index int) bool {
		indexes = append(indexes, index)
		return true
	})
	m.indexes[depth] = indexes
	return indexes
}

// whole says whether a node stays one for sure, by what changes do not touch:
// then that can be taken over as it is encoded.
func (m *merger) whole(node *block.Node, indexes []int, depth int, changes []Item) bool {
	if node.Loose() || node.HasEmptyBucket() {
		return false // it must not be taken over as it is
	}
	if depth == 0 {
		return true
	}
	links, entries := node.Links(), node.Entries()
	for len(changes) > 0 {
		var index int
		index, _, changes = m.order.cut(changes, depth)
		if at, there := slices.BinarySearch(indexes, index); there {
			if node.IsLink(at) {
				links--
			} else {
				entries -= node.BucketLen(at)
			}
		}
	}
	return links > 0 || entries > m.tree.params.BucketSize
}

// untouched takes over the elements from position up to but not including end.
func (m *merger) untouched(node *block.Node, indexes []int, position, end int, path []int, whole bool) error {
	if position >= end {
		return nil
	}
	if whole {
		return m.emitter.AddElements(path, indexes[position:end], node.Elements(position, end))
	}
	for ; position < end; position++ {
		at := append(path[:len(path):len(path)], indexes[position])
		var err error
		if node.IsLink(position) {
			err = m.emitter.AddLink(at, node.Link(position))
		} else {
			err = m.untouchedBucket(node, position, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fresh adds changes where there was nothing.
func (m *merger) fresh(changes []Item) error {
	for _, change := range changes {
		if len(change.Value) == 0 {
			continue
		}
		m.delta++
		if err := m.emitter.Add(change); err != nil {
			return err
		}
	}
	return nil
}

// child merges changes into the child that the link at position of a node leads
// to; planned is nil where the part loads it by itself.
func (m *merger) child(node *block.Node, position int, path []int, changes []Item, planned *visit) error {
	child, below, err := m.load(node, position, path, planned)
	if err != nil {
		return err
	}
	m.opened[string(node.Link(position))] = struct{}{}
	return m.node(child, path, 0, 1<<m.order.bitWidth, changes, below)
}

// load gives a child, and the visits of its own children where it was planned.
func (m *merger) load(node *block.Node, position int, path []int, planned *visit) (child *block.Node, below []visit, err error) {
	if planned != nil {
		return m.loader.take(m.plan, planned)
	}
	child, err = m.loader.single(m.plan, node, position, len(path))
	if err != nil {
		err = locatedCID(err, node.Link(position), slices.Clone(path))
	}
	return child, nil, err
}

// untouchedBucket adds the entries of a bucket that no change leads into.
func (m *merger) untouchedBucket(node *block.Node, position int, path []int) error {
	for b := node.Bucket(position); b.Next(); {
		head := m.order.head(b.Key())
		if !m.placed(head, b.Key(), path) {
			return misplaced(b.Key(), path)
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
	m.delta -= int64(b.Len())
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
	m.delta += int64(len(result))
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
	return &fault.Error{Kind: fault.ErrMisplaced, Path: append(fault.Path{}, path[:len(path)-1]...),
		Key: key, Detail: "rebuild the map before editing it"}
}
