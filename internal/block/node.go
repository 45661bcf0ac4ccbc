// Package block is one node of a HAMT as one block.
//
// A node stays in its encoded form. Parse makes one validating pass over the
// DAG-CBOR bytes and keeps them behind an index of where each element begins,
// in one piece of memory, so that a lookup touches little of it:
//
//	[offset 0, offset 1, …, end] 82 58 20 |bitmap…| 82 81 82 47 key… 01  d8 2a 58 25 00 CID…
//	└ index, four bytes each     └ raw                └ offset 0          └ offset 1
//
// A value is decoded only when somebody asks for it. [Encoder] is the other
// direction. How the layouts differ only this package knows: see [Layout].
package block

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Node is one parsed block. It is immutable and safe for concurrent use; what
// it returns are views into its bytes, which nobody may change. Only what its
// cache notes in it changes: see [Cached].
type Node struct {
	// What a lookup reads comes first: together it is one cache line.
	memory       []byte                        // the index, the block, and the bitmap where it is not in that
	children     atomic.Pointer[childPointers] // for Cached; nil while the node points to none
	bitmap       span                          // in memory: 2^bitWidth bits, least significant bit first in each byte
	count        uint32                        // elements
	links        uint32                        // elements that are links to child nodes
	used         atomic.Bool                   // for Cached
	nonCanonical bool                          // readable, but not in canonical DAG-CBOR
	empty        bool                          // there is a bucket without entries
	unsorted     bool                          // there is a bucket whose keys are not in the order of their bytes
	undecodable  bool                          // there is a value of which only the end is known
	overfull     bool                          // there is one with more than bucketSize entries
	parts        bool                          // behind the bitmap, names of more blocks: see SetParts
	entries      uint32                        // in buckets
	rawBytes     uint32                        // length of the block in DAG-CBOR

	stored  uint32                 // length of the block as it is stored, in its own codec
	name    string                 // for Cached: the binary CID
	parents [maxParents]parentSlot // for Cached
}

// span is where something stands in a node's memory.
type span struct{ from, to uint32 }

// indexBytes returns the size of an index for n elements.
func indexBytes(n int) int { return 4 * (n + 1) }

// offset returns where the element at position begins, in memory; that of the last
// element plus one is where the data end.
func (n *Node) offset(position int) int {
	return int(binary.LittleEndian.Uint32(n.memory[4*position:]))
}

// Raw returns the block's DAG-CBOR.
func (n *Node) Raw() []byte {
	from := indexBytes(n.Len())
	end := from + int(n.rawBytes)
	return n.memory[from:end:end]
}

// bits returns the bitmap.
func (n *Node) bits() []byte { return n.memory[n.bitmap.from:n.bitmap.to] }

// Stored returns the length of the block as it is stored, in its own codec.
func (n *Node) Stored() int { return int(n.stored) }

// SetStored notes that length, if it is not that of Raw. It must be called before the
// node is shared.
func (n *Node) SetStored(length int) { n.stored = uint32(length) }

// SetParts notes the binary CIDs of more blocks that the node is kept in, each behind
// its length as a varint. It is for nodes without a bitmap of their own (py-hamt's),
// and must be called before the node is shared.
func (n *Node) SetParts(parts []byte) {
	n.memory = append(n.memory[:n.bitmap.to:n.bitmap.to], parts...)
	n.parts = true
}

// Parts visits the binary CIDs of the blocks that the node is kept in besides its
// own: none, nearly always.
func (n *Node) Parts(yield func(binaryCID []byte) bool) {
	if !n.parts {
		return
	}
	for rest := n.memory[n.bitmap.to:]; len(rest) > 0; {
		length, width := binary.Uvarint(rest)
		end := width + int(length)
		if !yield(rest[width:end:end]) {
			return
		}
		rest = rest[end:]
	}
}

// Len returns the number of elements.
func (n *Node) Len() int { return int(n.count) }

// Entries returns the number of entries in the node's own buckets.
func (n *Node) Entries() int { return int(n.entries) }

// Links returns the number of links to child nodes.
func (n *Node) Links() int { return int(n.links) }

// NonCanonical reports whether the block holds values that are readable but not in
// canonical DAG-CBOR.
func (n *Node) NonCanonical() bool { return n.nonCanonical }

