package builder

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// What a writer holds of blocks that are encoded and not written yet: those under
// way, those that wait for others to end, and nodes that wait for their children.
const (
	// queuedPerWrite bounds their number, as a multiple of the writes under way:
	// where nodes have few children, most of what is queued waits for others.
	queuedPerWrite = 16
	// queueBytes bounds their size, but for the last block of each branch.
	queueBytes = 32 << 20
)

// writer writes blocks, up to atOnce of them at the same time, and each node
// only once all its children are written: whenever it is stopped, there is never
// a node without what it links to. With atOnce below 2 a block is written by the
// caller of add.
//
// There is a goroutine for each write under way and no other, so a writer that
// is dropped holds nothing once those have ended.
type writer struct {
	ctx         context.Context
	cancel      context.CancelFunc
	blockWriter *blockio.Writer
	atOnce      int
	wrote       func() // after each block, never twice at once

	single sync.Mutex // held by the one write, where there is only one

	mu       sync.Mutex
	ended    sync.Cond  // signalled when a write has ended
	ready    []*pending // what can be written once a write has ended
	inFlight int        // writes under way
	queued   int        // blocks that are not written, those under way too
	bytes    int        // of those
	err      error      // the first one; with it the context has ended
}

// pending is a block that is to be written, or a node that is not encoded yet while
// its children are being written already.
type pending struct {
	block   blockio.Block
	encoded bool
	parent  *pending // nil for a value
	left    int      // children that are not written
}

var errWriterStopped = errors.New("hamt: the writer is stopped")

// writer returns a writer. Its stop must be called. wrote may be nil.
func (w *config) writer(ctx context.Context, wrote func()) *writer {
	if wrote == nil {
		wrote = func() {}
	}
	out := &writer{blockWriter: w.blockWriter, atOnce: w.WritesAtOnce, wrote: wrote}
	out.ctx, out.cancel = context.WithCancel(ctx)
	out.ended.L = &out.mu
	return out
}

// add hands a block over. It waits only while too much is queued, which can be
// no deadlock: of what is queued, something is always under way.
func (w *writer) add(p *pending) error {
	if w.atOnce < 2 {
		return w.write(p.block)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && (w.queued >= queuedPerWrite*w.atOnce || w.bytes >= queueBytes) {
		w.ended.Wait()
	}
	if w.err != nil {
		return w.err
	}
	w.queued++
	w.bytes += len(p.block.Bytes)
	p.encoded = true
	if p.parent != nil {
		p.parent.left++
	}
	switch {
	case p.left > 0: // the last of its children will see to it
	case w.inFlight == w.atOnce:
		w.ready = append(w.ready, p)
	default:
		w.inFlight++
		go w.work(p)
	}
	return nil
}

// write writes a block when no other write is under way.
func (w *writer) write(block blockio.Block) error {
	w.single.Lock()
	defer w.single.Unlock()
	err := w.blockWriter.Write(w.ctx, block)
	if err == nil {
		w.wrote()
	}
	return err
}

// work writes a block, and then others as long as there are any.
func (w *writer) work(p *pending) {
	for p != nil {
		p = w.end(p, w.blockWriter.Write(w.ctx, p.block))
	}
}

// end notes how a write has ended, and returns what to write next.
func (w *writer) end(p *pending, err error) (next *pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.ended.Broadcast()
	w.queued--
	w.bytes -= len(p.block.Bytes)
	if err != nil {
		w.fail(err)
	} else {
		w.wrote()
		if p.parent != nil {
			p.parent.left--
			if p.parent.encoded && p.parent.left == 0 {
				w.ready = append(w.ready, p.parent)
			}
		}
	}
	if len(w.ready) == 0 {
		w.inFlight--
		return nil
	}
	next, w.ready = w.ready[0], w.ready[1:]
	return next
}

// fail keeps the first error, and ends what is under way and what is ready.
func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
		w.cancel()
	}
}

// wait returns when all that was handed over is written, or nothing will be
// any more.
func (w *writer) wait() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.inFlight > 0 {
		w.ended.Wait()
	}
	return w.err
}

// stop ends the writer, and returns when no write is under way.
func (w *writer) stop() {
	w.mu.Lock()
	w.fail(errWriterStopped)
	w.mu.Unlock()
	w.wait()
}

// branch returns what takes the blocks of one part of a tree below the root, in
// the order in which an emitter makes them.
func (w *writer) branch() func(block blockio.Block, depth int) error {
	if w.atOnce < 2 {
		return func(block blockio.Block, _ int) error { return w.write(block) }
	}
	b := branch{writer: w}
	return b.add
}

// branch knows which blocks have to wait for which.
type branch struct {
	writer *writer
	open   []*pending // by depth, the node whose children come; nil where there is none yet
}

func (b *branch) add(block blockio.Block, depth int) error {
	for len(b.open) <= depth {
		b.open = append(b.open, nil)
	}
	p := b.at(depth)
	p.block, p.parent = block, b.at(depth-1)
	b.open[depth] = nil
	return b.writer.add(p)
}

func (b *branch) at(depth int) *pending {
	if b.open[depth] == nil {
		b.open[depth] = &pending{}
	}
	return b.open[depth]
}

// puts returns the trie.Put of a part: each block is written as soon as it is
// encoded.
func (w *writer) puts() trie.Put {
	add := w.branch()
	return func(raw []byte, depth int) ([]byte, error) {
		if w.atOnce >= 2 { // else it is written before raw is used again
			raw = bytes.Clone(raw)
		}
		block, err := w.blockWriter.Encode(raw)
		if err != nil {
			return nil, err
		}
		return block.CID, add(block, depth)
	}
}

// writeValues writes blocks that do not link to each other.
func (w *config) writeValues(ctx context.Context, values []blockio.Block) error {
	if len(values) == 0 {
		return nil
	}
	out := w.writer(ctx, nil)
	defer out.stop()
	for _, v := range values {
		if err := out.add(&pending{block: v}); err != nil {
			return err
		}
	}
	return out.wait()
}
