package trie

import (
	"context"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// CoWalk says how some trees are walked together.
type CoWalk struct {
	// Trees are walked slot by slot, so they agree in hash and bit width; see
	// Joint. A nil one is empty.
	Trees []*Tree
	// Ahead is how many loads may be under way at the same time, of all trees
	// together; 1 means that nothing is loaded before it is needed.
	Ahead int
	// Region is the part of hash order that is walked; nil is all of it.
	Region Region
	// Choose says what to do at an index where at least one tree has something.
	// It is called once for each index of each node that the walk comes to, for
	// some nodes before the walk comes to them. It must not keep slots.
	Choose func(slots []Slot) Choice
}

// Region is a part of hash order.
type Region interface {
	// Meets reports whether a key may be in the region whose hash begins with the
	// first bits of prefix.
	Meets(prefix []byte, bits int) bool
}

// Choice is what a co-walk does at an index.
type Choice uint8

const (
	// Pass goes on to the next index: nothing here is of interest. What links
	// lead to is not loaded.
	Pass Choice = iota
	// Stop stops there, and does not load what links lead to.
	Stop
	// Descend loads the nodes that the slots link to, and goes down into them
	// together. A tree that has entries there instead takes them along. Where no
	// slot is a link it means Stop.
	Descend
)

// Joint reports whether trees can be walked together: all but the nil ones have
// the same hash function and the same bit width.
func Joint(trees ...*Tree) bool {
	var first *Tree
	for _, t := range trees {
		switch {
		case t == nil:
		case first == nil:
			first = t
		case t.hasher != first.hasher || t.params.BitWidth != first.params.BitWidth:
			return false
		}
	}
	return true
}

// CoWalker visits the places of several trees together, depth first and index by
// index: in hash order. Only where Choose says so does it go down, so what the
// trees have in common can be left out without being loaded. While one place is
// being used the next ones are being loaded.
//
// As a Walker, it may be dropped at any time, and is for one goroutine.
type CoWalker struct {
	CoWalk
	ctx       context.Context
	order     hashsort.Order
	begun     bool
	misplaced int // nodes: see maxMisplaced
	stack     []*CoVisit
	left      *CoVisit  // nobody needs it any more
	readers   []*reader // of the trees
	ahead     []ahead   // of the readers
	cursors   []cursor  // for expand
	slots     []Slot    // for expand
}

// ahead is how a reader may read ahead.
type ahead struct {
	mode readAheadMode
	more bool // there is room
}

// CoVisit is a place on a co-walk, and what the trees have there.
type CoVisit struct {
	place
	above    *CoVisit
	prefix   []byte // that hashes begin with which lead here; nil without a region
	sides    []side // of the trees
	expanded bool
	items    []item
	next     int // item
}

// side is what one tree has at a place: a node, entries or nothing.
type side struct {
	load                     // loaded from the beginning where there is no link to load
	carried []hashsort.Entry // in hash order
}

// item is an index at which the walk stops or goes down.
type item struct {
	index int
	slots []Slot
	child *CoVisit // nil for a stop
	err   error    // that ends the walk there
	tree  int      // whose
}

// CoEvent is one stop of a co-walk.
type CoEvent struct {
	Kind  CoEventKind
	Visit *CoVisit
	Index int    // for AtSlot
	Slots []Slot // of the trees, for AtSlot
	Tree  int    // whose block it is about, for CoFailed
	Err   error  // for CoFailed
}

// CoEventKind is the kind of a CoEvent.
type CoEventKind uint8

const (
	// CoEnter is the first stop at a place, the root among them.
	CoEnter CoEventKind = iota
	// CoSlot is a stop at an index for which Choose returned Stop.
	CoSlot
	// CoLeave is the last stop at a place.
	CoLeave
	// CoFailed is the end of a walk that cannot go on.
	CoFailed
)

// Start returns a walker. It panics if the trees are not Joint, or all nil.
func (c CoWalk) Start(ctx context.Context) *CoWalker {
	if !Joint(c.Trees...) {
		panic("hamt: internal error: a co-walk over trees of different parameters")
	}
	k := len(c.Trees)
	w := &CoWalker{CoWalk: c, ctx: ctx, readers: make([]*reader, k), ahead: make([]ahead, k), cursors: make([]cursor, k), slots: make([]Slot, k)}
	budget, wake := walkBudget(c.Ahead), make(chan struct{}, 1)
	for i, t := range c.Trees {
		if t != nil {
			w.readers[i] = new(reader)
			w.readers[i].init(ctx, t, budget, wake)
			w.order = hashsort.NewOrder(t.hasher, t.params.BitWidth)
		}
	}
	return w
}

// Next goes to the next stop. It returns false at the end. The event's slots, and
// the visit's nodes, are valid until the next call.
func (w *CoWalker) Next() (CoEvent, bool) {
	if !w.begun {
		return w.begin(), true
	}
	if w.left != nil { // it lives as long as its siblings
		clear(w.left.sides)
		w.left.items, w.left = nil, nil
	}
	if len(w.stack) == 0 {
		return CoEvent{}, false
	}
	v := w.stack[len(w.stack)-1]
	w.expand(v)
	if v.next == len(v.items) {
		w.left = v
		w.stack = w.stack[:len(w.stack)-1]
		if len(w.stack) > 0 {
			w.stack[len(w.stack)-1].next++
		}
		return CoEvent{Kind: CoLeave, Visit: v}, true
	}
	it := &v.items[v.next]
	if it.err != nil {
		return w.fail(v, it.tree, it.err), true
	}
	if it.child == nil {
		v.next++
		return CoEvent{Kind: CoSlot, Visit: v, Index: it.index, Slots: it.slots}, true
	}
	if tree, err := w.enter(it.child); err != nil {
		return w.fail(it.child, tree, err), true
	}
	w.stack = append(w.stack, it.child)
	return CoEvent{Kind: CoEnter, Visit: it.child}, true
}

// begin goes to the root.
func (w *CoWalker) begin() CoEvent {
	w.begun = true
	root := &CoVisit{sides: make([]side, len(w.Trees))}
	for i, t := range w.Trees {
		root.sides[i].loaded = true
		if t != nil {
			root.sides[i].node = t.root
		}
	}
	if err := w.ctx.Err(); err != nil {
		return w.fail(root, 0, err)
	}
	w.stack = append(w.stack, root)
	return CoEvent{Kind: CoEnter, Visit: root}
}

// fail ends the walk.
func (w *CoWalker) fail(v *CoVisit, tree int, err error) CoEvent {
	w.stack = nil
	return CoEvent{Kind: CoFailed, Visit: v, Tree: tree, Err: err}
}

// enter makes sure that the nodes of a place are loaded. If one is not, it returns
// whose it is.
func (w *CoWalker) enter(v *CoVisit) (tree int, err error) {
	for i := range v.sides {
		s := &v.sides[i]
		if s.above == nil {
			continue
		}
		if err := w.readers[i].enter(&s.load, w.readAhead); err != nil {
			return i, w.Locate(err, v, i)
		}
		// As in Walker.Next: what is walked into in vain has an end.
		if w.readers[i].entered > maxMisplaced && s.node.Links() == 0 && !w.Trees[i].leadsTo(s.node, &v.place) {
			if w.misplaced++; w.misplaced > maxMisplaced {
				return i, w.Locate(faults.New(fault.ErrEndless, "more than %d nodes", maxMisplaced), v, i)
			}
		}
	}
	return 0, nil
}

// cursor goes through what one side has at a place, index by index.
type cursor struct {
	indexes  []int            // of the node's elements
	position int              // of the next one
	carried  []hashsort.Entry // at the next index and after
	index    int              // the next one; none is past the end
}

const pastEnd = 1 << 30

// start readies a cursor for a side.
func (c *cursor) start(s *side, o hashsort.Order, depth int) {
	c.indexes, c.position, c.carried = c.indexes[:0], 0, s.carried
	if s.node != nil {
		s.node.Indexes(func(_, index int) bool {
			c.indexes = append(c.indexes, index)
			return true
		})
	}
	c.find(o, depth)
}

// find sets the next index.
func (c *cursor) find(o hashsort.Order, depth int) {
	switch {
	case c.position < len(c.indexes):
		c.index = c.indexes[c.position]
	case len(c.carried) > 0:
		c.index = o.Index(c.carried[0].Head, c.carried[0].Key, depth)
	default:
		c.index = pastEnd
	}
}

// take returns what is at the next index, and goes on.
func (c *cursor) take(node *block.Node, o hashsort.Order, depth int) (s Slot) {
	if node != nil {
		s = Slot{node: node, position: c.position}
		c.position++
	} else {
		_, s.carried, c.carried = o.Cut(c.carried, depth)
	}
	c.find(o, depth)
	return s
}

// expand finds out at which indexes of a place the walk stops or goes down.
func (w *CoWalker) expand(v *CoVisit) {
	if v.expanded {
		return
	}
	v.expanded = true
	k := len(v.sides)
	for i := range v.sides {
		w.cursors[i].start(&v.sides[i], w.order, v.depth)
	}
	var slots []Slot
	children := 0
	for {
		index := pastEnd
		for i := range w.cursors {
			index = min(index, w.cursors[i].index)
		}
		if index == pastEnd {
			break
		}
		for i := range w.cursors {
			if c := &w.cursors[i]; c.index == index {
				w.slots[i] = c.take(v.sides[i].node, w.order, v.depth)
			} else {
				w.slots[i] = Slot{}
			}
		}
		if w.Region != nil && !w.Region.Meets(w.childPrefix(v, index), (v.depth+1)*w.order.BitWidth()) {
			continue
		}
		choice := w.Choose(w.slots)
		if choice == Pass {
			continue
		}
		slots = append(slots, w.slots...)
		it := item{index: index}
		if choice == Descend && slices.ContainsFunc(w.slots, Slot.IsLink) {
			children++
			it.child = v // until there is one
		}
		v.items = append(v.items, it)
	}
	visits, sides := make([]CoVisit, children), make([]side, k*children)
	for i := range v.items {
		it := &v.items[i]
		it.slots = slots[k*i : k*(i+1) : k*(i+1)]
		if it.child != nil {
			it.child, visits = &visits[0], visits[1:]
			it.child.sides, sides = sides[:k:k], sides[k:]
			w.prepare(it, v)
		}
	}
}

// childPrefix returns what hashes begin with that lead to an index.
func (w *CoWalker) childPrefix(v *CoVisit, index int) []byte {
	return keyhash.AppendIndex(v.prefix, v.depth, w.order.BitWidth(), index)
}

// prepare readies the child at an item of a visit.
func (w *CoWalker) prepare(it *item, v *CoVisit) {
	child := it.child
	child.place, child.above = place{&v.place, it.index, v.depth + 1}, v
	if w.Region != nil {
		child.prefix = w.childPrefix(v, it.index)
	}
	for i, slot := range it.slots {
		s := &child.sides[i]
		if slot.IsLink() {
			s.load = load{above: slot.node, position: slot.position, depth: child.depth}
			continue
		}
		s.loaded = true
		var err error
		if s.carried, err = w.Entries(v, i, it.index, slot); err != nil && it.err == nil {
			it.err, it.tree = err, i
		}
	}
}

// Entries returns the entries of the slot that a tree has at an index of a visit, in
// hash order and with values in canonical encoding. A key that its hash does not
// lead there is fault.ErrMisplaced.
func (w *CoWalker) Entries(v *CoVisit, tree, index int, s Slot) ([]hashsort.Entry, error) {
	if s.node == nil {
		return s.carried, nil
	}
	entries := s.ByKey(make([]hashsort.Entry, 0, s.Len()))
	for i := range entries {
		var err error
		if entries[i].Head, err = w.Head(v, tree, index, entries[i].Key); err != nil {
			return nil, err
		}
	}
	w.order.Sort(entries)
	return entries, nil
}

// Head returns the head of the hash of a key that a tree has at an index of a visit,
// or fault.ErrMisplaced if the hash does not lead there.
func (w *CoWalker) Head(v *CoVisit, tree, index int, key []byte) (uint64, error) {
	head, placed := w.Trees[tree].head(key, &v.place, index)
	if !placed {
		return 0, w.Locate(&fault.Error{Kind: fault.ErrMisplaced, Key: key}, v, tree)
	}
	return head, nil
}

// Locate adds to a fault the link and the path of the block that a tree has at a
// visit, or above it where it has none there.
func (w *CoWalker) Locate(err error, v *CoVisit, tree int) error {
	for v.above != nil && v.sides[tree].above == nil {
		v = v.above
	}
	if v.above == nil {
		return located(err, w.Trees[tree].link, v.Path())
	}
	return locatedCID(err, v.CID(tree), v.Path())
}

// Order returns the order of the walk.
func (w *CoWalker) Order() hashsort.Order { return w.order }

// readAhead starts loading what comes next, as far as the budget allows.
func (w *CoWalker) readAhead() {
	if w.room() {
		w.lookAhead()
		for _, r := range w.readers {
			if r != nil {
				r.flush()
			}
		}
	}
}

// room notes which readers have room for more, and reports whether one has.
func (w *CoWalker) room() bool {
	some := false
	for i, r := range w.readers {
		if r != nil {
			mode := r.mode()
			w.ahead[i] = ahead{mode, r.room(mode)}
			some = some || w.ahead[i].more
		}
	}
	return some
}

// more reports whether a reader still has room.
func (w *CoWalker) more() bool {
	return slices.ContainsFunc(w.ahead, func(a ahead) bool { return a.more })
}

// lookAhead looks at what comes next until there is no room for more.
func (w *CoWalker) lookAhead() {
	for i := len(w.stack) - 1; i >= 0; i-- {
		v := w.stack[i]
		from := v.next
		if i < len(w.stack)-1 {
			from++ // the walk is in there
		}
		for _, it := range v.items[from:] {
			if it.child != nil && it.err == nil {
				if w.look(it.child); !w.more() {
					return
				}
			}
		}
	}
}

// look starts the loads of a place, or looks at those below if they have ended.
func (w *CoWalker) look(v *CoVisit) {
	loaded := true
	for i := range v.sides {
		s := &v.sides[i]
		if a := &w.ahead[i]; !s.loaded && a.more {
			if a.more = w.readers[i].room(a.mode); a.more { // others may have taken it
				_, a.more = w.readers[i].look(&s.load, a.mode)
			}
		}
		loaded = loaded && s.loaded && s.err == nil
	}
	if !loaded {
		return
	}
	w.expand(v)
	for _, it := range v.items {
		if it.child != nil && it.err == nil {
			if w.look(it.child); !w.more() {
				return
			}
		}
	}
}

// Node returns the node that a tree has at a place, or nil.
func (v *CoVisit) Node(tree int) *block.Node { return v.sides[tree].node }

// CID returns the binary CID of that node, nil for the root.
func (v *CoVisit) CID(tree int) []byte {
	if s := &v.sides[tree]; s.above != nil {
		return s.above.Link(s.position)
	}
	return nil
}

// Path returns the place's path.
func (v *CoVisit) Path() fault.Path { return v.path() }

// Depth returns the place's depth, 0 for the root.
func (v *CoVisit) Depth() int { return v.depth }
