package diff

import (
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// Option says which changes are wanted, or how they are found.
type Option struct{ apply func(*settings) }

type settings struct {
	keys      [][]byte // nil for all
	prefix    []byte
	bits      int // of prefix; 0 for all
	after     [][]byte
	recursive bool
	byLookup  bool
	ahead     int
}

// After leaves out all changes up to and with that of a key, which was seen before: a
// diff that was broken off goes on there. Nodes that only lead to what is left out
// are not loaded. For a change in a nested map (Recursive), the keys of its Path come
// first, then its own.
func After(keys ...[]byte) Option {
	return Option{func(s *settings) { s.after = keys }}
}

// Keys leaves out all changes but those of the given keys, and loads only the nodes on
// the way to them. Without a key there is no change.
func Keys(keys ...[]byte) Option {
	return Option{func(s *settings) { s.keys = append([][]byte{}, keys...) }}
}

// HashPrefix leaves out all changes but those of keys whose hash begins with the first
// bits of prefix, and loads only the nodes on the way to them. So a diff can be cut
// into parts that are found on different machines. bits beyond the end of prefix count
// as zeros.
func HashPrefix(prefix []byte, bits int) Option {
	return Option{func(s *settings) { s.prefix, s.bits = slices.Clone(prefix), max(0, bits) }}
}

// Recursive goes into the values that are links to maps on both sides: their changes
// come, with the keys on the way to them, in place of the change of the link. Both
// maps are read from the stores of those that they are nested in. A map that is added
// or removed whole, or takes the place of something else, stays one change, as does
// one that is keyed by another hash function without ByLookup.
//
// Only the links whose block has the codec of the map's own blocks are followed, to see
// whether they lead to a map; a block that is missing then is an error. In a Filecoin
// layout, whose blocks do not say what they are, nested maps have to have the
// parameters of those that they are nested in.
func Recursive() Option { return Option{func(s *settings) { s.recursive = true }} }

// ByLookup compares maps that are keyed by different hash functions: each key of one
// is looked up in the other. All blocks of both are loaded. First come the changes of
// the keys that the first map has, in its hash order, then those of the keys that only
// the second one has, in its hash order. Keys and After work as ever; HashPrefix,
// which would mean two things, is an error. Where the hash function is the same this
// option changes nothing.
func ByLookup() Option { return Option{func(s *settings) { s.byLookup = true }} }

// ReadAhead sets how many blocks, of both maps together, are loaded at the same time
// where the store is slow. With 1 or less, nothing is loaded before it is needed, and
// no other goroutine is used. Without this option it is the smaller of what the two
// maps were opened with (adl.WithReadAhead). It does not change the result.
func ReadAhead(n int) Option { return Option{func(s *settings) { s.ahead = max(1, n) }} }

// resolve returns what options come to for two maps, of which one may be nil.
func resolve(a, b *adl.Node, options []Option) settings {
	s := settings{}
	for _, option := range options {
		if option.apply != nil {
			option.apply(&s)
		}
	}
	for _, n := range []*adl.Node{a, b} {
		if n != nil && (s.ahead == 0 || s.ahead > n.ReadAhead()) {
			s.ahead = n.ReadAhead()
		}
	}
	return s
}

// region returns the part of an order that is asked for, from the key to begin after
// on if begin is set; nil for all of it.
func (s *settings) region(o hashsort.Order, begin bool) hashsort.Region {
	var r hashsort.Regions
	if s.keys != nil {
		r = append(r, o.Keys(s.keys))
	}
	if s.bits > 0 {
		r = append(r, o.Under(s.prefix, s.bits))
	}
	if begin && len(s.after) > 0 {
		r = append(r, o.From(s.after[0], len(s.after) > 1))
	}
	if len(r) == 0 {
		return nil
	}
	return r
}
