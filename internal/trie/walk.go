package trie

import (
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// maxMisplaced is how many misplaced nodes a walk reaches before it ends: nodes
// that cannot be loaded, and leaves whose keys do not lead there, or that have
// none. A tree may have some: peers have bugs, and stores gaps. But blocks that
// link to each other many times over, each of them sound, have more paths than
// there is time for, and all but one of those to any block are misplaced. Keys
// are hashed to find that out only once as many nodes were entered, so a walk
// ends after twice that many misplaced ones at the latest.
const maxMisplaced = 1 << 16

// Walker visits the nodes of a tree depth first, each node's elements in order
// of index: hash order. While one node is being used the next ones are being
// loaded.
//
// A Walker may be dropped at any time: there is no goroutine but one for each
// load or batch under way, and those end by themselves. Cancelling the context
// ends loads early. A Walker is for one goroutine.
type Walker struct {
	reader
	nodesOnly bool // do not stop at buckets
	begun     bool
	misplaced int // nodes: see maxMisplaced
	stack     []frame
}

// place is where a node stands in its tree.
type place struct {
	parent *place
	index  int // in the parent
	depth  int // 0 for the root
}

// path returns the path of a place.
func (p *place) path() fault.Path {
	path := make(fault.Path, p.depth)
	for at := p; at.parent != nil; at = at.parent {
		path[at.depth-1] = at.index
	}
	return path
}

// Visit is a node on a walk, with its path to the root.
type Visit struct {
	place
	load
	children []Visit // one for each link, in order; nil until expand
}

type frame struct {
	visit    *Visit
	position int // of the next element
	child    int // of the next link, in visit.children
}

// Event is one stop of a walk. It takes four words: the compiler keeps larger
// structs in memory, and there is an event for each bucket.
type Event struct {
	Kind     EventKind
	position uint32 // of the bucket in its node, for AtBucket
	Visit    *Visit // of the node that is entered, holds the bucket, or failed to load
	Err      error  // for Failed
}

// Position returns the position of the bucket in its node, for AtBucket.
func (e Event) Position() int { return int(e.position) }

// EventKind is the kind of an Event.
type EventKind uint8

const (
	// EnterNode is the first stop in a node, the root among them.
	EnterNode EventKind = iota
	// AtBucket is a stop at one of the buckets of the node.
	AtBucket
	// Failed is the stop at a node that could not be loaded, or at one where
	// the walk ends early. What follows such a node is visited all the same.
	Failed
)

// Walk returns a walker over nodes and their buckets, with at most ahead loads in
// flight; 1 means that nothing is loaded before it is needed.
func (t *Tree) Walk(ctx context.Context, ahead int) *Walker {
	w := &Walker{}
	w.init(ctx, t, walkBudget(ahead), make(chan struct{}, 1))
	return w
}

// WalkNodes returns a walker that stops at nodes only.
func (t *Tree) WalkNodes(ctx context.Context, ahead int) *Walker {
	w := t.Walk(ctx, ahead)
	w.nodesOnly = true
	return w
}

// Next goes to the next stop. It returns false at the end.
func (w *Walker) Next() (Event, bool) {
	if !w.begun {
		w.begun = true
		root := &Visit{load: load{node: w.tree.root, loaded: true}}
		if err := w.ctx.Err(); err != nil {
			return Event{Kind: Failed, Visit: root, Err: err}, true
		}
		w.push(root)
		return Event{Kind: EnterNode, Visit: root}, true
	}
	for len(w.stack) > 0 {
		f := &w.stack[len(w.stack)-1]
		node := f.visit.node
		if f.position == node.Len() || w.nodesOnly && f.child == node.Links() {
			w.pop()
			continue
		}
		position := f.position
		f.position++
		if !node.IsLink(position) {
			if w.nodesOnly {
				continue
			}
			return Event{Kind: AtBucket, Visit: f.visit, position: uint32(position)}, true
		}
		child := &f.visit.expand()[f.child]
		err := w.enter(&child.load, w.readAhead)
		f.child++
		if err != nil {
			err = locatedCID(err, child.CID(), child.Path())
		}
		// Up to that many nodes there is no need to look.
		if err != nil || w.entered > maxMisplaced && child.node.Links() == 0 && !w.tree.leadsTo(child.node, &child.place) {
			w.misplaced++
		}
		if w.misplaced > maxMisplaced {
			w.stack = nil
			err = locatedCID(faults.New(fault.ErrEndless, "more than %d nodes", maxMisplaced), child.CID(), child.Path())
		}
		if err != nil {
			return Event{Kind: Failed, Visit: child, Err: err}, true
		}
		w.push(child)
		return Event{Kind: EnterNode, Visit: child}, true
	}
	return Event{}, false
}

// leadsTo reports whether the hash of the first key in a node leads to its place.
func (t *Tree) leadsTo(node *block.Node, p *place) bool {
	for position := range node.Len() {
		if node.IsLink(position) {
			continue
		}
		if b := node.Bucket(position); b.Next() {
			var buf keyhash.Buffer
			return t.leads(t.hasher.Sum(&buf, b.Key()), p)
		}
	}
	return false
}

// leads reports whether a digest leads to a place.
func (t *Tree) leads(digest []byte, p *place) bool {
	if !hasBits(8*len(digest), p.depth, t.params.BitWidth) {
		return false
	}
	for at := p; at.parent != nil; at = at.parent {
		if keyhash.Index(digest, at.parent.depth, t.params.BitWidth) != at.index {
			return false
		}
	}
	return true
}

// head returns the head of a key's hash, and whether the hash leads to the element
// at index of the node at a place.
func (t *Tree) head(key []byte, p *place, index int) (head uint64, placed bool) {
	var buf keyhash.Buffer
	digest := t.hasher.Sum(&buf, key)
	return keyhash.Head(digest), t.leads(digest, p) && keyhash.Index(digest, p.depth, t.params.BitWidth) == index
}

// Placed reports whether the hash of a key leads to the element at index of the
// node at a visit.
func (t *Tree) Placed(key []byte, v *Visit, index int) bool {
	_, placed := t.head(key, &v.place, index)
	return placed
}

func (w *Walker) push(v *Visit) { w.stack = append(w.stack, frame{visit: v}) }

// pop leaves a node and drops it: a visit lives as long as its parent's.
func (w *Walker) pop() {
	last := len(w.stack) - 1
	visit := w.stack[last].visit
	w.stack[last] = frame{}
	w.stack = w.stack[:last]
	visit.node, visit.children = nil, nil
}

// expand returns the visits of the node's children.
func (v *Visit) expand() []Visit {
	if v.children == nil && v.node.Links() > 0 {
		v.children = make([]Visit, 0, v.node.Links())
		v.node.Indexes(func(position, index int) bool {
			if v.node.IsLink(position) {
				depth := v.place.depth + 1
				v.children = append(v.children, Visit{place: place{&v.place, index, depth}, load: load{above: v.node, position: position, depth: depth}})
			}
			return true
		})
	}
	return v.children
}

// Node returns the node. It returns nil once the walk has left it.
func (v *Visit) Node() *block.Node { return v.node }

// Depth returns the node's depth, 0 for the root.
func (v *Visit) Depth() int { return v.place.depth }

// CID returns the node's binary CID, nil for the root.
func (v *Visit) CID() []byte {
	if v.above == nil {
		return nil
	}
	return v.above.Link(v.position)
}

// Path returns the node's path.
func (v *Visit) Path() fault.Path { return v.path() }

// readAhead starts loading what comes next, as far as the budget allows.
func (w *Walker) readAhead() {
	if mode := w.mode(); w.room(mode) {
		w.lookAhead(mode)
		w.flush()
	}
}

// lookAhead looks at what comes next until there is no room for more.
func (w *Walker) lookAhead(mode readAheadMode) {
	for i := len(w.stack) - 1; i >= 0; i-- {
		f := w.stack[i]
		if f.visit.node.Links() == 0 {
			continue
		}
		for c := f.child; c < f.visit.node.Links(); c++ {
			if !w.lookAt(&f.visit.expand()[c], mode) {
				return
			}
		}
	}
}

// lookAt looks at a visit, and at its children if it is loaded. It returns false if
// there is no room for more.
func (w *Walker) lookAt(v *Visit, mode readAheadMode) bool {
	if loaded, more := w.look(&v.load, mode); !loaded {
		return more
	}
	if v.node == nil || v.node.Links() == 0 {
		return true
	}
	children := v.expand()
	for i := range children {
		if !w.lookAt(&children[i], mode) {
			return false
		}
	}
	return true
}
