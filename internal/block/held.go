package block

import (
	"sync/atomic"
	"weak"
)

// places are where a node points to its children that are in memory. A child
// that a cache holds refers to them weakly, so that the nodes of old versions
// can go.
type places struct {
	children []atomic.Pointer[Node] // by position
	self     weak.Pointer[places]
}

// placesBytes is the size of places, with what a weak pointer takes.
const placesBytes = 48

// makePlaces gives the node's places, which it makes where there are none yet:
// most nodes that are loaded never point to a child.
func (n *Node) makePlaces() *places {
	if p := n.places.Load(); p != nil {
		return p
	}
	p := &places{children: make([]atomic.Pointer[Node], n.count)}
	p.self = weak.Make(p)
	if !n.places.CompareAndSwap(nil, p) {
		return n.places.Load()
	}
	return p
}

// holder is a place that points to a node.
type holder struct {
	places   weak.Pointer[places]
	position int
}

// maxHolders is how many places point to a node at the same time: an old version
// of a map and the new one. Where more are read, some ask the cache instead.
const maxHolders = 2

// release makes the place let go of a node, if it is still there and has it.
func (h holder) release(n *Node) {
	if places := h.places.Value(); places != nil {
		places.children[h.position].CompareAndSwap(n, nil)
	}
}

// Child gives the child node that the link at position leads to, while a cache
// holds it: a lookup that finds it here needs neither link nor cache. It is nil
// where the element is a bucket.
func (n *Node) Child(position int) *Node {
	if p := n.places.Load(); p != nil {
		return p.children[position].Load()
	}
	return nil
}

// Hold makes a parent point to the node, until Release; where there are too
// many that do, the oldest lets go. Hold and Release are for the cache, which
// sees to it that there is one of them at a time.
func (n *Node) Hold(parent *Node, position int) {
	last := maxHolders - 1
	n.holders[last].release(n)
	copy(n.holders[1:], n.holders[:last])
	places := parent.makePlaces()
	n.holders[0] = holder{places.self, position}
	places.children[position].Store(n)
}

// Release makes all parents that point to the node let go of it.
func (n *Node) Release() {
	for _, h := range n.holders {
		h.release(n)
	}
	clear(n.holders[:])
}

// Touch notes that the node was used.
func (n *Node) Touch() {
	if !n.used.Load() { // spares the cache line where it is set already
		n.used.Store(true)
	}
}

// Touched says whether the node was used since the last call.
func (n *Node) Touched() bool { return n.used.Swap(false) }
