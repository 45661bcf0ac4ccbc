package block

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// A node of py-hamt 3 has no bitmap: it is a list with an item for each index.
//
//	99 01 00  a0 a0 … a1 69 zarr.json d8 2a 58 25 00 CID a0 … 81 d8 2a 58 25 00 CID a0 …
//	└ list    └ none  └ bucket: a map from text to links      └ a child: a list of its link
//
// In a Node the bitmap is made of what is there, empty maps are no elements, and
// an element that is a link begins behind the head of its list.

const (
	slotsOfNode = 256
	noElement   = cbor.Map      // a bucket without entries
	linkAlone   = cbor.List | 1 // what stands before a link
)

// slots parses a node that is a list with an item for each index.
func (p *parser) slots() error {
	if err := p.list(slotsOfNode, "node"); err != nil {
		return err
	}
	var (
		bitmap         [slotsOfNode / 8]byte
		at             [slotsOfNode]uint32 // where each element begins
		n              int
		links, entries uint32
		overfull       bool
		unsorted       bool
	)
	for index := range slotsOfNode {
		if p.off >= len(p.raw) {
			return malformed(cbor.ErrTruncated)
		}
		if p.raw[p.off] == noElement {
			p.off++
			continue
		}
		major, count, next, err := cbor.Head(p.raw, p.off)
		if err != nil {
			return malformed(err)
		}
		switch {
		case major == cbor.Map:
			at[n] = uint32(p.off)
			var sorted bool
			if p.off, sorted, err = p.mapBucket(count, next); err != nil {
				return err
			}
			unsorted = unsorted || !sorted
			entries += uint32(count)
			overfull = overfull || count > uint64(p.params.BucketSize)
		case major == cbor.List && count == 1 && cbor.IsLink(p.raw, next):
			at[n] = uint32(next)
			if _, p.off, err = cbor.Link(p.raw, next); err != nil {
				return malformed(err)
			}
			links++
		default:
			if _, _, err := cbor.Skip(p.raw, p.off, 1); err != nil {
				return malformed(err)
			}
			return faults.New(fault.ErrElement, "the item at index %d is neither a map nor a list of one link", index)
		}
		bitmap[index>>3] |= 1 << (index & 7)
		n++
	}
	behind := p.off
	p.settle(n, span{}, bitmap[:])
	p.out.links, p.out.entries, p.out.overfull, p.out.unsorted = links, entries, overfull, unsorted
	for i := range n {
		binary.LittleEndian.PutUint32(p.out.memory[4*i:], at[i]+uint32(indexBytes(n)))
	}
	binary.LittleEndian.PutUint32(p.out.memory[4*n:], uint32(behind+indexBytes(n)))
	return nil
}

// mapBucket checks the bucket of n entries whose first begins at off. It returns the
// offset after it, and whether the keys are in the order of their bytes, too.
func (p *parser) mapBucket(n uint64, off int) (next int, sorted bool, err error) {
	var previous []byte
	sorted = true
	for i := range n {
		from, to, err := cbor.Span(p.raw, off, cbor.String)
		if err != nil {
			return 0, false, malformed(err)
		}
		key := p.raw[from:to]
		if !utf8.Valid(key) {
			return 0, false, faults.New(fault.ErrMalformed, "key %.80q is text and not UTF-8", key)
		}
		if i > 0 && cbor.CompareKeys(previous, key) >= 0 {
			return 0, false, faults.New(fault.ErrBucketOrder, "key %.80q comes after %.80q", key, previous)
		}
		sorted = sorted && bytes.Compare(previous, key) <= 0
		previous = key
		if !cbor.IsLink(p.raw, to) {
			if _, _, err := cbor.Skip(p.raw, to, 2); err != nil {
				return 0, false, malformed(err)
			}
			return 0, false, faults.New(fault.ErrElement, "the value of key %.80q is not a link", key)
		}
		if _, off, err = cbor.Link(p.raw, to); err != nil {
			return 0, false, malformed(err)
		}
	}
	return off, sorted, nil
}

// slots appends the list with an item for each index.
func (e *Encoder) slots(dst []byte) []byte {
	dst = cbor.AppendHead(dst, cbor.List, slotsOfNode)
	off, from := 0, 0
	for at, b := range e.bitmap {
		for ; b != 0; b &= b - 1 {
			index := at<<3 + bits.TrailingZeros8(b)
			dst = append(dst, bytes.Repeat([]byte{noElement}, index-from)...)
			from = index + 1
			end := elementEnd(e.data, off)
			if cbor.IsLink(e.data, off) {
				dst = append(dst, linkAlone)
			}
			dst = append(dst, e.data[off:end]...)
			off = end
		}
	}
	return append(dst, bytes.Repeat([]byte{noElement}, slotsOfNode-from)...)
}

// addSlots adds n elements as they stand in a node, with what is between them.
func (e *Encoder) addSlots(n int, encoded []byte) {
	off := 0
	for range n {
		for encoded[off] == noElement {
			off++
		}
		if encoded[off] == linkAlone {
			off++
		}
		end := elementEnd(encoded, off)
		e.data = append(e.data, encoded[off:end]...)
		off = end
	}
}

// elementEnd returns where the element at off ends, which was checked before.
func elementEnd(raw []byte, off int) int {
	end, _, _ := cbor.Skip(raw, off, 0)
	return end
}
