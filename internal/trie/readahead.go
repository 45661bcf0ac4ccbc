package trie

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
)

const (
	// batchSize is how many blocks one goroutine checks and parses. Fewer than
	// minBatch do not pay for it, and for waiting.
	batchSize = 32
	minBatch  = 8
	// maxBatches is how many goroutines do so at the same time: more would be
	// faster than a walker reads.
	maxBatches = 4
	// batchAfter is how many nodes a walk enters before other goroutines parse
	// for it: it does not pay for small maps, and walks that are soon broken off.
	batchAfter = 16
)

// readAheadMode is how a walk reads ahead. A slow store is asked for many
// blocks at the same time, each in a goroutine of its own: there the time goes
// by in waiting. A fast one is asked for one block after another, by the walk
// itself: there the time goes into checking and parsing, which other processors
// do, a batch of blocks at a time. So a store is asked concurrently only where
// that pays.
type readAheadMode uint8

const (
	serial readAheadMode = iota // nothing is read ahead
	batched
	concurrent
)

// reader has the nodes of one tree in memory when the turn of each comes on a walk.
// It is for the goroutine that walks.
type reader struct {
	ctx     context.Context
	tree    *Tree
	retain  blockio.Retention
	budget  *budget       // shared with the other readers of the walk
	wake    chan struct{} // a load or a batch has ended; shared, too
	batches int           // parsed at the same time at most; 0 for none at all
	entered int           // nodes
	next    []*load       // to be started together
	parsing atomic.Int64  // batches
}

// load is a node below the root that a walk comes to.
type load struct {
	above    *block.Node // the parent's node
	position int         // of the link to here, in the parent
	depth    int
	node     *block.Node
	err      error
	done     chan struct{} // closed when the load ahead, or its batch, ends; nil if there was none
	loaded   bool          // node and err are there, and seen by the walk
	shared   bool          // somebody else is loading it, so it is not read ahead
}

// init readies a reader for a walk over a tree.
func (r *reader) init(ctx context.Context, t *Tree, b *budget, wake chan struct{}) {
	r.ctx, r.tree, r.budget, r.wake = ctx, t, b, wake
	if b.requests > 1 {
		r.retain = blockio.KeepIfRoom
	}
	if processors := runtime.GOMAXPROCS(0); processors > 1 {
		r.batches = min(processors, maxBatches)
	}
}

func (r *reader) mode() readAheadMode {
	switch {
	case r.budget.requests < 2:
		return serial
	case r.tree.loader.Slow():
		return concurrent
	case r.batches > 0 && r.entered > batchAfter:
		return batched
	}
	return serial
}

// room reports whether one more load, or batch, may begin.
func (r *reader) room(mode readAheadMode) bool {
	switch mode {
	case concurrent:
		return r.budget.room()
	case batched:
		return r.parsing.Load() < int64(r.batches)
	}
	return false
}

// enter makes sure that a node is loaded, whose turn has come; readAhead starts
// loading what comes next on the walk, this node first. Faults come without link
// and path.
func (r *reader) enter(l *load, readAhead func()) error {
	r.entered++
	if err := r.ctx.Err(); err != nil { // loads from the cache do not check it
		return err
	}
	if l.done == nil {
		readAhead()
	}
	if l.done == nil { // its turn has come, whatever the budget says
		if err := r.waitForRoom(); err != nil {
			return err
		}
		if r.mode() != concurrent {
			r.load(l)
			l.loaded = true
			return l.err
		}
		r.start(l)
	}
	if err := r.wait(l, readAhead); err != nil {
		return err
	}
	r.budget.take(l.depth, memoryOf(l.node))
	readAhead()
	return l.err
}

// memoryOf returns what a node takes in memory, 0 for nil.
func memoryOf(node *block.Node) int {
	if node == nil {
		return 0
	}
	return node.Memory()
}

