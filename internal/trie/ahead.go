package trie

import (
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
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
	case w.tree.source.Slow():
		return spread
	case w.bundles > 0 && w.entered > alone:
		return bundled
	}
	return stepwise
}

// enter sees to it that a place is loaded.
func (w *Walker) enter(p *Place) error {
	if err := w.ctx.Err(); err != nil { // a cache would never say so
		return err
	}
	if p.done == nil {
		w.readAhead() // from this place on
	}
	if p.done == nil { // its turn has come, however much is waiting to be entered
		if err := w.waitForRoom(); err != nil {
			return err
		}
		if w.pace() != spread {
			p.node, p.err = w.load(p)
			p.loaded = true
			return p.err
		}
		w.start(p)
	}
	if err := w.wait(p); err != nil {
		return err
	}
	w.waiting--
	if p.node != nil {
		w.held.Add(-int64(p.node.Memory()))
	}
	w.readAhead()
	return p.err
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
func (w *Walker) wait(p *Place) error {
	for {
		select {
		case <-p.done:
			p.loaded = true
			return nil
		default:
		}
		w.readAhead()
		select {
		case <-p.done:
		case <-w.wake:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}

func (w *Walker) load(p *Place) (*block.Node, error) {
	node, err := w.tree.child(w.ctx, p.above, p.position, p.depth, false)
	if err != nil {
		return nil, locatedCID(err, p.CID(), p.Path())
	}
	return node, nil
}

// start begins a load in a goroutine of its own, which ends with it.
func (w *Walker) start(p *Place) {
	p.done = make(chan struct{})
	w.waiting++
	w.flying.Add(1)
	go func() {
		p.node, p.err = w.load(p)
		if p.node != nil {
			w.held.Add(int64(p.node.Memory()))
		}
		w.flying.Add(-1)
		w.ended(p.done)
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
	places []*Place
	blocks []store.Unparsed // of the places
	done   chan struct{}
}

// startBundle reads the blocks of the places that were gathered, as long as
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
	for _, p := range w.next {
		if w.pace() != bundled || w.held.Load() >= aheadBytes {
			break
		}
		w.read(p, b)
	}
	w.next = w.next[:0]
}

// read reads the block of a place. One that another walk or lookup is loading
// is left until its turn comes: then it will be in memory, or worth waiting for.
func (w *Walker) read(p *Place, b *bundle) {
	node, block, err := w.tree.source.Read(w.ctx, p.above, p.position)
	switch {
	case block.IsRead():
		b.places, b.blocks = append(b.places, p), append(b.blocks, block)
		w.held.Add(int64(block.Len()))
	case node != nil || err != nil:
		w.arrived(p, node, err)
	default:
		p.shared = true
		return
	}
	p.done = b.done
	w.waiting++
}

func (w *Walker) parse(b *bundle) {
	for i, p := range b.places {
		block := b.blocks[i]
		w.held.Add(-int64(block.Len()))
		node, err := w.tree.source.Parse(block, w.tree.params)
		w.arrived(p, node, err)
	}
	w.parsing.Add(-1)
	w.ended(b.done)
}

// arrived takes what came of reading a place.
func (w *Walker) arrived(p *Place, node *block.Node, err error) {
	if err == nil {
		err = w.tree.checkDepth(node, p.depth)
	}
	if err != nil {
		p.err = locatedCID(err, p.CID(), p.Path())
		return
	}
	p.node = node
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
		if f.place.node.Links() == 0 {
			continue
		}
		for c := f.child; c < f.place.node.Links(); c++ {
			if !w.look(&f.place.expand()[c], pace) {
				return
			}
		}
	}
	if len(w.next) >= minBundle {
		w.startBundle()
	}
}

// look starts a place, with others or by itself, or goes on to what is below
// it where it is there already. It answers false when there is no room for
// more.
func (w *Walker) look(p *Place, pace pace) bool {
	if !p.loaded {
		if p.done == nil {
			if p.shared {
				return true
			}
			if pace == spread {
				w.start(p)
			} else if w.next = append(w.next, p); len(w.next) < bundleSize {
				return true
			} else {
				w.startBundle()
			}
			return w.room(pace)
		}
		select {
		case <-p.done:
			p.loaded = true
		default:
			return true
		}
	}
	if p.node == nil || p.node.Links() == 0 {
		return true
	}
	children := p.expand()
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
