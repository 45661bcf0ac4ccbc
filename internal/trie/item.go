package trie

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// Item is one entry on its way into a block: the head of its key's hash, the
// key, and the value in DAG-CBOR.
type Item struct {
	Head  uint64
	Key   []byte
	Value []byte
}

// order compares keys by their place in a tree.
type order struct {
	hasher   *keyhash.Hasher
	bitWidth int
}

// head gives the first 64 bits of a key's hash.
func (o order) head(key []byte) uint64 {
	var buf keyhash.Buffer
	return keyhash.Head(o.hasher.Sum(&buf, key))
}

// index gives a key's index at depth. Levels beyond the head are so rare that
// the key is hashed again for them.
func (o order) index(head uint64, key []byte, depth int) int {
	if keyhash.InHead(depth, o.bitWidth) {
		return keyhash.HeadIndex(head, depth, o.bitWidth)
	}
	var buf keyhash.Buffer
	return keyhash.Index(o.hasher.Sum(&buf, key), depth, o.bitWidth)
}

// cut parts items, which are sorted by hash, behind those whose index at depth
// is that of the first.
func (o order) cut(items []Item, depth int) (index int, here, rest []Item) {
	index = o.index(items[0].Head, items[0].Key, depth)
	n := 1 + sort.Search(len(items)-1, func(i int) bool {
		return o.index(items[i+1].Head, items[i+1].Key, depth) > index
	})
	return index, items[:n], items[n:]
}

// compare orders two keys by hash, then by their own bytes.
func (o order) compare(headA uint64, keyA []byte, headB uint64, keyB []byte) int {
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

// sort orders items by hash.
func (o order) sort(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return o.compare(a.Head, a.Key, b.Head, b.Key) })
}
