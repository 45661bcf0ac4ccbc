package embedded

import (
	"context"
	"errors"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/links"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// walker goes through the blocks that roots reach, and through each once: first
// what a block links to, in the order of the links, and then the block. What it
// remembers takes a few bits for each block of the store.
type walker struct {
	dir   string
	packs []*openPack // which the caller holds

	// seen are the blocks that were entered, by the codec in which their links
	// were read.
	seen map[uint64]marks
	// bad are those from which something is reached that cannot be read; and
	// some more, from which something was reached that was visited later.
	bad marks
	// later are blocks that were found too deep to be visited there, by codec.
	later map[uint64]marks

	stack []frame
	bytes int // that it takes

	// visit is called for each block; nil is for nobody.
	visit func(at place, c cid.Cid, block []byte) error
	// lost is called for each link to a block that is in no pack, or damaged in
	// all that have it, and returns whether what links to it is bad.
	lost func(c cid.Cid, err error) (bad bool, _ error)
	// opaque is called for each block whose links are not known; nil is for nobody.
	opaque func(c cid.Cid) error
	// descend reports whether to enter a block; nil is for all.
	descend func(at place) bool
}

// place is where a block is.
type place struct {
	pack   *openPack
	number int // of the entry in its index
}

// frame is a block whose links are being followed.
type frame struct {
	place
	cid   cid.Cid
	block []byte
	links []cid.Cid // that were not followed yet
	bytes int
	bad   bool
}

const (
	// maxStackBytes is how much the blocks on the way from a root may take,
	// before those below them have to wait.
	maxStackBytes = 64 << 20
	linkBytes     = 80 // about what a CID takes in a list
)

func newWalker(dir string, packs []*openPack) *walker {
	return &walker{dir: dir, packs: packs, seen: map[uint64]marks{}, bad: marks{}, later: map[uint64]marks{}}
}

// walk visits what a root reaches and was not visited yet, and reports whether
// something of it may be bad.
func (w *walker) walk(ctx context.Context, root cid.Cid) (bad bool, err error) {
	top := frame{links: w.expand([]cid.Cid{root}, 0)}
	if err := w.follow(ctx, &top); err != nil {
		return false, err
	}
	bad = top.bad
	for {
		c, ok, err := w.takeLater()
		if err != nil || !ok {
			return bad, err
		}
		below := frame{links: []cid.Cid{c}}
		if err := w.follow(ctx, &below); err != nil {
			return false, err
		}
		bad = bad || below.bad
	}
}

// visited returns the blocks that were entered, in any codec.
func (w *walker) visited() marks {
	all := marks{}
	for _, seen := range w.seen {
		all.add(seen)
	}
	return all
}

// follow visits what the links of a frame lead to.
func (w *walker) follow(ctx context.Context, top *frame) error {
	w.stack, w.bytes = w.stack[:0], 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := w.top(top)
		if len(f.links) > 0 {
			c := f.links[0]
			f.links = f.links[1:]
			bad, err := w.enter(c)
			if err != nil {
				return err
			}
			if bad {
				f.bad = true // nothing was put on the stack
			}
			continue
		}
		if f == top {
			return nil
		}
		done := *f
		w.stack = w.stack[:len(w.stack)-1]
		w.bytes -= done.bytes
		if w.visit != nil {
			if err := w.visit(done.place, done.cid, done.block); err != nil {
				return err
			}
		}
		if done.bad {
			w.bad.set(done.place)
			w.top(top).bad = true
		}
	}
}

// top returns the frame whose links are being followed.
func (w *walker) top(bottom *frame) *frame {
	if len(w.stack) == 0 {
		return bottom
	}
	return &w.stack[len(w.stack)-1]
}

