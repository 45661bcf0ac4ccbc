package trie

import (
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// plannedLoad is the load of a node that will be needed.
type plannedLoad struct {
	parent   *block.Node
	position int // of the link to the node, in the parent
	depth    int // of the node
	changes  []hashsort.Entry
	sampled  fault.Path // of the node, where no changes say it

	begun  bool          // being loaded, or loaded
	wanted bool          // its turn has come
	loaded bool          // node and below are there
	node   *block.Node   // until it is taken
	below  []plannedLoad // the loads of the node's children; nil where they are not planned

	previous, next *plannedLoad // in the plan
}

// plan is what one part of an Apply has to load yet, in the order in which it
// will take it: a ring of loads around a sentinel. A load is removed when it has
// ended, and those of its children are put there instead.
type plan struct {
	end       plannedLoad
	unplanned bool // a request is reserved for the part's own loads
}

func newPlan() *plan {
	p := &plan{unplanned: true}
	p.end.previous, p.end.next = &p.end, &p.end
	return p
}

// first returns the first load that has not begun yet, or nil.
func (p *plan) first() *plannedLoad {
	for v := p.end.next; v != &p.end; v = v.next {
		if !v.begun {
			return v
		}
	}
	return nil
}

// insertBefore puts loads into the plan of v, before v.
func (v *plannedLoad) insertBefore(loads []plannedLoad) {
	for i := range loads {
		w := &loads[i]
		w.previous, w.next = v.previous, v
		w.previous.next, v.previous = w, w
	}
}

// remove takes v out of its plan.
func (v *plannedLoad) remove() {
	v.previous.next, v.next.previous = v.next, v.previous
	v.previous, v.next = nil, nil
}

// plannedLoads returns the loads of the children of a node, at depth, that changes
// lead into.
func (t *Tree) plannedLoads(node *block.Node, depth int, changes []hashsort.Entry) (loads []plannedLoad) {
	o := hashsort.NewOrder(t.hasher, t.params.BitWidth)
	for len(changes) > 0 {
		var index int
		var here []hashsort.Entry
		index, here, changes = o.Cut(changes, depth)
		if position, there := node.Find(index); there && node.IsLink(position) {
			loads = append(loads, plannedLoad{parent: node, position: position, depth: depth + 1, changes: here})
		}
	}
	return loads
}

// path returns the path of the node: where all its changes lead.
func (t *Tree) path(v *plannedLoad) fault.Path {
	if len(v.changes) == 0 {
		return v.sampled
	}
	o := hashsort.NewOrder(t.hasher, t.params.BitWidth)
	path := make(fault.Path, v.depth)
	for depth := range path {
		path[depth] = o.Index(v.changes[0].Head, v.changes[0].Key, depth)
	}
	return path
}
