package embedded

import (
	"bytes"
	"iter"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// waiting are blocks that are to be written to a pack together.
type waiting struct {
	bytes   []byte // their sections; what is here stays as it is
	records []record
	index   map[string]int32 // in records, by multihash
}

// record is a block that waits.
type record struct {
	cid        cid.Cid
	begin, end int  // of its section
	block      int  // where the block begins
	linked     bool // from another block that waits
	arranged   bool
}

func newWaiting(size, number int) *waiting {
	return &waiting{
		bytes: make([]byte, 0, size), records: make([]record, 0, number), index: make(map[string]int32, number),
	}
}

// add adds a block, unless it is there.
func (w *waiting) add(c cid.Cid, block []byte) {
	if _, ok := w.index[pack.HashOf(c)]; ok {
		return
	}
	w.index[pack.HashOf(c)] = int32(len(w.records))
	begin := len(w.bytes)
	w.bytes = pack.AppendSection(w.bytes, c, block)
	end := len(w.bytes)
	w.records = append(w.records, record{cid: c, begin: begin, end: end, block: end - len(block)})
}

// block returns a block that was added.
func (w *waiting) block(c cid.Cid) (block []byte, ok bool) {
	i, ok := w.index[pack.HashOf(c)]
	if !ok {
		return nil, false
	}
	return w.of(w.records[i]), true
}

func (w *waiting) of(r record) []byte { return w.bytes[r.block:r.end:r.end] }

// arrange returns the sections of the blocks that are not known, in the order in
// which a walk will want them: what a block links to together, in the order of
// the links, and behind it the block. They may have come in another order: a
// tree is built at several places at the same time. It asks for them in that
// order, in which they may stand elsewhere.
func (w *waiting) arrange(known func(c cid.Cid, block []byte) bool) (sections []byte) {
	a := arrangement{w, known, make([]byte, 0, len(w.bytes))}
	for i := range w.records {
		for child := range w.links(i) {
			w.records[child].linked = true
		}
	}
	for i := range w.records {
		if !w.records[i].linked {
			a.add(i, maxLinks)
		}
	}
	for i := range w.records { // what is left: a chain of links, or blocks that have the CIDs of others
		a.add(i, 0)
	}
	return a.bytes
}

// maxLinks is how many links one after the other are followed: more than trees
// are deep.
const maxLinks = 64

type arrangement struct {
	*waiting
	known func(c cid.Cid, block []byte) bool
	bytes []byte
}

// add adds a block behind those that it links to.
func (a *arrangement) add(i int, links int) {
	r := &a.records[i]
	if r.arranged {
		return
	}
	r.arranged = true // also so that nobody comes back here
	if links > 0 {
		for child := range a.links(i) {
			a.add(child, links-1)
		}
	}
	if !a.known(r.cid, a.of(*r)) {
		a.bytes = append(a.bytes, a.waiting.bytes[r.begin:r.end]...)
	}
}

// links visits the blocks that one links to and that wait, too. Links are found
// by how they begin in CBOR. What only looks like one does no harm, and blocks
// in another codec stay where they are.
func (w *waiting) links(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for rest := w.of(w.records[i]); ; {
			at := bytes.Index(rest, linkHead)
			if at < 0 || len(rest) < at+len(linkHead)+1 {
				return
			}
			length := int(rest[at+len(linkHead)])
			rest = rest[at+len(linkHead)+1:]
			if len(rest) < length || length == 0 {
				continue
			}
			child, ok := w.linked(rest[1:length]) // behind the zero that each begins with
			if ok && !yield(child) {
				return
			}
		}
	}
}

// linked returns the block that waits with a binary CID.
func (w *waiting) linked(c []byte) (i int, ok bool) {
	hash := c
	// Version 1, and a codec of up to two bytes: others are not arranged.
	switch {
	case len(c) > 2 && c[0] == 1 && c[1] < 0x80:
		hash = c[2:]
	case len(c) > 3 && c[0] == 1 && c[2] < 0x80:
		hash = c[3:]
	}
	n, ok := w.index[string(hash)]
	return int(n), ok
}

// linkHead is the tag of a CID, and the head of bytes whose length is in the
// next byte.
var linkHead = []byte{0xd8, 42, 0x58}
