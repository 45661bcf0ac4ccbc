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
// direction. The three layouts differ in little (is there a root block, how is
// the bitmap written, is an element a keyed union) and only this package knows
// about it.
package block

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"weak"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Node is one parsed block. It is immutable and safe for concurrent use; what
// it returns are views into its bytes, which nobody may change. Only what a
// cache keeps in it changes: which child nodes are in memory, and whether the
// node was used lately.
type Node struct {
	// What a lookup reads comes first: together it is one cache line.
	memory []byte // the index, then raw
	bitmap []byte // 2^bitWidth bits, least significant bit first in each byte
	links  uint32 // elements that are links to child nodes
	count  uint32 // elements
	used   atomic.Bool

	loose    bool                   // readable, but not in canonical DAG-CBOR
	empty    bool                   // there is a bucket without entries
	entries  int                    // in buckets
	stored   int                    // bytes of the block as it is stored, in its own codec
	children []atomic.Pointer[Node] // by position; nil where there are no links
	places   *places                // the same, for the children to hold
	name     string                 // binary CID, for the cache
	holders  [maxHolders]holder
}

// places are where a node points to its children. A child that a cache holds
// refers to them weakly, so that the nodes of old versions can go.
type places struct {
	children []atomic.Pointer[Node]
	self     weak.Pointer[places]
}

// holder is a place that points to a node.
type holder struct {
	places   weak.Pointer[places]
	position int
}

// release makes the place let go of a node, if it is still there and has it.
func (h holder) release(n *Node) {
	if places := h.places.Value(); places != nil {
		places.children[h.position].CompareAndSwap(n, nil)
	}
}

// makePlaces makes the places for the children, once all elements are known.
func (n *Node) makePlaces() {
	n.children = make([]atomic.Pointer[Node], n.count)
	n.places = &places{children: n.children}
	n.places.self = weak.Make(n.places)
}

// maxHolders is how many places point to a node at the same time: every
// version of a map has its own root, and few of them are read at once.
const maxHolders = 4

// indexBytes is the size of an index for n elements.
func indexBytes(n int) int { return 4 * (n + 1) }

// offset is where the element at position begins, in memory; that of the last
// element plus one is where the data end.
func (n *Node) offset(position int) int {
	return int(binary.LittleEndian.Uint32(n.memory[4*position:]))
}

// Raw is the block's DAG-CBOR.
func (n *Node) Raw() []byte { return n.memory[indexBytes(n.Len()):] }

// Stored is the length of the block as it is stored, in its own codec.
func (n *Node) Stored() int { return n.stored }

// SetStored notes that length, where it is not that of Raw. It is for whoever
// loads the node, before anybody else sees it.
func (n *Node) SetStored(length int) { n.stored = length }

// Name is the binary CID that SetName noted.
func (n *Node) Name() string { return n.name }

// SetName notes the binary CID that the node was loaded by, before anybody
// else sees it.
func (n *Node) SetName(binaryCID string) { n.name = binaryCID }

// Len is the number of elements.
func (n *Node) Len() int { return int(n.count) }

// Entries is the number of entries in the node's own buckets.
func (n *Node) Entries() int { return n.entries }

// Links is the number of links to child nodes.
func (n *Node) Links() int { return int(n.links) }

// Loose says that the block holds values that are readable but not in
// canonical DAG-CBOR.
func (n *Node) Loose() bool { return n.loose }

// HasEmptyBucket says that at least one bucket has no entry.
func (n *Node) HasEmptyBucket() bool { return n.empty }

// Memory is about how many bytes the node holds, for bounding a cache.
func (n *Node) Memory() int {
	const overhead = 208 // the struct, and what the allocator rounds up
	return cap(n.memory) + 8*cap(n.children) + len(n.name) + overhead
}

// Child gives the child node that the link at position leads to, while a cache
// holds it: a lookup that finds it here needs neither link nor cache.
func (n *Node) Child(position int) *Node { return n.children[position].Load() }

