package hashsort

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// Entry is an entry of a map, or a change to one.
type Entry struct {
	Head  uint64 // the first 64 bits of the key's hash
	Key   []byte
	Value []byte // in DAG-CBOR; empty for a deletion
}

// Order is the order of keys in the tree of a map.
type Order struct {
	hasher   *keyhash.Hasher
	bitWidth int
}

// NewOrder returns the order under a hash and a bit width.
func NewOrder(hasher *keyhash.Hasher, bitWidth int) Order { return Order{hasher, bitWidth} }

// BitWidth returns the number of hash bits taken at each level.
func (o Order) BitWidth() int { return o.bitWidth }

// Bits returns the number of bits in a key's digest.
func (o Order) Bits(key []byte) int { return o.hasher.Bits(key) }

// Head returns the first 64 bits of a key's hash.
func (o Order) Head(key []byte) uint64 {
	var buf keyhash.Buffer
	return keyhash.Head(o.hasher.Sum(&buf, key))
}

// Index returns a key's index at depth. Levels beyond the head are so rare that
// the key is hashed again for them.
func (o Order) Index(head uint64, key []byte, depth int) int {
	if keyhash.InHead(depth, o.bitWidth) {
		return keyhash.HeadIndex(head, depth, o.bitWidth)
	}
	var buf keyhash.Buffer
	return keyhash.Index(o.hasher.Sum(&buf, key), depth, o.bitWidth)
}

// Cut splits entries, which are in hash order, after those whose index at depth
// is that of the first.
func (o Order) Cut(entries []Entry, depth int) (index int, here, rest []Entry) {
	index = o.Index(entries[0].Head, entries[0].Key, depth)
	n := 1 + sort.Search(len(entries)-1, func(i int) bool {
		return o.Index(entries[i+1].Head, entries[i+1].Key, depth) > index
	})
	return index, entries[:n], entries[n:]
}

// Compare compares two keys by hash, then by their own bytes.
func (o Order) Compare(headA uint64, keyA []byte, headB uint64, keyB []byte) int {
	if headA != headB {
		if headA < headB {
			return -1
		}
		return 1
	}
	if bytes.Equal(keyA, keyB) {
		return 0
	}
	var bufA, bufB keyhash.Buffer
	if c := comparePadded(o.hasher.Sum(&bufA, keyA), o.hasher.Sum(&bufB, keyB)); c != 0 {
		return c
	}
	return bytes.Compare(keyA, keyB)
}

// comparePadded compares digests as if zeros followed the shorter one, which
// is how indexes are cut out of them.
func comparePadded(a, b []byte) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	if slices.ContainsFunc(a[n:], nonZero) {
		return 1
	}
	if slices.ContainsFunc(b[n:], nonZero) {
		return -1
	}
	return 0
}

func nonZero(b byte) bool { return b != 0 }

// Sort sorts entries by hash, then by key.
func (o Order) Sort(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return o.Compare(a.Head, a.Key, b.Head, b.Key) })
}
