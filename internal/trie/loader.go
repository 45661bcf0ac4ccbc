package trie

import (
	"context"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// loader loads the nodes that changes lead into, all of which are needed for
// sure, before their turn comes. Where the store is slow up to ahead loads are
// under way at the same time, across siblings and levels; they begin in the
// order in which the nodes will be taken, depth first.
//
// It serves all parts of a merge. Each has a plan of its own, while the store is
// slow; a part loads by itself what it has not planned.
//
// There is a goroutine for each load under way and no other. Whatever fails
// first, ends everything.
type loader struct {
	ctx    context.Context
	cancel context.CancelFunc
	tree   *Tree
	loads  sync.WaitGroup

	mu     sync.Mutex
	ended  sync.Cond // a load has, or everything
	budget *budget   // of it is reserved: one request for each part that may load by itself
	plans  []*plan
	turn   int   // of the plan that was asked last
	err    error // the first
}

// newLoader makes a loader for so many parts, up to ahead; end has to follow.
func newLoader(ctx context.Context, t *Tree, parts, ahead int) *loader {
	l := &loader{tree: t, budget: planBudget(ahead)}
	l.budget.reserve(parts)
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.ended.L = &l.mu
	for range parts {
		l.plans = append(l.plans, newPlan())
	}
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

// pays says whether it pays to plan what a part loads.
func (l *loader) pays() bool { return l.budget.requests > 1 && l.tree.loader.Slow() }

// begin plans the visits of the children of a node, at depth, that changes lead
// into. They come before whatever is planned.
func (l *loader) begin(p *plan, node *block.Node, depth int, changes []hashsort.Entry) []visit {
	visits := l.tree.visits(node, depth, changes)
	l.add(p, visits)
	return visits
}

// add plans visits, before whatever is planned.
func (l *loader) add(p *plan, visits []visit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.end.next.precede(visits)
	l.accompany(p)
	l.fill()
}

// accompany needs no place for a load of a part's own any more.
func (l *loader) accompany(p *plan) {
	if p.alone {
		p.alone = false
		l.budget.reserve(-1)
	}
}

// single loads a child, at depth, for a part that has not planned it.
func (l *loader) single(p *plan, parent *block.Node, position, depth int) (*block.Node, error) {
	if !p.alone {
		if err := l.leaveAlone(p); err != nil {
			return nil, err
		}
	}
	return l.tree.child(l.ctx, parent, position, depth, blockio.Keep)
}

// leaveAlone keeps a place free for a load of a part's own, until accompany.
func (l *loader) leaveAlone(p *plan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.alone = true
	l.budget.reserve(1)
	for l.budget.excess() > 0 && l.err == nil {
		l.ended.Wait()
	}
	return l.err
}

// done says that a part will load nothing any more.
func (l *loader) done(p *plan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accompany(p)
	l.fill()
}

// take gives the node of a visit whose turn has come, and the visits below it.
// One that is not being loaded yet is, however much is held.
func (l *loader) take(p *plan, v *visit) (node *block.Node, below []visit, err error) {
	if l.claim(p, v) {
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
	depth := v.depth
	node, below = v.node, v.below
	*v = visit{} // which lives as long as those beside it, and must not keep those below
	l.budget.take(depth, node.Memory())
	l.fill()
	return node, below, nil
}

// claim says whether it is for the taker of a visit to load it. Where there is
// no room for one more load it is not, and the visit begins as soon as there is.
func (l *loader) claim(p *plan, v *visit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.wanted = true
	l.accompany(p)
	if v.begun || !l.room() {
		return false
	}
	l.start(v)
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
		l.start(v)
		l.loads.Go(func() { l.load(v) })
	}
}

// room reports whether one more load may be under way.
func (l *loader) room() bool { return l.err == nil && l.budget.room() }

// next is what to begin, by turns of the plans; nil where there is nothing.
func (l *loader) next() *visit {
	for range l.plans {
		l.turn = (l.turn + 1) % len(l.plans)
		if v := l.plans[l.turn].first(); v != nil && (v.wanted || l.pays() && l.budget.fits(v.depth)) {
			return v
		}
	}
	return nil
}

// start notes that a visit is being loaded.
func (l *loader) start(v *visit) {
	v.begun = true
	l.budget.begin(v.depth)
}

// load loads the node of a visit that is begun.
func (l *loader) load(v *visit) {
	node, err := l.tree.child(l.ctx, v.parent, v.position, v.depth, blockio.Keep)
	if err != nil {
		l.fail(locatedCID(err, v.parent.Link(v.position), l.tree.path(v)))
		return
	}
	var below []visit
	if l.pays() {
		below = l.tree.visits(node, v.depth, v.changes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v.loaded, v.node, v.below = true, node, below
	v.precede(below)
	v.leave()
	l.budget.end(v.depth, node.Memory())
	l.fill()
	l.ended.Broadcast()
}
