package trie

import (
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// visit is a node that changes lead into, and whose turn will come.
type visit struct {
	parent   *block.Node
	position int // of the link to the node, in the parent
	depth    int // of the node
	changes  []hashsort.Entry
	sampled  fault.Path // of the node, where no changes say it

	begun  bool        // being loaded, or loaded
	wanted bool        // its turn has come
	loaded bool        // node and below are there
	node   *block.Node // until it is taken
	below  []visit     // the visits of the node's children; nil where they are not planned

	previous, next *visit // in the plan
}

// plan is what one part of a merge has to load yet, in the order in which it
// will take it: a ring of visits, closed by one that is none. A visit leaves it
// when it is loaded, and those below it come in its place.
type plan struct {
	end   visit
	alone bool // the part may have a load of its own under way
}

func newPlan() *plan {
	p := &plan{alone: true}
	p.end.previous, p.end.next = &p.end, &p.end
	return p
}

// first is the first visit that is not begun yet, or nil.
func (p *plan) first() *visit {
	for v := p.end.next; v != &p.end; v = v.next {
		if !v.begun {
			return v
		}
	}
	return nil
}

// precede puts visits into a plan, before one that is there.
func (v *visit) precede(visits []visit) {
	for i := range visits {
		w := &visits[i]
		w.previous, w.next = v.previous, v
		w.previous.next, v.previous = w, w
	}
}

// leave takes a visit out of its plan.
func (v *visit) leave() {
	v.previous.next, v.next.previous = v.next, v.previous
	v.previous, v.next = nil, nil
}

// visits are those of the children of a node, at depth, that changes lead into.
func (t *Tree) visits(node *block.Node, depth int, changes []hashsort.Entry) (visits []visit) {
	o := hashsort.NewOrder(t.hasher, t.params.BitWidth)
	for len(changes) > 0 {
		var index int
		var here []hashsort.Entry
		index, here, changes = o.Cut(changes, depth)
		if position, there := node.Find(index); there && node.IsLink(position) {
			visits = append(visits, visit{parent: node, position: position, depth: depth + 1, changes: here})
		}
	}
	return visits
}

// path is where the node stands: where all its changes lead.
func (t *Tree) path(v *visit) fault.Path {
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
