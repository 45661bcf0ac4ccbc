package block

import (
	"sync/atomic"
	"weak"
)

// Cached is a node as its cache sees it. What a cache notes about a node
// stands in the node itself, so that a lookup which finds a child in memory
// reads one cache line and takes no lock; but only the cache converts a *Node
// to a *Cached. See blockio.Cache, which is the door for everybody else.
type Cached Node

// childPointers are a node's pointers to those of its children that a cache
// holds. The children refer to them weakly, so that the nodes of old versions
// can be freed.
type childPointers struct {
	at   []atomic.Pointer[Node] // by position
	self weak.Pointer[childPointers]
}

// childPointersBytes is the size of childPointers, with what a weak pointer
// takes.
const childPointersBytes = 48

// pointers returns the node's child pointers. It allocates them at the first
// call: most nodes that are loaded never point to a child.
func (n *Cached) pointers() *childPointers {
	if p := n.children.Load(); p != nil {
		return p
	}
	p := &childPointers{at: make([]atomic.Pointer[Node], n.count)}
	p.self = weak.Make(p)
	if !n.children.CompareAndSwap(nil, p) {
		return n.children.Load()
	}
	return p
}

// parentSlot is where a parent points to a node.
type parentSlot struct {
	pointers weak.Pointer[childPointers]
	position int
}

// maxParents is how many parents point to a node at the same time: that of an
// old version of a map and that of the new one. Where more versions are read,
// some lookups go through the cache's table instead.
const maxParents = 2

// clear resets the slot if it still points to n.
func (s parentSlot) clear(n *Node) {
	if pointers := s.pointers.Value(); pointers != nil {
		pointers.at[s.position].CompareAndSwap(n, nil)
	}
}

// Name returns the binary CID that SetName noted.
func (n *Cached) Name() string { return n.name }

// SetName notes the binary CID that the node was loaded by. It must be called
// before the node is shared.
func (n *Cached) SetName(binaryCID string) { n.name = binaryCID }

// Child returns the child that the link at position leads to while a cache
// holds it, or nil. It returns nil where the element is a bucket.
func (n *Cached) Child(position int) *Node {
	if p := n.children.Load(); p != nil {
		return p.at[position].Load()
	}
	return nil
}

// Hold makes parent point to the node until Release. If maxParents point to it
// already, the oldest is cleared. Calls of Hold and Release of one node must
// not overlap.
func (n *Cached) Hold(parent *Cached, position int) {
	last := maxParents - 1
	n.parents[last].clear((*Node)(n))
	copy(n.parents[1:], n.parents[:last])
	pointers := parent.pointers()
	n.parents[0] = parentSlot{pointers.self, position}
	pointers.at[position].Store((*Node)(n))
}

// Release clears the pointers of all parents to the node.
func (n *Cached) Release() {
	for _, s := range n.parents {
		s.clear((*Node)(n))
	}
	clear(n.parents[:])
}

// Touch notes that the node was used.
func (n *Cached) Touch() {
	if !n.used.Load() { // leaves the cache line alone where it is set already
		n.used.Store(true)
	}
}

// Touched reports whether the node was used since the last call.
func (n *Cached) Touched() bool { return n.used.Swap(false) }
