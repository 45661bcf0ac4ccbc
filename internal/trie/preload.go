package trie

import (
	"context"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// preloader loads nodes all of which will be needed, those that changes lead into
// among them, before their turn comes. Where the store is slow up to ahead loads
// are under way at the same time, across siblings and levels; they begin in the
// order in which the nodes will be taken, depth first.
//
// It serves all parts of an Apply. Each has a plan of its own, while the store is
// slow; a part loads by itself what it has not planned.
//
// There is a goroutine for each load under way and no other. The first failure
// ends everything.
type preloader struct {
	ctx    context.Context
	cancel context.CancelFunc
	tree   *Tree
	loads  sync.WaitGroup

	mu     sync.Mutex
	ended  sync.Cond // signalled when a load has ended, or everything
	budget *budget   // with a request reserved for each part that may load by itself
	plans  []*plan
	turn   int   // of the plan that was asked last
	err    error // the first
}

// newPreloader returns a preloader for so many parts. Its end must be called.
func newPreloader(ctx context.Context, t *Tree, parts, ahead int) *preloader {
	l := &preloader{tree: t, budget: planBudget(ahead)}
	l.budget.reserve(parts)
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.ended.L = &l.mu
	for range parts {
		l.plans = append(l.plans, newPlan())
	}
	return l
}

// end ends everything, and returns when no load is under way any more.
func (l *preloader) end() {
	l.cancel()
	l.loads.Wait()
}

// fail keeps the first error, and ends everything.
func (l *preloader) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		l.cancel()
		l.ended.Broadcast()
	}
}

// failure returns the error that has ended everything, or nil.
func (l *preloader) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// plansAhead reports whether it pays to plan what a part loads.
func (l *preloader) plansAhead() bool { return l.budget.requests > 1 && l.tree.loader.Slow() }

// planChildren plans to load the children of a node, at depth, that changes lead
// into, before whatever is planned.
func (l *preloader) planChildren(p *plan, node *block.Node, depth int, changes []hashsort.Entry) []plannedLoad {
	planned := l.tree.plannedLoads(node, depth, changes)
	l.add(p, planned)
	return planned
}

// add adds loads to a plan, before whatever is planned.
func (l *preloader) add(p *plan, planned []plannedLoad) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.end.next.insertBefore(planned)
	l.endUnplanned(p)
	l.fill()
}

// endUnplanned gives up the request that is reserved for a part's own loads, if
// there is one.
func (l *preloader) endUnplanned(p *plan) {
	if p.unplanned {
		p.unplanned = false
		l.budget.reserve(-1)
	}
}

// loadUnplanned loads a child, at depth, for a part that has not planned it.
func (l *preloader) loadUnplanned(p *plan, parent *block.Node, position, depth int) (*block.Node, error) {
	if !p.unplanned {
		if err := l.allowUnplanned(p); err != nil {
			return nil, err
		}
	}
	return l.tree.child(l.ctx, parent, position, depth, blockio.Keep)
}

// allowUnplanned reserves a request for a part's own loads, until endUnplanned.
func (l *preloader) allowUnplanned(p *plan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.unplanned = true
	l.budget.reserve(1)
	for l.budget.excess() > 0 && l.err == nil {
		l.ended.Wait()
	}
	return l.err
}

// done must be called when a part will load nothing any more.
func (l *preloader) done(p *plan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endUnplanned(p)
	l.fill()
}

// take returns the node of a planned load whose turn has come, and the planned
// loads of its children. If it is not being loaded yet, it is now, however many
// bytes are held.
func (l *preloader) take(p *plan, v *plannedLoad) (node *block.Node, below []plannedLoad, err error) {
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
	*v = plannedLoad{} // it lives as long as its siblings, and must not keep the nodes below alive
	l.budget.take(depth, node.Memory())
	l.fill()
	return node, below, nil
}

// claim reports whether it is for the caller of take to load a node. If there is
// no room for one more load it is not, and the load begins as soon as there is.
func (l *preloader) claim(p *plan, v *plannedLoad) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.wanted = true
	l.endUnplanned(p)
	if v.begun || !l.room() {
		return false
	}
	l.start(v)
	l.fill()
	return true
}

// fill begins the loads that come next, as far as the limits allow.
func (l *preloader) fill() {
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
func (l *preloader) room() bool { return l.err == nil && l.budget.room() }

// next returns the load to begin, from each plan in turn, or nil.
func (l *preloader) next() *plannedLoad {
	for range l.plans {
		l.turn = (l.turn + 1) % len(l.plans)
		if v := l.plans[l.turn].first(); v != nil && (v.wanted || l.plansAhead() && l.budget.fits(v.depth)) {
			return v
		}
	}
	return nil
}

// start notes that a planned load has begun.
func (l *preloader) start(v *plannedLoad) {
	v.begun = true
	l.budget.begin(v.depth)
}

// load loads the node of a planned load that has begun.
func (l *preloader) load(v *plannedLoad) {
	node, err := l.tree.child(l.ctx, v.parent, v.position, v.depth, blockio.Keep)
	if err != nil {
		l.fail(locatedCID(err, v.parent.Link(v.position), l.tree.path(v)))
		return
	}
	var below []plannedLoad
	if l.plansAhead() {
		below = l.tree.plannedLoads(node, v.depth, v.changes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v.loaded, v.node, v.below = true, node, below
	v.insertBefore(below)
	v.remove()
	l.budget.end(v.depth, node.Memory())
	l.fill()
	l.ended.Broadcast()
}
