package trie

import (
	"context"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
)

// loader loads the nodes that changes lead into, all of which are needed for
// sure, before their turn comes. Where the store is slow up to ahead loads are
// under way at the same time, across siblings and levels; they begin in the
// order in which the nodes will be taken, depth first.
//
// It serves all parts of a merge. Each has a plan of its own, which the loader
// knows of from when the store proves slow; until then the part loads its nodes
// by itself.
//
// There is a goroutine for each load under way and no other. Whatever fails
// first, ends everything.
type loader struct {
	ctx    context.Context
	cancel context.CancelFunc
	tree   *Tree
	ahead  int
	loads  sync.WaitGroup

	mu     sync.Mutex
	ended  sync.Cond // a load has, or everything
	alone  int       // parts whose plan is not known: each may have a load of its own under way
	plans  []*plan
	turn   int // of the plan that was asked last
	flying int // loads under way, of plans
	held   int // bytes of nodes that are loaded and not taken
	seen   int // nodes so far, and
	bytes  int // how many bytes they were together
	err    error
}

// newLoader makes a loader for so many parts; end has to follow.
func newLoader(ctx context.Context, t *Tree, parts, ahead int) *loader {
	l := &loader{tree: t, ahead: ahead, alone: parts, seen: 1, bytes: t.root.Memory()}
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.ended.L = &l.mu
	return l
}

// end ends everything, and returns when no load is under way any more.
func (l *loader) end() {
	l.cancel()
	l.loads.Wait()
}

// fail keeps the first error, and ends everything.
func (l *loader) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		l.cancel()
		l.ended.Broadcast()
	}
}

// failure is the error that has ended everything, or nil.
func (l *loader) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// pays says whether a part is to plan what it loads, and not to load it by
// itself. Once it does it goes on with that, so that never more is under way
// than allowed.
func (l *loader) pays(p *plan) bool {
	return p.joined || l.ahead > 1 && l.tree.source.Slow()
}

// begin plans the visits of the children of a node, at depth, that changes lead
// into; nothing else may be in the plan.
func (l *loader) begin(p *plan, node *block.Node, depth int, changes []Item) []visit {
	visits := l.tree.visits(node, depth, changes)
	l.mu.Lock()
	defer l.mu.Unlock()
	p.end.precede(visits)
	if !p.joined {
		p.joined = true
		l.plans = append(l.plans, p)
		l.alone--
	}
	l.fill()
	return visits
}

// leave says that a part will load nothing by itself any more.
func (l *loader) leave(p *plan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !p.joined {
		p.joined = true
		l.alone--
		l.fill()
	}
}

// take gives the node of a visit whose turn has come, and the visits below it.
// One that is not being loaded yet is, however much is held.
func (l *loader) take(v *visit) (node *block.Node, below []visit, err error) {
	if l.claim(v) {
		l.load(v)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for !v.loaded && l.err == nil {
		l.ended.Wait()
	}
	if l.err != nil {
		return nil, nil, l.err
	}
	node, below = v.node, v.below
	*v = visit{} // which lives as long as those beside it, and must not keep those below
	l.held -= node.Memory()
	l.fill()
	return node, below, nil
}

// claim says whether it is for the taker of a visit to load it. Where there is
// no room for one more load it is not, and the visit begins as soon as there is.
func (l *loader) claim(v *visit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.wanted = true
	if v.begun || !l.room() {
		return false
	}
	v.begun = true
	l.flying++
	l.fill()
	return true
}

// fill begins the loads that come next, as far as the limits allow.
func (l *loader) fill() {
	for l.room() {
		v := l.next()
		if v == nil {
			return
		}
		v.begun = true
		l.flying++
		l.loads.Go(func() { l.load(v) })
	}
}

// room says whether one more load may be under way.
func (l *loader) room() bool { return l.err == nil && l.flying+l.alone < l.ahead }

// next is what to begin, by turns of the plans; nil where there is nothing.
func (l *loader) next() *visit {
	for range l.plans {
		l.turn = (l.turn + 1) % len(l.plans)
		if v := l.plans[l.turn].first(); v != nil && (v.wanted || l.fits(v)) {
			return v
		}
	}
	return nil
}

// fits says whether a node may be loaded before its turn. What is under way
// will be about as large as what was seen. A node waits the longer for its
// turn, the nearer it is to the root, and must not stop those below that come
// before it: each level leaves half of what the one above it has left.
func (l *loader) fits(v *visit) bool {
	left := aheadBytes >> v.depth
	return l.tree.source.Slow() && l.held+l.flying*(l.bytes/l.seen) < aheadBytes-left
}

// load loads the node of a visit that is begun.
func (l *loader) load(v *visit) {
	node, err := l.tree.child(l.ctx, v.parent, v.position, v.depth, true)
	if err != nil {
		l.fail(locatedCID(err, v.parent.Link(v.position), l.tree.path(v)))
		return
	}
	below := l.tree.visits(node, v.depth, v.changes)
	l.mu.Lock()
	defer l.mu.Unlock()
	v.loaded, v.node, v.below = true, node, below
	v.precede(below)
	v.leave()
	l.flying--
	l.held += node.Memory()
	l.seen++
	l.bytes += node.Memory()
	l.fill()
	l.ended.Broadcast()
}
