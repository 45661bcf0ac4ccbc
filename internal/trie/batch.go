package trie

import (
	"bytes"
	"hash/maphash"
	"iter"
	"runtime"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Batch is entries and deletions that are in no block yet, one for each key,
// to be found by key. Keys are hashed twice: by a fast hash to be found here, at
// once, and by the map's own when they are sorted, by all cores. It is not safe
// for concurrent use.
type Batch struct {
	order   order
	seed    maphash.Seed // so that nobody can choose keys that collide
	arena   arena
	records []record // whose heads are of the fast hash
	table   table
}

// table says which record has a hash: open addressing, linear probing. What is
// probed is one byte a slot, so that the table of a million keys stays in the
// processor's cache. The rest is waited for, so it is only read where the byte
// is the hash's, and written for many slots together.
type table struct {
	tags  []uint8  // bits of the hash in the slot; 0 for a free one
	ranks []uint32 // 1 + the position in records; 0 where it is not written yet
	late  []int    // slots of the last records, whose ranks are not
}

// tag is the byte for a hash.
func tag(hash uint64) uint8 { return max(1, uint8(hash>>56)) }

func newTable(size int) table {
	return table{make([]uint8, size), make([]uint32, size), make([]int, 0, min(atOnce, size))}
}

// position is that of the record in a slot, which is one of the first n.
func (t *table) position(slot, n int) int {
	if t.ranks[slot] == 0 {
		t.write(n)
	}
	return int(t.ranks[slot]) - 1
}

// add fills a free slot with the record that makes n of them.
func (t *table) add(slot int, hash uint64, n int) {
	t.tags[slot] = tag(hash)
	if t.late = append(t.late, slot); len(t.late) == cap(t.late) {
		t.write(n)
	}
}

// write writes what is late, up to that of the last of n records.
func (t *table) write(n int) {
	var touched uint32
	for _, slot := range t.late {
		touched |= t.ranks[slot]
	}
	runtime.KeepAlive(touched) // so that they are waited for together
	for i, slot := range t.late {
		t.ranks[slot] = uint32(n - len(t.late) + i + 1)
	}
	t.late = t.late[:0]
}

// NewBatch makes a batch for a map with the given parameters.
func NewBatch(p params.Params, hasher *keyhash.Hasher) *Batch {
	return &Batch{order: order{hasher, p.BitWidth}, seed: maphash.MakeSeed()}
}

// Expect makes room for n keys, in a batch that has none.
func (b *Batch) Expect(n int) {
	b.records = make([]record, 0, n)
	size := 16
	for 3*size < 4*(n+1) {
		size *= 2
	}
	b.table = newTable(size)
}

// Len is the number of different keys.
func (b *Batch) Len() int { return len(b.records) }

// Get finds what the batch holds for a key; an empty value means a deletion.
func (b *Batch) Get(key []byte) (value []byte, ok bool) {
	if len(b.records) == 0 {
		return nil, false
	}
	i := b.find(maphash.Bytes(b.seed, key), key)
	if b.table.tags[i] == 0 {
		return nil, false
	}
	_, value = b.arena.read(b.records[b.table.position(i, len(b.records))].at)
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
	hash uint64
	at   int
}

// Spot finds where a key is, or would be; taken says that it is there.
func (b *Batch) Spot(key []byte) (s Spot, taken bool) {
	if 4*(len(b.records)+1) > 3*len(b.table.tags) {
		b.grow()
	}
	hash := maphash.Bytes(b.seed, key)
	i := b.find(hash, key)
	return Spot{hash, i}, b.table.tags[i] != 0
}

// Put keeps an entry (or, with an empty value, a deletion) at the spot of its
// key, in place of what was there.
func (b *Batch) Put(s Spot, key, value []byte) {
	if b.table.tags[s.at] != 0 {
		r := &b.records[b.table.position(s.at, len(b.records))]
		if _, old := b.arena.read(r.at); len(old) == len(value) {
			copy(old, value) // else a key set over and over would fill memory
			return
		}
		r.at = b.arena.write(key, value)
		return
	}
	at := b.arena.write(key, value)
	b.records = append(b.records, record{s.hash, at})
	b.table.add(s.at, s.hash, len(b.records))
}

// find gives the place of a key in the table, or the free one where it would
// go.
func (b *Batch) find(hash uint64, key []byte) int {
	mask, want := len(b.table.tags)-1, tag(hash)
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		switch b.table.tags[i] {
		case 0:
			return i
		case want:
			if r := b.records[b.table.position(i, len(b.records))]; r.head == hash && bytes.Equal(b.arena.key(r.at), key) {
				return i
			}
		}
	}
}

func (b *Batch) grow() {
	b.table = newTable(max(16, 2*len(b.table.tags)))
	mask := len(b.table.tags) - 1
	for position, r := range b.records {
		i := int(r.head) & mask
		for b.table.tags[i] != 0 {
			i = (i + 1) & mask
		}
		b.table.add(i, r.head, position+1)
	}
}

// unsorted hashes all keys by the map's hash. The batch stays as it is.
func (b *Batch) unsorted() unsorted {
	const step = 4096
	records := make([]record, len(b.records))
	share((len(records)+step-1)/step, func(i int) {
		for j := i * step; j < min((i+1)*step, len(records)); j++ {
			at := b.records[j].at
			records[j] = record{b.order.head(b.arena.key(at)), at}
		}
	})
	return unsorted{b.order, &b.arena, records, nil}
}