// waitForRoom waits until one more request may be under way.
func (r *reader) waitForRoom() error {
	for !r.budget.room() {
		select {
		case <-r.wake:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
	return nil
}

// wait waits for a load, and begins others meanwhile.
func (r *reader) wait(l *load, readAhead func()) error {
	for {
		select {
		case <-l.done:
			l.loaded = true
			return nil
		default:
		}
		readAhead()
		select {
		case <-l.done:
		case <-r.wake:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}

func (r *reader) load(l *load) {
	l.node, l.err = r.tree.child(r.ctx, l.above, l.position, l.depth, r.retain)
	if l.err != nil {
		l.node = nil
	}
}

// start begins a load in a goroutine of its own, which ends with it.
func (r *reader) start(l *load) {
	l.done = make(chan struct{})
	r.budget.begin(l.depth)
	go func() {
		r.load(l)
		r.budget.end(l.depth, memoryOf(l.node))
		r.ended(l.done)
	}()
}

// ended tells the walk that a load or a batch has ended.
func (r *reader) ended(done chan struct{}) {
	close(done)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// parseBatch is what the walk has read and another goroutine parses.
type parseBatch struct {
	loads  []*load
	blocks []blockio.Unparsed // of the loads
	done   chan struct{}
}

// startBatch reads the blocks of the loads in r.next, as long as the store is
// fast and the budget allows it, and parses them in a goroutine.
func (r *reader) startBatch() {
	b := &parseBatch{done: make(chan struct{})}
	r.parsing.Add(1)
	defer func() { // even if the store panics: others may wait for what was read
		if len(b.blocks) == 0 { // all of it is in memory already, or being loaded by others
			r.parse(b)
		} else {
			go r.parse(b)
		}
	}()
	for _, l := range r.next {
		if r.mode() != batched || !r.budget.fits(l.depth) {
			break
		}
		r.read(l, b)
	}
	r.next = r.next[:0]
}

// read reads the block of a load into a batch. One that another walk or lookup
// is loading is left until its turn comes.
func (r *reader) read(l *load, b *parseBatch) {
	node, block, err := r.tree.loader.Read(r.ctx, l.above, l.position, r.tree.params)
	switch {
	case block.IsRead():
		b.loads, b.blocks = append(b.loads, l), append(b.blocks, block)
		r.budget.hold(l.depth, block.Len())
	case node != nil || err != nil:
		r.budget.hold(l.depth, 0)
		r.arrived(l, node, err)
		r.budget.resize(l.depth, memoryOf(l.node))
	default:
		l.shared = true
		return
	}
	l.done = b.done
}

func (r *reader) parse(b *parseBatch) {
	for i, l := range b.loads {
		block := b.blocks[i]
		length := block.Len() // Parse takes the block away
		node, err := r.tree.loader.Parse(block, r.tree.params)
		r.arrived(l, node, err)
		r.budget.resize(l.depth, memoryOf(l.node)-length)
	}
	r.parsing.Add(-1)
	r.ended(b.done)
}

// arrived sets the node or the error of a load.
func (r *reader) arrived(l *load, node *block.Node, err error) {
	if err == nil {
		err = r.tree.checkDepth(node, l.depth)
	}
	if l.err = err; err == nil {
		l.node = node
	}
}

// look starts a load, or adds it to the next batch. loaded reports whether it has
// ended, and more whether there is room for others.
func (r *reader) look(l *load, mode readAheadMode) (loaded, more bool) {
	if l.loaded {
		return true, true
	}
	if l.done != nil {
		select {
		case <-l.done:
			l.loaded = true
		default:
		}
		return l.loaded, true
	}
	if l.shared {
		return false, true
	}
	if !r.budget.fits(l.depth) {
		return false, false
	}
	if mode == concurrent {
		r.start(l)
	} else if r.next = append(r.next, l); len(r.next) < batchSize {
		return false, true
	} else {
		r.startBatch()
	}
	return false, r.room(mode)
}

// flush starts what look has left for the next batch, unless it is too little.
func (r *reader) flush() {
	if len(r.next) >= minBatch {
		r.startBatch()
	}
	r.next = r.next[:0]
}