// Hold makes a parent point to the node, until Release; where there are too
// many that do, the oldest lets go. Hold and Release are for the cache, which
// sees to it that there is one of them at a time.
func (n *Node) Hold(parent *Node, position int) {
	last := maxHolders - 1
	n.holders[last].release(n)
	copy(n.holders[1:], n.holders[:last])
	n.holders[0] = holder{parent.places.self, position}
	parent.children[position].Store(n)
}

// Release makes all parents that point to the node let go of it.
func (n *Node) Release() {
	for _, h := range n.holders {
		h.release(n)
	}
	clear(n.holders[:])
}

// Touch notes that the node was used.
func (n *Node) Touch() {
	if !n.used.Load() { // spares the cache line where it is set already
		n.used.Store(true)
	}
}

// Touched says whether the node was used since the last call.
func (n *Node) Touched() bool { return n.used.Swap(false) }

// Find gives the position in the data of the element at index, or false where
// the bitmap says there is none.
func (n *Node) Find(index int) (position int, ok bool) {
	at, bit := index>>3, byte(1)<<(index&7)
	if n.bitmap[at]&bit == 0 {
		return 0, false
	}
	return onesBefore(n.bitmap, at) + bits.OnesCount8(n.bitmap[at]&(bit-1)), true
}

// Indexes calls yield with the index of each element, in order.
func (n *Node) Indexes(yield func(position, index int) bool) {
	position := 0
	for at, b := range n.bitmap {
		for ; b != 0; b &= b - 1 {
			if !yield(position, at<<3+bits.TrailingZeros8(b)) {
				return
			}
			position++
		}
	}
}

// IsLink says whether the element at position is a link to a child node; else
// it is a bucket.
func (n *Node) IsLink(position int) bool {
	return n.links > 0 && n.memory[n.offset(position)] == cbor.Tag|24
}

// Leads is IsLink for lookups: it knows by the child in memory, if there is
// one, and spares a look into the bytes.
func (n *Node) Leads(position int) bool {
	return n.links > 0 && (n.children[position].Load() != nil || n.IsLink(position))
}

// Link gives the binary CID of the link at position.
func (n *Node) Link(position int) []byte {
	// Validated by Parse: tag, bytes head, multibase prefix, CID.
	from, to, _ := cbor.Span(n.memory, n.offset(position)+2, cbor.Bytes)
	return n.memory[from+1 : to : to]
}

// Elements gives the elements from position up to but not including end, as
// they are encoded.
func (n *Node) Elements(position, end int) []byte {
	return n.memory[n.offset(position):n.offset(end)]
}

// BucketLen is the number of entries in the bucket at position.
func (n *Node) BucketLen(position int) int {
	_, count, _, _ := cbor.Head(n.memory, n.offset(position))
	return int(count)
}

// Bucket gives the entries of the bucket at position, to be walked.
func (n *Node) Bucket(position int) Bucket {
	_, count, next, _ := cbor.Head(n.memory, n.offset(position))
	return Bucket{raw: n.memory, off: next, left: int(count)}
}

// Bucket walks the entries of one bucket, in the order they stand in: Next
// until it says false.
type Bucket struct {
	raw        []byte
	off        int
	left       int
	key, value []byte
}

// Len is the number of entries that are left.
func (b *Bucket) Len() int { return b.left }

// Next moves to the next entry.
func (b *Bucket) Next() bool {
	if b.left == 0 {
		return false
	}
	b.left--
	from, to, _ := cbor.Span(b.raw, b.off+1, cbor.Bytes) // behind the head of a list of two
	b.off, _, _ = cbor.Skip(b.raw, to, 0)
	b.key, b.value = b.raw[from:to:to], b.raw[to:b.off:b.off]
	return true
}

// Key is the current entry's key.
func (b *Bucket) Key() []byte { return b.key }

// Value is the current entry's value, in DAG-CBOR.
func (b *Bucket) Value() []byte { return b.value }

// Value finds the value of a key in the bucket at position.
func (n *Node) Value(position int, key []byte) (value []byte, ok bool) {
	for b := n.Bucket(position); b.Next(); {
		if c := bytes.Compare(b.key, key); c == 0 {
			return b.value, true
		} else if c > 0 {
			return nil, false
		}
	}
	return nil, false
}
