package hashsort

import (
	"bytes"
	"hash/maphash"
	"iter"
	"runtime"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Overlay is changes over a stored map, or over none: entries and deletions, one
// for each key, to be found by key. Keys are hashed twice: at once by a fast hash,
// to be found here, and by the map's own when they are sorted, by all cores. It is
// not safe for concurrent use.
type Overlay struct {
	order   Order
	seed    maphash.Seed // so that nobody can choose keys that collide
	arena   arena
	records []record // whose heads are of the fast hash
	table   table
}

// table maps hashes to records: open addressing, linear probing. What is
// probed is one byte a slot, so that the table of a million keys stays in the
// processor's cache. The rest is waited for, so it is only read where the byte
// is the hash's, and written for many slots together.
type table struct {
	tags  []uint8  // bits of the hash in the slot; 0 for a free one
	ranks []uint32 // 1 + the position in records; 0 where it is not written yet
	late  []int    // slots of the last records, whose ranks are not
}

// tag returns the byte for a hash.
func tag(hash uint64) uint8 { return max(1, uint8(hash>>56)) }

func newTable(size int) table {
	return table{make([]uint8, size), make([]uint32, size), make([]int, 0, min(fetchedAtOnce, size))}
}

// position returns the position of the record in a slot, one of the first n.
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

// write writes the ranks that are late. There are n records.
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

// NewOverlay returns an empty overlay for a map with the given parameters.
func NewOverlay(p params.Params, hasher *keyhash.Hasher) *Overlay {
	return &Overlay{order: Order{hasher, p.BitWidth}, seed: maphash.MakeSeed()}
}

// Expect makes room for n keys, in an overlay that has none.
func (o *Overlay) Expect(n int) {
	o.records = make([]record, 0, n)
	size := 16
	for 3*size < 4*(n+1) {
		size *= 2
	}
	o.table = newTable(size)
}

// Len returns the number of different keys.
func (o *Overlay) Len() int { return len(o.records) }

// Get returns what the overlay holds for a key. An empty value is a deletion.
func (o *Overlay) Get(key []byte) (value []byte, ok bool) {
	if len(o.records) == 0 {
		return nil, false
	}
	i := o.find(maphash.Bytes(o.seed, key), key)
	if o.table.tags[i] == 0 {
		return nil, false
	}
	_, value = o.arena.read(o.records[o.table.position(i, len(o.records))].at)
	return value, true
}

// Set keeps an entry (or, with an empty value, a deletion) in place of what
// the overlay held for the key.
func (o *Overlay) Set(key, value []byte) {
	slot, _ := o.Slot(key)
	o.Put(slot, key, value)
}

// Values returns an iterator over all values, in the order their keys first came.
// Empty ones are deletions.
func (o *Overlay) Values() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, r := range o.records {
			if _, value := o.arena.read(r.at); !yield(value) {
				return
			}
		}
	}
}

// Slot is where a key is, or would be, in an overlay. It is good until the next
// change.
type Slot struct {
	hash uint64
	at   int
}

// Slot returns where a key is, or would be; taken reports whether it is there.
func (o *Overlay) Slot(key []byte) (s Slot, taken bool) {
	if 4*(len(o.records)+1) > 3*len(o.table.tags) {
		o.grow()
	}
	hash := maphash.Bytes(o.seed, key)
	i := o.find(hash, key)
	return Slot{hash, i}, o.table.tags[i] != 0
}

// Put keeps an entry (or, with an empty value, a deletion) at the slot of its
// key, in place of what was there.
func (o *Overlay) Put(s Slot, key, value []byte) {
	if o.table.tags[s.at] != 0 {
		r := &o.records[o.table.position(s.at, len(o.records))]
		if _, old := o.arena.read(r.at); len(old) == len(value) {
			copy(old, value) // else a key set over and over would fill memory
			return
		}
		r.at = o.arena.write(key, value)
		return
	}
	at := o.arena.write(key, value)
	o.records = append(o.records, record{s.hash, at})
	o.table.add(s.at, s.hash, len(o.records))
}

// find returns the slot of a key in the table, or the free one where it would
// go.
func (o *Overlay) find(hash uint64, key []byte) int {
	mask, want := len(o.table.tags)-1, tag(hash)
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		switch o.table.tags[i] {
		case 0:
			return i
		case want:
			if r := o.records[o.table.position(i, len(o.records))]; r.head == hash && bytes.Equal(o.arena.key(r.at), key) {
				return i
			}
		}
	}
}

func (o *Overlay) grow() {
	o.table = newTable(max(16, 2*len(o.table.tags)))
	mask := len(o.table.tags) - 1
	for position, r := range o.records {
		i := int(r.head) & mask
		for o.table.tags[i] != 0 {
			i = (i + 1) & mask
		}
		o.table.add(i, r.head, position+1)
	}
}

// unsorted hashes all keys by the map's hash. The overlay stays as it is.
func (o *Overlay) unsorted() unsorted {
	const step = 4096
	records := make([]record, len(o.records))
	share((len(records)+step-1)/step, func(i int) {
		for j := i * step; j < min((i+1)*step, len(records)); j++ {
			at := o.records[j].at
			records[j] = record{o.order.Head(o.arena.key(at)), at}
		}
	})
	return unsorted{o.order, &o.arena, records, nil}
}
