package trie

import (
	"bytes"
	"iter"
	"math/bits"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Batch is entries and deletions that are in no block yet, one for each key,
// to be found by key. It is not safe for concurrent use.
type Batch struct {
	order   order
	arena   arena
	records []record
	table   []slot // open addressing, linear probing
}

// slot is a place in the table of a batch: in the low half 1 + a position in
// records, in the high half bits of that record's head, so that probing past
// other keys stays within the table. 0 is a free slot.
type slot uint64

func newSlot(mixed uint64, position int) slot {
	return slot(mixed&^(1<<32-1) | uint64(uint32(position+1)))
}

// position is that of the record; the slot must not be free.
func (s slot) position() int { return int(uint32(s)) - 1 }

// tagged says whether the record may be that of a head.
func (s slot) tagged(mixed uint64) bool { return uint64(s)>>32 == mixed>>32 }

// mix spreads a head over all its bits, so that identity hashes with common
// prefixes do not fill one end of the table.
func mix(head uint64) uint64 {
	hi, lo := bits.Mul64(head, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

// NewBatch makes a batch for a map with the given parameters.
func NewBatch(p params.Params, hasher *keyhash.Hasher) *Batch {
	return &Batch{order: order{hasher, p.BitWidth}}
}

// Expect makes room for n keys, in a batch that has none.
func (b *Batch) Expect(n int) {
	b.records = make([]record, 0, n)
	size := 16
	for 3*size < 4*(n+1) {
		size *= 2
	}
	b.table = make([]slot, size)
}

// Len is the number of different keys.
func (b *Batch) Len() int { return len(b.records) }

// Get finds what the batch holds for a key; an empty value means a deletion.
func (b *Batch) Get(key []byte) (value []byte, ok bool) {
	if len(b.records) == 0 {
		return nil, false
	}
	i := b.find(b.order.head(key), key)
	if b.table[i] == 0 {
		return nil, false
	}
	_, value = b.arena.read(b.records[b.table[i].position()].at)
	return value, true
}

// Set keeps an entry (or, with an empty value, a deletion) in place of what
// the batch held for the key.
func (b *Batch) Set(key, value []byte) {
	spot, _ := b.Spot(key)
	b.Put(spot, key, value)
}

// Values visits all values, in the order their keys first came; empty ones are
// deletions.
func (b *Batch) Values() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, r := range b.records {
			if _, value := b.arena.read(r.at); !yield(value) {
				return
			}
		}
	}
}

// Spot is where a key is, or would be, in a batch; good until the next change.
type Spot struct {
	head uint64
	at   int
}

// Spot finds where a key is, or would be; taken says that it is there.
func (b *Batch) Spot(key []byte) (s Spot, taken bool) {
	if 4*(len(b.records)+1) > 3*len(b.table) {
		b.grow()
	}
	head := b.order.head(key)
	i := b.find(head, key)
	return Spot{head, i}, b.table[i] != 0
}

// Put keeps an entry (or, with an empty value, a deletion) at the spot of its
// key, in place of what was there.
func (b *Batch) Put(s Spot, key, value []byte) {
	if b.table[s.at] != 0 {
		r := &b.records[b.table[s.at].position()]
		if _, old := b.arena.read(r.at); len(old) == len(value) {
			copy(old, value) // else a key set over and over would fill memory
			return
		}
		r.at = b.arena.write(key, value)
		return
	}
	at := b.arena.write(key, value)
	b.table[s.at] = newSlot(mix(s.head), len(b.records))
	b.records = append(b.records, record{s.head, at})
}

// find gives the place of a key in the table, or the free one where it would
// go.
func (b *Batch) find(head uint64, key []byte) int {
	mixed, mask := mix(head), len(b.table)-1
	for i := int(mixed) & mask; ; i = (i + 1) & mask {
		at := b.table[i]
		if at == 0 {
			return i
		}
		if !at.tagged(mixed) {
			continue
		}
		if r := b.records[at.position()]; r.head == head && bytes.Equal(b.arena.key(r.at), key) {
			return i
		}
	}
}

func (b *Batch) grow() {
	b.table = make([]slot, max(16, 2*len(b.table)))
	mask := len(b.table) - 1
	for position, r := range b.records {
		mixed := mix(r.head)
		i := int(mixed) & mask
		for b.table[i] != 0 {
			i = (i + 1) & mask
		}
		b.table[i] = newSlot(mixed, position)
	}
}

// unsorted gives the entries for sorting. The batch stays as it is.
func (b *Batch) unsorted() unsorted { return unsorted{b.order, &b.arena, b.records, nil} }
