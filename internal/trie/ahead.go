package trie

import (
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
)

// Read-ahead, in numbers.
const (
	// DefaultAhead is how many blocks are being loaded at the same time unless
	// told otherwise.
	DefaultAhead = 64
	// aheadBytes bounds the blocks that are loaded and not consumed yet.
	aheadBytes = 32 << 20
	// aheadPlaces bounds their number, as a multiple of what is under way at
	// most: inner nodes wait long for their turn, and must not stop the leaves
	// before them from being loaded.
	aheadPlaces = 4
)

// Bundles, in numbers.
const (
	// bundleSize is how many blocks one goroutine checks and parses. Fewer than
	// minBundle do not pay for it, and for waiting.
	bundleSize = 32
	minBundle  = 8
	// maxBundles is how many goroutines do so at the same time: more would be
	// faster than a walker reads.
	maxBundles = 4
	// alone is how many nodes a walker enters before others work for it: for
	// small maps, and walks that are soon broken off, nobody should.
	alone = 16
)

// pace is how a walker reads ahead. A slow store is asked for many blocks at
// the same time, each in a goroutine of its own: there the time goes by in
// waiting. A fast one is asked for one block after another, by the walker
// itself: there the time goes into checking and parsing, which other
// processors do, a bundle of blocks at a time. So a store is asked concurrently
// only where that pays.
type pace uint8

const (
	stepwise pace = iota // not at all
	bundled
	spread
)

func (w *Walker) pace() pace {
	switch {
	case w.ahead < 2:
		return stepwise
	case w.tree.loader.Slow():
		return spread
	case w.bundles > 0 && w.entered > alone:
		return bundled
	}
	return stepwise
}

// enter sees to it that a visit is loaded.
func (w *Walker) enter(v *Visit) error {
	if err := w.ctx.Err(); err != nil { // a cache would never say so
		return err
	}
	if v.done == nil {
		w.readAhead() // from this visit on
	}
	if v.done == nil { // its turn has come, however much is waiting to be entered
		if err := w.waitForRoom(); err != nil {
			return err
		}
		if w.pace() != spread {
			v.node, v.err = w.load(v)
			v.loaded = true
			return v.err
		}
		w.start(v)
	}
	if err := w.wait(v); err != nil {
		return err
	}
	w.waiting--
	if v.node != nil {
		w.held.Add(-int64(v.node.Memory()))
	}
	w.readAhead()
	return v.err
}

// waitForRoom waits until one more load may be under way.
func (w *Walker) waitForRoom() error {
	for w.flying.Load() >= int64(w.ahead) {
		select {
		case <-w.wake:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	return nil
}

// wait waits for a load, and keeps others going meanwhile.
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
	w.waiting++
	w.flying.Add(1)
	go func() {
		v.node, v.err = w.load(v)
		if v.node != nil {
			w.held.Add(int64(v.node.Memory()))
		}
		w.flying.Add(-1)
		w.ended(v.done)
	}()
}

// ended says that a load or a bundle has.
func (w *Walker) ended(done chan struct{}) {
	close(done)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// bundle is what the walker has read and another goroutine parses.
type bundle struct {
	visits []*Visit
	blocks []blockio.Unparsed // of the visits
	done   chan struct{}
}

// startBundle reads the blocks of the visits that were gathered, as long as
// the store is fast and there is room, and has them parsed in a goroutine of
// its own, which ends with that.
func (w *Walker) startBundle() {
	b := &bundle{done: make(chan struct{})}
	w.parsing.Add(1)
	defer func() { // also when the store panics: others may wait for what was read
		if len(b.blocks) == 0 { // all of it is in memory already, or another one's
			w.parse(b)
		} else {
			go w.parse(b)
		}
	}()
	for _, v := range w.next {
		if w.pace() != bundled || w.held.Load() >= aheadBytes {
			break
		}
		w.read(v, b)
	}
	w.next = w.next[:0]
}

// read reads the block of a visit. One that another walk or lookup is loading
// is left until its turn comes: then it will be in memory, or worth waiting for.
func (w *Walker) read(v *Visit, b *bundle) {
	node, block, err := w.tree.loader.Read(w.ctx, v.above, v.position)
	switch {
	case block.IsRead():
		b.visits, b.blocks = append(b.visits, v), append(b.blocks, block)
		w.held.Add(int64(block.Len()))
	case node != nil || err != nil:
		w.arrived(v, node, err)
	default:
		v.shared = true
		return
	}
	v.done = b.done
	w.waiting++
}

func (w *Walker) parse(b *bundle) {
	for i, v := range b.visits {
		block := b.blocks[i]
		w.held.Add(-int64(block.Len()))
		node, err := w.tree.loader.Parse(block, w.tree.params)
		w.arrived(v, node, err)
	}
	w.parsing.Add(-1)
	w.ended(b.done)
}

// arrived takes what came of reading a visit.
func (w *Walker) arrived(v *Visit, node *block.Node, err error) {
	if err == nil {
		err = w.tree.checkDepth(node, v.depth)
	}
	if err != nil {
		v.err = locatedCID(err, v.CID(), v.Path())
		return
	}
	v.node = node
	w.held.Add(int64(node.Memory()))
}

// readAhead starts what comes next, as far as the limits allow.
func (w *Walker) readAhead() {
	pace := w.pace()
	if !w.room(pace) {
		return
	}
	w.next = w.next[:0]
	for i := len(w.stack) - 1; i >= 0; i-- {
		f := w.stack[i]
		if f.visit.node.Links() == 0 {
			continue
		}
		for c := f.child; c < f.visit.node.Links(); c++ {
			if !w.look(&f.visit.expand()[c], pace) {
				return
			}
		}
	}
	if len(w.next) >= minBundle {
		w.startBundle()
	}
}

// look starts a visit, with others or by itself, or goes on to what is below
// it where it is there already. It answers false when there is no room for
// more.
func (w *Walker) look(v *Visit, pace pace) bool {
	if !v.loaded {
		if v.done == nil {
			if v.shared {
				return true
			}
			if pace == spread {
				w.start(v)
			} else if w.next = append(w.next, v); len(w.next) < bundleSize {
				return true
			} else {
				w.startBundle()
			}
			return w.room(pace)
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
		if !w.look(&children[i], pace) {
			return false
		}
	}
	return true
}

// room says whether one more load, or bundle, may begin.
func (w *Walker) room(pace pace) bool {
	flying, held := w.flying.Load(), w.held.Load()
	if pace == stepwise || flying >= int64(w.ahead) {
		return false
	}
	if pace == bundled {
		return w.parsing.Load() < int64(w.bundles) && w.waiting < aheadPlaces*bundleSize*w.bundles && held < aheadBytes
	}
	// What is under way will be about as large as what has arrived.
	arrived := int64(w.waiting) - flying
	return w.waiting < aheadPlaces*w.ahead && (arrived <= 0 || held+held/arrived*flying < aheadBytes)
}
