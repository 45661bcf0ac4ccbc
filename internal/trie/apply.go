package trie

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// Applied is a tree with changes made to it.
type Applied struct {
	// Root is the encoder of the new root.
	Root *block.Encoder
	// Delta is by how much the number of entries changes.
	Delta int64
	// Opened reports whether a binary CID is that of a node of the old tree that
	// the changes led into. Such a node of the new tree has been written before.
	Opened func(binaryCID []byte) bool
}

// Apply builds the tree that holds what t does once the changes are made. What
// they do not touch is linked to, and nodes that they do touch are emitted
// anew, without their empty buckets. puts is as for a Builder.
// There are several parts if ahead allows it.
//
// Where the store is slow, up to ahead of the nodes that the changes lead into
// are being loaded at the same time; 1 means that nothing is loaded before it
// is needed, and by one goroutine.
func (t *Tree) Apply(ctx context.Context, changes *hashsort.Overlay, puts func() Put, ahead int) (Applied, error) {
	workers := min(runtime.GOMAXPROCS(0), ahead)
	if changes.Len() < parallelFrom {
		workers = 1
	}
	parts := changes.Parts(workers)
	loader := newPreloader(ctx, t, parts.Len(), ahead)
	defer loader.end()
	appliers := make([]*applier, parts.Len())
	var wait sync.WaitGroup
	for i := range appliers {
		a := &applier{loader: loader, plan: loader.plans[i], tree: t, emitter: NewEmitter(t.params, t.hasher, puts()), order: hashsort.NewOrder(t.hasher, t.params.BitWidth), opened: map[string]struct{}{}}
		appliers[i] = a
		wait.Go(func() {
			if err := a.root(parts, i); err != nil {
				loader.fail(err)
			}
			loader.done(a.plan)
		})
	}
	wait.Wait()
	if err := loader.failure(); err != nil {
		return Applied{}, err
	}
	out := Applied{Root: block.NewEncoder(t.params), Opened: func(binaryCID []byte) bool {
		return slices.ContainsFunc(appliers, func(a *applier) bool {
			_, opened := a.opened[string(binaryCID)]
			return opened
		})
	}}
	for _, a := range appliers {
		out.Root.Join(a.encoder)
		out.Delta += a.delta
	}
	return out, nil
}

// applier applies the changes to one part of a tree.
type applier struct {
	loader  *preloader
	plan    *plan
	tree    *Tree
	emitter *Emitter
	order   hashsort.Order
	indexes [][]int // of the elements of the node at each depth

	encoder *block.Encoder // of its part of the root
	delta   int64
	opened  map[string]struct{}
}

// root applies part i of the changes to the root's elements that it covers.
func (a *applier) root(parts *hashsort.Parts, i int) error {
	changes := make([]hashsort.Entry, 0, parts.Size(i))
	err := parts.Each(i, func(change hashsort.Entry) error {
		changes = append(changes, change)
		return nil
	})
	if err != nil {
		return err
	}
	from, end := parts.RootIndexes(i)
	if err := a.node(a.tree.root, nil, from, end, changes, nil); err != nil {
		return err
	}
	a.encoder, err = a.emitter.Finish()
	return err
}

// node applies changes to the elements of the node at path with indexes from
// up to but not including end. All changes lead there. loads are the planned ones of its
// children, if they are planned.
func (a *applier) node(node *block.Node, path []int, from, end int, changes []hashsort.Entry, loads []plannedLoad) error {
	depth := len(path)
	indexes := a.indexesOf(node, depth)
	position, _ := slices.BinarySearch(indexes, from)
	last, _ := slices.BinarySearch(indexes, end)
	whole := a.whole(node, indexes, depth, changes)
	for len(changes) > 0 {
		index, here, rest := a.order.Cut(changes, depth)
		at, there := slices.BinarySearch(indexes, index)
		if err := a.untouched(node, indexes, position, at, path, whole); err != nil {
			return err
		}
		position = at
		var err error
		switch childPath := append(path[:depth:depth], index); {
		case !there:
			err = a.fresh(here)
		case node.IsLink(at):
			if len(loads) == 0 && a.loader.plansAhead() {
				loads = a.loader.planChildren(a.plan, node, depth, changes)
			}
			var planned *plannedLoad
			if len(loads) > 0 {
				planned, loads = &loads[0], loads[1:]
			}
			err = a.child(node, at, childPath, here, planned)
		default:
			err = a.bucket(node, at, childPath, here)
		}
		if err != nil {
			return err
		}
		if there {
			position++
		}
		changes = rest
	}
	return a.untouched(node, indexes, position, last, path, whole)
}

// indexesOf lists the indexes of a node's elements, in memory that serves for
// every node at that depth.
func (a *applier) indexesOf(node *block.Node, depth int) []int {
	if depth == len(a.indexes) {
		a.indexes = append(a.indexes, nil)
	}
	indexes := a.indexes[depth][:0]
	node.Indexes(func(_, index int) bool {
		indexes = append(indexes, index)
		return true
	})
	a.indexes[depth] = indexes
	return indexes
}

