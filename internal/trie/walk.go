package trie

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// maxVain is how many nodes a walk reaches in vain: they cannot be loaded, or
// are without links and hold nothing, or keys that do not lead there. A tree
// may have some: peers have bugs, and stores gaps. But blocks that link to each
// other many times over, each of them honest, have more paths than there is
// time for, and all but one of those to any block are vain. Keys are hashed to
// find that out only once as many nodes were entered, so a walk ends after twice
// that many vain ones at the latest.
const maxVain = 1 << 16

// Walker visits the nodes of a tree depth first, each node's elements in order
// of index: hash order. While one node is being used the next ones are being
// loaded.
//
// A walker that is dropped halfway holds nothing: there is no goroutine but
// one for each load or bundle under way, and those end by themselves.
// Cancelling the context ends loads early. A walker is for one goroutine.
type Walker struct {
	ctx       context.Context
	tree      *Tree
	nodesOnly bool // do not stop at buckets
	begun     bool
	entered   int // nodes below the root
	vain      int // nodes reached in vain
	stack     []frame

	// How nodes come to be in memory when their turn comes: see ahead.go.
	ahead   int           // loads under way at most
	bundles int           // bundles under way at most; 0 for none at all
	next    []*Place      // to be started together
	waiting int           // places that were started and not entered yet
	wake    chan struct{} // a load or a bundle has ended
	flying  atomic.Int64  // loads under way
	parsing atomic.Int64  // bundles under way
	held    atomic.Int64  // bytes that were read ahead and not entered yet
}

// Place is where a node stands, on the walk.
type Place struct {
	parent   *Place
	above    *block.Node // the parent's node
	position int         // of the link to here, in the parent
	index    int         // of the same
	depth    int         // 0 for the root
	node     *block.Node
	err      error
	children []Place       // one for each link, in order; nil until they are asked for
	done     chan struct{} // closed when the load ahead, or its bundle, ends; nil if there was none
	loaded   bool          // node and err are there, and seen by the walker
	shared   bool          // another one is loading it, so it is not to be read ahead
}

type frame struct {
	place    *Place
	position int // of the next element
	child    int // of the next link, in place.children
}

// Step is one stop of a walk: a node that is entered, or one of its buckets.
type Step struct {
	Place    *Place
	Position int   // of the bucket; -1 when the node is entered
	Err      error // the node could not be loaded; the walk goes on behind it
}

// Entered says that the step is the first into its node.
func (s Step) Entered() bool { return s.Position < 0 }

// Walk begins a walk over nodes and their buckets, with at most ahead loads in
// flight; 1 means that nothing is loaded before it is needed.
func (t *Tree) Walk(ctx context.Context, ahead int) *Walker {
	w := &Walker{ctx: ctx, tree: t, ahead: ahead, wake: make(chan struct{}, 1)}
	if processors := runtime.GOMAXPROCS(0); processors > 1 {
		w.bundles = min(processors, maxBundles)
	}
	return w
}

// WalkNodes begins a walk that stops at nodes only.
func (t *Tree) WalkNodes(ctx context.Context, ahead int) *Walker {
	w := t.Walk(ctx, ahead)
	w.nodesOnly = true
	return w
}

// Next goes to the next stop; false at the end.
func (w *Walker) Next() (Step, bool) {
	if !w.begun {
		w.begun = true
		root := &Place{node: w.tree.root, loaded: true}
		if err := w.ctx.Err(); err != nil {
			return Step{Place: root, Position: -1, Err: err}, true
		}
		w.push(root)
		return Step{Place: root, Position: -1}, true
	}
	for len(w.stack) > 0 {
		f := &w.stack[len(w.stack)-1]
		node := f.place.node
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
			return Step{Place: f.place, Position: position}, true
		}
		child := &f.place.expand()[f.child]
		w.entered++
		err := w.enter(child)
		f.child++
		// As long as no more than that were entered there is no need to look.
		if err != nil || w.entered > maxVain && child.node.Links() == 0 && !w.tree.leadsTo(child) {
			w.vain++
		}
		if w.vain > maxVain {
			w.stack = nil
			err = locatedCID(fault.New(fault.ErrEndless, "more than %d nodes", maxVain), child.CID(), child.Path())
		}
		if err != nil {
			return Step{Place: child, Position: -1, Err: err}, true
		}
		w.push(child)
		return Step{Place: child, Position: -1}, true
	}
	return Step{}, false
}

// leadsTo says whether the hash of the first key in a node leads to its place.
func (t *Tree) leadsTo(p *Place) bool {
	for position := range p.node.Len() {
		if b := p.node.Bucket(position); b.Next() {
			return t.leads(b.Key(), p)
		}
	}
	return false
}

// leads says whether the hash of a key leads to a place.
func (t *Tree) leads(key []byte, p *Place) bool {
	var buf keyhash.Buffer
	digest := t.hasher.Sum(&buf, key)
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

// Placed says whether the hash of a key leads to the element at index of the
// node at a place.
func (t *Tree) Placed(key []byte, p *Place, index int) bool {
	if !t.leads(key, p) {
		return false
	}
	var buf keyhash.Buffer
	return keyhash.Index(t.hasher.Sum(&buf, key), p.depth, t.params.BitWidth) == index
}

func (w *Walker) push(p *Place) { w.stack = append(w.stack, frame{place: p}) }

// pop leaves a node and lets go of it: a place lives as long as its parent's.
func (w *Walker) pop() {
	last := len(w.stack) - 1
	place := w.stack[last].place
	w.stack[last] = frame{}
	w.stack = w.stack[:last]
	place.node, place.children = nil, nil
}

// expand makes the places of a node's children.
func (p *Place) expand() []Place {
	if p.children == nil && p.node.Links() > 0 {
		p.children = make([]Place, 0, p.node.Links())
		p.node.Indexes(func(position, index int) bool {
			if p.node.IsLink(position) {
				p.children = append(p.children, Place{parent: p, above: p.node, position: position, index: index, depth: p.depth + 1})
			}
			return true
		})
	}
	return p.children
}

// Node is the node; only until the walk has left it.
func (p *Place) Node() *block.Node { return p.node }

// Depth is the node's depth, 0 for the root.
func (p *Place) Depth() int { return p.depth }

// CID is the node's binary CID; nil for the root.
func (p *Place) CID() []byte {
	if p.above == nil {
		return nil
	}
	return p.above.Link(p.position)
}

// Path is the node's path.
func (p *Place) Path() fault.Path {
	path := make(fault.Path, p.depth)
	for at := p; at.parent != nil; at = at.parent {
		path[at.depth-1] = at.index
	}
	return path
}
