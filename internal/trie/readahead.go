package trie

import (
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
	// batchAfter is how many nodes a walker enters before other goroutines parse
	// for it: it does not pay for small maps, and walks that are soon broken off.
	batchAfter = 16
)

// readAheadMode is how a walker reads ahead. A slow store is asked for many
// blocks at the same time, each in a goroutine of its own: there the time goes
// by in waiting. A fast one is asked for one block after another, by the walker
// itself: there the time goes into checking and parsing, which other processors
// do, a batch of blocks at a time. So a store is asked concurrently only where
// that pays.
type readAheadMode uint8

const (
	serial readAheadMode = iota // nothing is read ahead
	batched
	concurrent
)

func (w *Walker) mode() readAheadMode {
	switch {
	case w.budget.requests < 2:
		return serial
	case w.tree.loader.Slow():
		return concurrent
	case w.batches > 0 && w.entered > batchAfter:
		return batched
	}
	return serial
}

// enter makes sure that a visit is loaded.
func (w *Walker) enter(v *Visit) error {
	if err := w.ctx.Err(); err != nil { // loads from the cache do not check it
		return err
	}
	if v.done == nil {
		w.readAhead() // from this visit on
	}
	if v.done == nil { // its turn has come, whatever the budget says
		if err := w.waitForRoom(); err != nil {
			return err
		}
		if w.mode() != concurrent {
			v.node, v.err = w.load(v)
			v.loaded = true
			return v.err
		}
		w.start(v)
	}
	if err := w.wait(v); err != nil {
		return err
	}
	w.budget.take(v.depth, memoryOf(v.node))
	w.readAhead()
	return v.err
}

// memoryOf returns what a node takes in memory, 0 for nil.
func memoryOf(node *block.Node) int {
	if node == nil {
		return 0
	}
	return node.Memory()
}

// waitForRoom waits until one more request may be under way.
func (w *Walker) waitForRoom() error {
	for !w.budget.room() {
		select {
		case <-w.wake:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	return nil
}

// wait waits for a load, and begins others meanwhile.
func (w *Walker) wait(v *Visit) error {
	for {
		select {
		case <-v.done:
			v.loaded = true
			return nil
		default:
		}
		w.readAhead()
		select {
		case <-v.done:
		case <-w.wake:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}

func (w *Walker) load(v *Visit) (*block.Node, error) {
	node, err := w.tree.child(w.ctx, v.above, v.position, v.depth, w.retain)
	if err != nil {
		return nil, locatedCID(err, v.CID(), v.Path())
	}
	return node, nil
}

// start begins a load in a goroutine of its own, which ends with it.
func (w *Walker) start(v *Visit) {
	v.done = make(chan struct{})
	w.budget.begin(v.depth)
	go func() {
		v.node, v.err = w.load(v)
		w.budget.end(v.depth, memoryOf(v.node))
		w.ended(v.done)
	}()
}

// ended tells the walker that a load or a batch has ended.
func (w *Walker) ended(done chan struct{}) {
	close(done)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// parseBatch is what the walker has read and another goroutine parses.
type parseBatch struct {
	visits []*Visit
	blocks []blockio.Unparsed // of the visits
	done   chan struct{}
}

// startBatch reads the blocks of the visits in w.next, as long as the store is
// fast and the budget allows it, and parses them in a goroutine.
func (w *Walker) startBatch() {
	b := &parseBatch{done: make(chan struct{})}
	w.parsing.Add(1)
	defer func() { // even if the store panics: others may wait for what was read
		if len(b.blocks) == 0 { // all of it is in memory already, or being loaded by others
			w.parse(b)
		} else {
			go w.parse(b)
		}
	}()
	for _, v := range w.next {
		if w.mode() != batched || !w.budget.fits(v.depth) {
			break
		}
		w.read(v, b)
	}
	w.next = w.next[:0]
}

// read reads the block of a visit into a batch. One that another walk or lookup
// is loading is left until its turn comes.
func (w *Walker) read(v *Visit, b *parseBatch) {
	node, block, err := w.tree.loader.Read(w.ctx, v.above, v.position)
	switch {
	case block.IsRead():
		b.visits, b.blocks = append(b.visits, v), append(b.blocks, block)
		w.budget.hold(v.depth, block.Len())
	case node != nil || err != nil:
		w.budget.hold(v.depth, 0)
		w.arrived(v, node, err)
		w.budget.resize(v.depth, memoryOf(v.node))
	default:
		v.shared = true
		return
	}
	v.done = b.done
}

func (w *Walker) parse(b *parseBatch) {
	for i, v := range b.visits {
		block := b.blocks[i]
		length := block.Len() // Parse takes the block away
		node, err := w.tree.loader.Parse(block, w.tree.params)
		w.arrived(v, node, err)
		w.budget.resize(v.depth, memoryOf(v.node)-length)
	}
	w.parsing.Add(-1)
	w.ended(b.done)
}

// arrived sets the node or the error of a visit.
func (w *Walker) arrived(v *Visit, node *block.Node, err error) {
	if err == nil {
		err = w.tree.checkDepth(node, v.depth)
	}
	if err != nil {
		v.err = locatedCID(err, v.CID(), v.Path())
		return
	}
	v.node = node
}

// readAhead starts loading what comes next, as far as the budget allows.
func (w *Walker) readAhead() {
	mode := w.mode()
	if !w.room(mode) {
		return
	}
	w.next = w.next[:0]
	w.lookAhead(mode)
	if len(w.next) >= minBatch {
		w.startBatch()
	}
}

// lookAhead looks at what comes next until there is no room for more.
func (w *Walker) lookAhead(mode readAheadMode) {
	for i := len(w.stack) - 1; i >= 0; i-- {
		f := w.stack[i]
		if f.visit.node.Links() == 0 {
			continue
		}
		for c := f.child; c < f.visit.node.Links(); c++ {
			if !w.look(&f.visit.expand()[c], mode) {
				return
			}
		}
	}
}

// look starts loading a visit, or adds it to the next batch, or looks at its
// children if it is loaded already. It returns false if there is no room for more.
func (w *Walker) look(v *Visit, mode readAheadMode) bool {
	if !v.loaded {
		if v.done == nil {
			if v.shared {
				return true
			}
			if !w.budget.fits(v.depth) {
				return false
			}
			if mode == concurrent {
				w.start(v)
			} else if w.next = append(w.next, v); len(w.next) < batchSize {
				return true
			} else {
				w.startBatch()
			}
			return w.room(mode)
		}
		select {
		case <-v.done:
			v.loaded = true
		default:
			return true
		}
	}
	if v.node == nil || v.node.Links() == 0 {
		return true
	}
	children := v.expand()
	for i := range children {
		if !w.look(&children[i], mode) {
			return false
		}
	}
	return true
}

// room reports whether one more load, or batch, may begin.
func (w *Walker) room(mode readAheadMode) bool {
	switch mode {
	case concurrent:
		return w.budget.room()
	case batched:
		return w.parsing.Load() < int64(w.batches)
	}
	return false
}
