package trie

import (
	"context"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// Read-ahead, in numbers.
const (
	// DefaultAhead is how many blocks are being loaded at the same time unless
	// told otherwise.
	DefaultAhead = 64
	// aheadBytes bounds the blocks that are loaded and not consumed yet.
	aheadBytes = 32 << 20
	// aheadPlaces bounds their number, as a multiple of the loads in flight:
	// inner nodes wait long for their turn, and must not stop the leaves
	// before them from being loaded.
	aheadPlaces = 4
)

// maxVain is how many nodes a walk reaches in vain: they cannot be loaded, or
// are without links and hold nothing, or keys that do not lead there. A tree
// may have some: peers have bugs, and stores gaps. But blocks that link to each
// other many times over, each of them honest, have more paths than there is
// time for, and all but one of those to any block are vain.
const maxVain = 1 << 16

// Walker visits the nodes of a tree depth first, each node's elements in order
// of index: hash order. While one node is being used the next ones are being
// loaded, as soon as the store turns out to be slow.
//
// A walker that is dropped halfway holds nothing: there is no goroutine but
// one for each load under way, and those end with their loads. Cancelling the
// context ends them early. A walker is for one goroutine.
type Walker struct {
	ctx       context.Context
	tree      *Tree
	ahead     int  // loads in flight at most
	nodesOnly bool // do not stop at buckets
	begun     bool
	vain      int // nodes reached in vain
	stack     []frame

	waiting int           // places that were started and not entered yet
	wake    chan struct{} // a load has ended
	flying  atomic.Int64  // loads under way
	held    atomic.Int64  // bytes of nodes that were loaded ahead and not entered yet
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
	done     chan struct{} // closed when a load ahead ends; nil if there was none
	loaded   bool          // node and err are there, and seen by the walker
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
	return &Walker{ctx: ctx, tree: t, ahead: ahead, wake: make(chan struct{}, 1)}
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
		f.child++
		err := w.enter(child)
		if err != nil || child.node.Links() == 0 && !w.tree.leadsTo(child) {
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

// enter sees to it that a place is loaded.
func (w *Walker) enter(p *Place) error {
	if err := w.ctx.Err(); err != nil { // a cache would never say so
		return err
	}
	if p.done == nil && (w.ahead < 2 || !w.tree.source.Slow()) {
		p.node, p.err = w.load(p)
		p.loaded = true
		return p.err
	}
	if p.done == nil { // its turn has come, however much is waiting to be entered
		if err := w.waitForRoom(); err != nil {
			return err
		}
		w.start(p)
	}
	if err := w.wait(p); err != nil {
		return err
	}
	w.waiting--
	if p.node != nil {
		w.held.Add(-int64(p.node.Memory()))
	}
	w.readAhead()
	return p.err
}

// waitForRoom waits until one more load may be under way.
func (w *Walker) waitForRoom() error {
	for w.flying.Load() >= int64(w.ahead) {
		select {
		case <-w.wake:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	return nil
}

// wait waits for a load, and keeps others going meanwhile.
func (w *Walker) wait(p *Place) error {
	for {
		select {
		case <-p.done:
			p.loaded = true
			return nil
		default:
		}
		w.readAhead()
		select {
		case <-p.done:
		case <-w.wake:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}

func (w *Walker) load(p *Place) (*block.Node, error) {
	node, err := w.tree.child(w.ctx, p.above, p.position, p.depth, false)
	if err != nil {
		return nil, locatedCID(err, p.CID(), p.Path())
	}
	return node, nil
}

// start begins a load in a goroutine of its own, which ends with it.
func (w *Walker) start(p *Place) {
	p.done = make(chan struct{})
	w.waiting++
	w.flying.Add(1)
	go func() {
		p.node, p.err = w.load(p)
		if p.node != nil {
			w.held.Add(int64(p.node.Memory()))
		}
		w.flying.Add(-1)
		close(p.done)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}()
}

// readAhead starts the loads that come next, as far as the limits allow.
func (w *Walker) readAhead() {
	for i := len(w.stack) - 1; i >= 0; i-- {
		f := w.stack[i]
		if f.place.node.Links() == 0 {
			continue
		}
		for c := f.child; c < f.place.node.Links(); c++ {
			if !w.look(&f.place.expand()[c]) {
				return
			}
		}
	}
}

// look starts the load of a place, or goes on to what is below it where it is
// there already. It answers false when there is no room for more.
func (w *Walker) look(p *Place) bool {
	if !p.loaded {
		if p.done == nil {
			if !w.room() {
				return false
			}
			w.start(p)
			return true
		}
		select {
		case <-p.done:
			p.loaded = true
		default:
			return true
		}
	}
	if p.node == nil || p.node.Links() == 0 {
		return true
	}
	children := p.expand()
	for i := range children {
		if !w.look(&children[i]) {
			return false
		}
	}
	return true
}

func (w *Walker) room() bool {
	flying, held := w.flying.Load(), w.held.Load()
	if flying >= int64(w.ahead) || w.waiting >= aheadPlaces*w.ahead {
		return false
	}
	// What is under way will be about as large as what has arrived.
	arrived := int64(w.waiting) - flying
	return arrived <= 0 || held+held/arrived*flying < aheadBytes
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
