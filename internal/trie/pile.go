package trie

import (
	"runtime"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Pile is entries in the order they came. Nothing is looked up in it, so
// adding is copying; keys are hashed when it is sorted, by all cores at once.
// It is not safe for concurrent use.
type Pile struct {
	order order
	arena arena
	count int
}

// NewPile makes a pile for a map with the given parameters.
func NewPile(p params.Params, hasher *keyhash.Hasher) *Pile {
	return &Pile{order: order{hasher, p.BitWidth}}
}

// Add adds an entry.
func (p *Pile) Add(key, value []byte) {
	p.arena.write(key, value)
	p.count++
}

// Len is the number of entries, counting repeated keys.
func (p *Pile) Len() int { return p.count }

// Memory is about how many bytes the pile takes, and will once it is sorted.
func (p *Pile) Memory() int64 { return p.arena.written + 2*recordBytes*int64(p.count) }

// unsorted hashes all keys.
func (p *Pile) unsorted() unsorted {
	chunks := p.arena.chunks
	parts := make([][]record, len(chunks))
	next := make(chan int, len(chunks))
	for i := range chunks {
		next <- i
	}
	close(next)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		wait.Go(func() {
			for i := range next {
				parts[i] = p.hash(i)
			}
		})
	}
	wait.Wait()
	records := make([]record, 0, p.count)
	for _, part := range parts {
		records = append(records, part...)
	}
	return unsorted{p.order, &p.arena, records}
}

// hash hashes the keys of one chunk.
func (p *Pile) hash(chunk int) []record {
	records := make([]record, 0, p.count/len(p.arena.chunks)+1)
	for rest := p.arena.chunks[chunk]; len(rest) > 0; {
		at := uint64(chunk)<<32 | uint64(len(p.arena.chunks[chunk])-len(rest))
		var key []byte
		key, _, rest = cut(rest)
		records = append(records, record{p.order.head(key), at})
	}
	return records
}