// enter puts a block on the stack, unless it was entered before. It reports whether
// it is known to be bad, and not on the stack.
func (w *walker) enter(c cid.Cid) (bad bool, err error) {
	codec := c.Prefix().Codec
	if codec != cid.Raw && (len(w.stack) >= maxLinks || w.bytes > maxStackBytes) {
		return w.postpone(c)
	}
	at, block, err := w.read(c)
	switch {
	case err != nil:
		return w.lost(c, err)
	case block == nil:
		return w.bad.has(at), nil
	case w.descend != nil && !w.descend(at):
		return false, nil
	}
	if w.seen[codec] == nil {
		w.seen[codec] = marks{}
	}
	w.seen[codec].set(at)
	below, known := linksOf(c, block)
	if !known && w.opaque != nil {
		if err := w.opaque(c); err != nil {
			return false, err
		}
	}
	f := frame{place: at, cid: c, block: block, links: w.expand(below, 0), bytes: len(block) + linkBytes*len(below)}
	w.stack = append(w.stack, f)
	w.bytes += f.bytes
	return false, nil
}

// read returns where a block is, of which it finds the newest that is whole, and
// no block where it was entered before.
func (w *walker) read(c cid.Cid) (at place, block []byte, err error) {
	codec := c.Prefix().Codec
	for _, p := range w.packs {
		if p.Pack == nil {
			continue
		}
		e, ok, findErr := p.Find(c)
		if findErr != nil && err == nil {
			err = &FileError{w.dir, p.path(), findErr}
		}
		if !ok {
			continue
		}
		at = place{p, e.Number}
		if w.seen[codec].has(at) {
			return at, nil, nil
		}
		block, readErr := p.Read(c, e)
		if readErr == nil {
			if block == nil {
				block = []byte{}
			}
			return at, block, nil
		}
		if err == nil {
			err = &DamageError{w.dir, p.Name, c, readErr}
		}
	}
	if err == nil {
		err = stores.NotFound{CID: c}
	}
	return place{}, nil, err
}

// postpone has a block visited when the way to it is not kept any more. What is
// above it is as good as bad, since what is below it is not known yet.
func (w *walker) postpone(c cid.Cid) (bad bool, err error) {
	codec := c.Prefix().Codec
	for _, p := range w.packs {
		if p.Pack == nil {
			continue
		}
		e, ok, err := p.Find(c)
		if err != nil || !ok {
			continue
		}
		at := place{p, e.Number}
		if w.seen[codec].has(at) {
			return w.bad.has(at), nil
		}
		if w.later[codec] == nil {
			w.later[codec] = marks{}
		}
		w.later[codec].set(at)
		return true, nil
	}
	return w.lost(c, stores.NotFound{CID: c})
}

// takeLater returns a block that has to be visited later, and reports whether there
// is one.
func (w *walker) takeLater() (c cid.Cid, ok bool, err error) {
	for codec, waiting := range w.later {
		at, ok := waiting.take()
		if !ok {
			continue
		}
		section, err := at.pack.Section(at.number)
		c, damage := section.CID, (*pack.DamageError)(nil)
		if errors.As(err, &damage) {
			c = damage.CID // which another pack may have
		} else if err != nil {
			return cid.Undef, false, &FileError{w.dir, at.pack.path(), err}
		}
		return cid.NewCidV1(codec, c.Hash()), true, nil
	}
	return cid.Undef, false, nil
}

// linksOf returns what a block links to, and reports whether that is known. Where a
// block in CBOR cannot be decoded, all counts that looks like a link.
func linksOf(c cid.Cid, block []byte) (found []cid.Cid, known bool) {
	found, known, err := links.Of(c, block)
	if err == nil {
		return found, known
	}
	switch c.Prefix().Codec {
	case cid.DagCBOR, codecCBOR:
		return links.Like(block), true
	}
	return nil, false
}

const codecCBOR = 0x51

// expand returns links, with those in blocks that are in their CIDs in place of
// these.
func (w *walker) expand(found []cid.Cid, depth int) (all []cid.Cid) {
	for i, c := range found {
		block, ok := stores.Inlined(c)
		if !ok {
			if all != nil {
				all = append(all, c)
			}
			continue
		}
		if all == nil {
			all = append(make([]cid.Cid, 0, len(found)), found[:i]...)
		}
		if depth < maxLinks {
			inside, _ := linksOf(c, block)
			all = append(all, w.expand(inside, depth+1)...)
		}
	}
	if all == nil {
		return found
	}
	return all
}
