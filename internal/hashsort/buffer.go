package hashsort

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Buffer is a sort buffer: entries in the order they came. Nothing is looked up
// in it, so adding is copying; keys are hashed when it is sorted, by all cores at
// once. It is not safe for concurrent use.
type Buffer struct {
	order  Order
	arena  arena
	counts []int // of the entries in each chunk of the arena
	count  int
	room   []record // for sorting; kept by Reset
}

// NewBuffer returns an empty buffer for a map with the given parameters.
func NewBuffer(p params.Params, hasher *keyhash.Hasher) *Buffer {
	return &Buffer{order: Order{hasher, p.BitWidth}}
}

// Add adds an entry.
func (p *Buffer) Add(key, value []byte) {
	chunk := int(p.arena.write(key, value) >> 32)
	if chunk == len(p.counts) {
		p.counts = append(p.counts, 0)
	}
	p.counts[chunk]++
	p.count++
}

// Len returns the number of entries, counting repeated keys.
func (p *Buffer) Len() int { return p.count }

// Memory returns how many bytes the buffer takes, and will once it is sorted.
func (p *Buffer) Memory() int64 {
	return p.arena.memory() + recordBytes*int64(max(2*p.count, cap(p.room)))
}

// Reset empties the buffer. The memory is kept for as many entries again.
func (p *Buffer) Reset() {
	p.arena.reset()
	p.counts, p.count = p.counts[:0], 0
}

// unsorted hashes all keys. What it returns uses the memory of the buffer, so it is
// good until the next call.
func (p *Buffer) unsorted() unsorted {
	if n := 2 * p.count; cap(p.room) < n || cap(p.room) > 2*n {
		p.arena.free = nil // entries have another size than they had
		p.room = make([]record, n+n/64)
	}
	records, room := p.room[:p.count], p.room[p.count:2*p.count]
	starts := make([]int, len(p.counts))
	for i := 1; i < len(starts); i++ {
		starts[i] = starts[i-1] + p.counts[i-1]
	}
	share(len(starts), func(i int) { p.hash(i, records[starts[i]:]) })
	return unsorted{p.order, &p.arena, records, room}
}

// share calls use with each number below n, on all cores.
func share(n int, use func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers == 1 {
		for i := range n {
			use(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				use(i)
			}
		})
	}
	wait.Wait()
}

// hash makes the records of one chunk.
func (p *Buffer) hash(chunk int, records []record) {
	rest := p.arena.chunks[chunk]
	for i := 0; len(rest) > 0; i++ {
		at := uint64(chunk)<<32 | uint64(len(p.arena.chunks[chunk])-len(rest))
		var key []byte
		key, _, rest = cut(rest)
		records[i] = record{p.order.Head(key), at}
	}
}
