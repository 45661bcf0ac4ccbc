package trie

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Batch collects entries and deletions that are in no block yet. Keys and
// values are copied into large chunks that hold no pointers, so a million of
// them cost the garbage collector nothing. It is not safe for concurrent use.
type Batch struct {
	order   order
	records []record
	chunks  [][]byte
	written int64    // bytes of chunks in use
	table   []uint32 // open addressing by head: 1 + position in records, 0 for none
}

// record is where an entry stands in the chunks: its key's length, the key,
// its value's length, the value. No DAG-CBOR is empty, so an empty value
// stands for a deletion.
type record struct {
	head uint64
	at   uint64 // chunk in the high 32 bits, offset in the low
}

// chunkSize is the size of a chunk but the first, unless one entry needs more.
const (
	firstChunkSize = 4 << 10
	chunkSize      = 1 << 20
)

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
	b.table = make([]uint32, size)
}

// Len is the number of different keys.
func (b *Batch) Len() int { return len(b.records) }

// Memory is about how many bytes the batch takes.
func (b *Batch) Memory() int64 {
	return b.written + int64(16*cap(b.records)+4*cap(b.table))
}

// Get finds what the batch holds for a key; an empty value means a deletion.
func (b *Batch) Get(key []byte) (value []byte, ok bool) {
	if len(b.records) == 0 {
		return nil, false
	}
	i := b.find(b.order.head(key), key)
	if b.table[i] == 0 {
		return nil, false
	}
	_, value = b.read(b.records[b.table[i]-1])
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
			if _, value := b.read(r); !yield(value) {
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
	at := b.write(key, value)
	if b.table[s.at] != 0 {
		b.records[b.table[s.at]-1].at = at
		return
	}
	b.records = append(b.records, record{s.head, at})
	b.table[s.at] = uint32(len(b.records))
}

// find gives the place of a key in the table, or the free one where it would
// go.
func (b *Batch) find(head uint64, key []byte) int {
	mask := len(b.table) - 1
	for i := spread(head) & mask; ; i = (i + 1) & mask {
		at := b.table[i]
		if at == 0 {
			return i
		}
		if r := b.records[at-1]; r.head == head && bytes.Equal(b.key(r), key) {
			return i
		}
	}
}

// spread mixes a head, so that identity hashes with common prefixes do not
// fill one end of the table.
func spread(head uint64) int {
	hi, lo := bits.Mul64(head, 0x9e3779b97f4a7c15)
	return int(hi ^ lo)
}

func (b *Batch) grow() {
	b.table = make([]uint32, max(16, 2*len(b.table)))
	b.index()
}

// index fills the table, which is empty.
func (b *Batch) index() {
	mask := len(b.table) - 1
	for n, r := range b.records {
		i := spread(r.head) & mask
		for b.table[i] != 0 {
			i = (i + 1) & mask
		}
		b.table[i] = uint32(n + 1)
	}
}

func (b *Batch) write(key, value []byte) uint64 {
	need := len(key) + len(value) + 2*binary.MaxVarintLen32
	last := len(b.chunks) - 1
	if last < 0 || cap(b.chunks[last])-len(b.chunks[last]) < need {
		size := chunkSize
		if last < 0 {
			size = firstChunkSize // most batches are small
		}
		b.chunks = append(b.chunks, make([]byte, 0, max(size, need)))
		last++
	}
	chunk := b.chunks[last]
	at := uint64(last)<<32 | uint64(len(chunk))
	b.written += int64(need)
	chunk = append(binary.AppendUvarint(chunk, uint64(len(key))), key...)
	b.chunks[last] = append(binary.AppendUvarint(chunk, uint64(len(value))), value...)
	return at
}

// read gives views of a record's key and value.
func (b *Batch) read(r record) (key, value []byte) {
	chunk := b.chunks[r.at>>32][uint32(r.at):]
	n, width := binary.Uvarint(chunk)
	key, chunk = chunk[width:width+int(n):width+int(n)], chunk[width+int(n):]
	n, width = binary.Uvarint(chunk)
	return key, chunk[width : width+int(n) : width+int(n)]
}

func (b *Batch) key(r record) []byte {
	chunk := b.chunks[r.at>>32][uint32(r.at):]
	n, width := binary.Uvarint(chunk)
	return chunk[width : width+int(n)]
}

func (b *Batch) item(r record) Item {
	key, value := b.read(r)
	return Item{Head: r.head, Key: key, Value: value}
}

// sorted gives the records in hash order. The batch stays as it is.
func (b *Batch) sorted() []record {
	// One pass by the high bits leaves groups of a few; those are compared.
	shift := max(64-16, 64-bits.Len(uint(len(b.records)/8)))
	starts := make([]int, 1<<(64-shift)+1)
	for _, r := range b.records {
		starts[r.head>>shift+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	out := make([]record, len(b.records))
	next := slices.Clone(starts)
	for _, r := range b.records {
		out[next[r.head>>shift]] = r
		next[r.head>>shift]++
	}
	for i := range len(starts) - 1 {
		slices.SortFunc(out[starts[i]:starts[i+1]], b.compare)
	}
	return out
}

func (b *Batch) compare(x, y record) int {
	if x.head != y.head {
		if x.head < y.head {
			return -1
		}
		return 1
	}
	return b.order.compare(x.head, b.key(x), y.head, b.key(y))
}
