package trie

import (
	"bytes"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// Slot is what one tree has at one index of a place: a link, entries, or nothing.
// The entries are a bucket of the node there, or, where the tree ends higher up than
// others, those of its last bucket that lead here.
type Slot struct {
	node     *block.Node
	position int
	carried  []hashsort.Entry // in hash order
}

// IsLink reports whether there is a link to a node.
func (s Slot) IsLink() bool { return s.node != nil && s.node.IsLink(s.position) }

// Link returns the binary CID of the link.
func (s Slot) Link() []byte { return s.node.Link(s.position) }

// Len returns the number of entries.
func (s Slot) Len() int {
	if s.node == nil {
		return len(s.carried)
	}
	if s.node.IsLink(s.position) {
		return 0
	}
	return s.node.BucketLen(s.position)
}

// SameBlocks reports whether two slots have links that are equal, or buckets that
// are equal to the byte. The nodes must be in the same layout.
func (s Slot) SameBlocks(t Slot) bool {
	if s.node == nil || t.node == nil {
		return false
	}
	link := s.node.IsLink(s.position)
	if link != t.node.IsLink(t.position) {
		return false
	}
	if link {
		return bytes.Equal(s.Link(), t.Link())
	}
	return bytes.Equal(s.node.Elements(s.position, s.position+1), t.node.Elements(t.position, t.position+1))
}

// Equal reports whether two slots are known to hold the same: equal links, or equal
// entries. The nodes must be in the same layout.
func (s Slot) Equal(t Slot) bool {
	if s.SameBlocks(t) {
		return true
	}
	n := s.Len()
	if s.IsLink() || t.IsLink() || n != t.Len() {
		return false
	}
	if n == 0 {
		return true
	}
	x, y := s.ByKey(nil), t.ByKey(nil)
	for i := range x {
		if !bytes.Equal(x[i].Key, y[i].Key) || !bytes.Equal(x[i].Value, y[i].Value) {
			return false
		}
	}
	return true
}

// ByKey appends the entries, sorted by key, without their heads. Values are in
// canonical encoding.
func (s Slot) ByKey(dst []hashsort.Entry) []hashsort.Entry {
	from := len(dst)
	if s.node == nil {
		dst = append(dst, s.carried...)
		sortByKey(dst[from:])
		return dst
	}
	if s.node.IsLink(s.position) {
		return dst
	}
	for b := s.node.Bucket(s.position); b.Next(); {
		e := hashsort.Entry{Key: b.Key(), Value: b.Value()}
		if s.node.NonCanonical() {
			e.Value = cbor.Canonical(e.Value)
		}
		dst = append(dst, e)
	}
	if s.node.Unsorted() {
		sortByKey(dst[from:])
	}
	return dst
}

func sortByKey(entries []hashsort.Entry) {
	slices.SortFunc(entries, func(a, b hashsort.Entry) int { return bytes.Compare(a.Key, b.Key) })
}
