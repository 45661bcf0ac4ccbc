package hashsort

import (
	"slices"
	"sort"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// Region is a part of hash order: some of the keys that there can be.
type Region interface {
	// Meets reports whether a key may be in the region whose hash begins with the
	// first bits of prefix.
	Meets(prefix []byte, bits int) bool
	// Holds reports whether a key is in the region. head is that of its hash.
	Holds(head uint64, key []byte) bool
}

// Regions is the region of the keys that are in all of some. None is all keys.
type Regions []Region

// Meets reports whether a key may be in the region whose hash begins with the
// first bits of prefix.
func (r Regions) Meets(prefix []byte, bits int) bool {
	for _, region := range r {
		if !region.Meets(prefix, bits) {
			return false
		}
	}
	return true
}

// Holds reports whether a key is in the region.
func (r Regions) Holds(head uint64, key []byte) bool {
	for _, region := range r {
		if !region.Holds(head, key) {
			return false
		}
	}
	return true
}

// hashed is a key with its digest.
type hashed struct {
	head   uint64
	digest []byte
	key    []byte
}

func (o Order) hashed(key []byte) hashed {
	var buf keyhash.Buffer
	digest := slices.Clone(o.hasher.Sum(&buf, key))
	return hashed{keyhash.Head(digest), digest, key}
}

type from struct {
	order Order
	hashed
	inclusive bool
}

// From returns the region of the keys after one, and with inclusive that one too.
func (o Order) From(key []byte, inclusive bool) Region {
	return from{o, o.hashed(key), inclusive}
}

func (r from) Meets(prefix []byte, bits int) bool {
	return comparePrefix(r.digest, prefix, bits) <= 0
}

func (r from) Holds(head uint64, key []byte) bool {
	c := r.order.Compare(head, key, r.head, r.key)
	return c > 0 || r.inclusive && c == 0
}

type keySet struct {
	order Order
	keys  []hashed // sorted
}

// Keys returns the region of some keys.
func (o Order) Keys(keys [][]byte) Region {
	r := keySet{o, make([]hashed, len(keys))}
	for i, key := range keys {
		r.keys[i] = o.hashed(key)
	}
	slices.SortFunc(r.keys, func(a, b hashed) int { return o.Compare(a.head, a.key, b.head, b.key) })
	return r
}

func (r keySet) Meets(prefix []byte, bits int) bool {
	i := sort.Search(len(r.keys), func(i int) bool { return comparePrefix(r.keys[i].digest, prefix, bits) >= 0 })
	return i < len(r.keys) && comparePrefix(r.keys[i].digest, prefix, bits) == 0
}

func (r keySet) Holds(head uint64, key []byte) bool {
	_, found := slices.BinarySearchFunc(r.keys, key, func(k hashed, key []byte) int {
		return r.order.Compare(k.head, k.key, head, key)
	})
	return found
}

type under struct {
	order  Order
	prefix []byte
	bits   int
}

// Under returns the region of the keys whose hash begins with the first bits of
// prefix.
func (o Order) Under(prefix []byte, bits int) Region { return under{o, prefix, bits} }

func (r under) Meets(prefix []byte, bits int) bool {
	return comparePrefix(r.prefix, prefix, min(bits, r.bits)) == 0
}

func (r under) Holds(_ uint64, key []byte) bool {
	var buf keyhash.Buffer
	return comparePrefix(r.order.hasher.Sum(&buf, key), r.prefix, r.bits) == 0
}

// Prefix is what some hashes begin with: the first so many bits.
type Prefix struct {
	Bytes []byte
	Bits  int
}

// Prefixes are what some hashes begin with, in ascending order, none of which begins
// with another.
type Prefixes []Prefix

// Meets reports whether a hash that begins with the first bits of prefix may begin with
// one of them.
func (p Prefixes) Meets(prefix []byte, bits int) bool {
	_, ok := p.find(prefix, bits)
	return ok
}

// Cover reports whether every hash that begins with the first bits of prefix begins with
// one of them.
func (p Prefixes) Cover(prefix []byte, bits int) bool {
	i, ok := p.find(prefix, bits)
	return ok && p[i].Bits <= bits
}

func (p Prefixes) find(prefix []byte, bits int) (int, bool) {
	compare := func(i int) int { return comparePrefix(p[i].Bytes, prefix, min(bits, p[i].Bits)) }
	i := sort.Search(len(p), func(i int) bool { return compare(i) >= 0 })
	return i, i < len(p) && compare(i) == 0
}

// comparePrefix compares the first bits of a digest with those of prefix. Zeros
// follow where one of them is shorter.
func comparePrefix(digest, prefix []byte, bits int) int {
	for i := 0; 8*i < bits; i++ {
		var d, p byte
		if i < len(digest) {
			d = digest[i]
		}
		if i < len(prefix) {
			p = prefix[i]
		}
		if rest := bits - 8*i; rest < 8 {
			d, p = d>>(8-rest), p>>(8-rest)
		}
		if d != p {
			if d < p {
				return -1
			}
			return 1
		}
	}
	return 0
}
