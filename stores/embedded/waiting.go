package embedded

import (
	"bytes"
	"iter"
	"slices"
	"strings"
)

// waiting are blocks that are to be written to the pack together.
type waiting struct {
	bytes   []byte // their records; what is here stays as it is
	records []record
	index   map[string]int32 // in records, by binary CID
}

// record is a block that waits.
type record struct {
	cid string
	place
	known  bool // the pack has it already
	linked bool // from another block that waits
}

func newWaiting(size, number int) *waiting {
	return &waiting{
		bytes: make([]byte, 0, size), records: make([]record, 0, number), index: make(map[string]int32, number),
	}
}

// add adds a block, unless it is there.
func (w *waiting) add(c string, block []byte) {
	if _, ok := w.index[c]; ok {
		return
	}
	w.index[c] = int32(len(w.records))
	at := len(w.bytes)
	w.bytes = appendRecord(w.bytes, c, block)
	w.records = append(w.records, record{cid: c, place: place{int64(at), len(w.bytes) - at}})
}

// block gives a block that was added.
func (w *waiting) block(c string) (block []byte, ok bool) {
	i, ok := w.index[c]
	if !ok {
		return nil, false
	}
	return w.of(w.records[i]), true
}

func (w *waiting) of(r record) []byte {
	block, _, _ := parseRecord(w.bytes[r.at:r.end()], r.cid)
	return block
}

// sorted gives all in order of CID.
func (w *waiting) sorted() []int32 {
	sorted := make([]int32, len(w.records))
	for i := range sorted {
		sorted[i] = int32(i)
	}
	slices.SortFunc(sorted, func(a, b int32) int { return strings.Compare(w.records[a].cid, w.records[b].cid) })
	return sorted
}

// arrange gives the records that are not known in the order in which a walk will
// want them, and where they stand then: what a block links to together, in the
// order of the links, and behind it the block. They may have come in another
// order: a tree is built at several places at the same time.
func (w *waiting) arrange() (records []byte, places []place) {
	a := arrangement{w, make([]byte, 0, len(w.bytes)), make([]place, len(w.records))}
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
	return a.bytes, a.places
}

// maxLinks is how many links one after the other are followed: more than trees
// are deep.
const maxLinks = 64

type arrangement struct {
	*waiting
	bytes  []byte
	places []place // of length 0 where a record is not arranged yet
}

// add adds a block behind those that it links to.
func (a *arrangement) add(i int, links int) {
	r := &a.records[i]
	if r.known || a.places[i].length > 0 {
		return
	}
	a.places[i].length = r.length // also so that nobody comes back here
	if links > 0 {
		for child := range a.links(i) {
			a.add(child, links-1)
		}
	}
	a.places[i].at = int64(len(a.bytes))
	a.bytes = append(a.bytes, a.waiting.bytes[r.at:r.end()]...)
}

// links gives the blocks that one links to and that wait, too. Links are found
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
			child, ok := w.index[string(rest[1:length])] // behind the zero that each begins with
			if ok && !yield(int(child)) {
				return
			}
		}
	}
}

// linkHead is the tag of a CID, and the head of bytes whose length is in the
// next byte.
var linkHead = []byte{0xd8, 42, 0x58}