// whole reports whether a node stays one for sure, by what changes do not touch:
// then that can be taken over as it is encoded.
func (a *applier) whole(node *block.Node, indexes []int, depth int, changes []hashsort.Entry) bool {
	if node.NonCanonical() || node.HasOddBucket() {
		return false // it must not be taken over as it is
	}
	if depth == 0 {
		return true
	}
	links, entries := node.Links(), node.Entries()
	for len(changes) > 0 {
		var index int
		index, _, changes = a.order.Cut(changes, depth)
		if at, there := slices.BinarySearch(indexes, index); there {
			if node.IsLink(at) {
				links--
			} else {
				entries -= node.BucketLen(at)
			}
		}
	}
	return links > 0 || entries > a.tree.params.BucketSize
}

// untouched takes over the elements from position up to but not including end.
func (a *applier) untouched(node *block.Node, indexes []int, position, end int, path []int, whole bool) error {
	if position >= end {
		return nil
	}
	if whole {
		return a.emitter.AddElements(path, indexes[position:end], node.Elements(position, end))
	}
	for ; position < end; position++ {
		at := append(path[:len(path):len(path)], indexes[position])
		var err error
		if node.IsLink(position) {
			err = a.emitter.AddLink(at, node.Link(position))
		} else {
			err = a.untouchedBucket(node, position, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fresh adds changes at an index where the node has no element.
func (a *applier) fresh(changes []hashsort.Entry) error {
	for _, change := range changes {
		if len(change.Value) == 0 {
			continue
		}
		a.delta++
		if err := a.emitter.Add(change); err != nil {
			return err
		}
	}
	return nil
}

// child applies changes to the child that the link at position of a node leads
// to; planned is nil where the part loads it by itself.
func (a *applier) child(node *block.Node, position int, path []int, changes []hashsort.Entry, planned *plannedLoad) error {
	child, below, err := a.load(node, position, path, planned)
	if err != nil {
		return err
	}
	a.opened[string(node.Link(position))] = struct{}{}
	return a.node(child, path, 0, 1<<a.order.BitWidth(), changes, below)
}

// load returns a child, and the planned loads of its own children if it was
// planned itself.
func (a *applier) load(node *block.Node, position int, path []int, planned *plannedLoad) (child *block.Node, below []plannedLoad, err error) {
	if planned != nil {
		return a.loader.take(a.plan, planned)
	}
	child, err = a.loader.loadUnplanned(a.plan, node, position, len(path))
	if err != nil {
		err = locatedCID(err, node.Link(position), slices.Clone(path))
	}
	return child, nil, err
}

// untouchedBucket adds the entries of a bucket that no change leads into.
func (a *applier) untouchedBucket(node *block.Node, position int, path []int) error {
	if node.BucketLen(position) > a.tree.params.BucketSize { // it will be a node
		return a.bucket(node, position, path, nil)
	}
	for b := node.Bucket(position); b.Next(); {
		head := a.order.Head(b.Key())
		if !a.placed(head, b.Key(), path) {
			return misplaced(b.Key(), path)
		}
		if err := a.emitter.Add(entry(node, &b, head)); err != nil {
			return err
		}
	}
	return nil
}

// bucket applies changes to a bucket.
func (a *applier) bucket(node *block.Node, position int, path []int, changes []hashsort.Entry) error {
	b := node.Bucket(position)
	result := make([]hashsort.Entry, 0, b.Len()+len(changes))
	a.delta -= int64(b.Len())
	for b.Next() {
		head := a.order.Head(b.Key())
		if a.changed(head, b.Key(), changes) {
			continue
		}
		if !a.placed(head, b.Key(), path) {
			return misplaced(b.Key(), path)
		}
		result = append(result, entry(node, &b, head))
	}
	for _, change := range changes {
		if len(change.Value) > 0 {
			result = append(result, change)
		}
	}
	a.delta += int64(len(result))
	a.order.Sort(result)
	for _, e := range result {
		if err := a.emitter.Add(e); err != nil {
			return err
		}
	}
	return nil
}

// changed reports whether there is a change for a key.
func (a *applier) changed(head uint64, key []byte, changes []hashsort.Entry) bool {
	_, found := slices.BinarySearchFunc(changes, key, func(change hashsort.Entry, key []byte) int {
		return a.order.Compare(change.Head, change.Key, head, key)
	})
	return found
}

// entry returns the bucket's current entry, in canonical encoding.
func entry(node *block.Node, b *block.Bucket, head uint64) hashsort.Entry {
	e := hashsort.Entry{Head: head, Key: b.Key(), Value: b.Value()}
	if node.NonCanonical() {
		e.Value = cbor.Canonical(e.Value)
	}
	return e
}

// placed reports whether a key's hash leads to path.
func (a *applier) placed(head uint64, key []byte, path []int) bool {
	for depth, index := range path {
		if a.order.Index(head, key, depth) != index {
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