// Unsorted reports whether the keys of at least one bucket are not in the order of
// their bytes. In the layout of py-hamt they have another, and in Filecoin's older one
// they may have none.
func (n *Node) Unsorted() bool { return n.unsorted }

// Undecodable reports whether there are values that may be impossible to decode: they
// have an end, and cbor.Skip does not accept them.
func (n *Node) Undecodable() bool { return n.undecodable }

// HasOddBucket reports whether at least one bucket has no entry, or more than
// bucketSize.
func (n *Node) HasOddBucket() bool { return n.empty || n.overfull }

// Find returns the position in the data of the element at index, or false if
// there is none.
func (n *Node) Find(index int) (position int, ok bool) {
	bitmap := n.bits()
	at, bit := index>>3, byte(1)<<(index&7)
	if bitmap[at]&bit == 0 {
		return 0, false
	}
	return onesBefore(bitmap, at) + bits.OnesCount8(bitmap[at]&(bit-1)), true
}

// Indexes calls yield with the index of each element, in order.
func (n *Node) Indexes(yield func(position, index int) bool) {
	position := 0
	for at, b := range n.bits() {
		for ; b != 0; b &= b - 1 {
			if !yield(position, at<<3+bits.TrailingZeros8(b)) {
				return
			}
			position++
		}
	}
}

// IsLink reports whether the element at position is a link to a child node.
// Otherwise it is a bucket.
func (n *Node) IsLink(position int) bool {
	return n.links > 0 && n.memory[n.offset(position)] == cbor.Tag|24
}

// Link returns the binary CID of the link at position.
func (n *Node) Link(position int) []byte {
	// Validated by Parse: tag, bytes head, multibase prefix, CID.
	from, to, _ := cbor.Span(n.memory, n.offset(position)+2, cbor.Bytes)
	return n.memory[from+1 : to : to]
}

// Elements returns the elements from position up to but not including end, as
// they are encoded.
func (n *Node) Elements(position, end int) []byte {
	return n.memory[n.offset(position):n.offset(end)]
}

// BucketLen returns the number of entries in the bucket at position.
func (n *Node) BucketLen(position int) int {
	_, count, _, _ := cbor.Head(n.memory, n.offset(position))
	return int(count)
}

// Bucket returns an iterator over the entries of the bucket at position.
func (n *Node) Bucket(position int) Bucket {
	_, count, next, _ := cbor.Head(n.memory, n.offset(position))
	return Bucket{raw: n.memory, off: next, left: int(count)}
}

// Bucket iterates over the entries of one bucket, in the order they stand in, until
// Next returns false.
type Bucket struct {
	raw        []byte
	off        int
	left       int
	key, value []byte
}

// Len returns the number of entries that are left.
func (b *Bucket) Len() int { return b.left }

// Next moves to the next entry.
func (b *Bucket) Next() bool {
	if b.left == 0 {
		return false
	}
	b.left--
	from, to, end, ok := cbor.PlainEntry(b.raw, b.off)
	if !ok {
		if b.raw[b.off]&0xe0 == cbor.String { // in a map
			from, to, _ = cbor.Span(b.raw, b.off, cbor.String)
		} else {
			from, to, _ = cbor.Span(b.raw, b.off+1, cbor.Bytes) // behind the head of a list of two
		}
		var err error
		if end, _, err = cbor.Skip(b.raw, to, 0); err != nil {
			end, _ = cbor.Extent(b.raw, to)
		}
	}
	b.key, b.value, b.off = b.raw[from:to:to], b.raw[to:end:end], end
	return true
}

// Key returns the current entry's key.
func (b *Bucket) Key() []byte { return b.key }

// Value returns the current entry's value, in DAG-CBOR.
func (b *Bucket) Value() []byte { return b.value }

// Value returns the value of a key in the bucket at position.
func (n *Node) Value(position int, key []byte) (value []byte, ok bool) {
	for b := n.Bucket(position); b.Next(); {
		if c := bytes.Compare(b.key, key); c == 0 {
			return b.value, true
		} else if c > 0 && !n.unsorted {
			return nil, false
		}
	}
	return nil, false
}
