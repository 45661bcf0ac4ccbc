package store

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
)

// flights shares equal loads that are under way at the same time. The first to
// ask does the work, in its own goroutine and under its own context; the
// others wait for it, each no longer than its own context allows.
type flights struct {
	seed  maphash.Seed
	mu    sync.Mutex
	under map[uint64]*flight // by the hash of the name: no string has to be made
}

type flight struct {
	name []byte
	done chan struct{} // closed at the end; nil while nobody waits
	node *block.Node
	err  error
	left bool // the one who loaded gave up: its context was done
}

func newFlights() flights { return flights{seed: maphash.MakeSeed(), under: map[uint64]*flight{}} }

func (f *flights) do(ctx context.Context, name []byte, load func() (*block.Node, error)) (*block.Node, error) {
	hash := maphash.Bytes(f.seed, name)
	for {
		f.mu.Lock()
		other, ok := f.under[hash]
		if !ok {
			break
		}
		if !bytes.Equal(other.name, name) { // once in a long while: no sharing then
			f.mu.Unlock()
			return load()
		}
		if other.done == nil {
			other.done = make(chan struct{})
		}
		f.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// The first one may have given up where this one has not.
		if !other.left || ctx.Err() != nil {
			return other.node, other.err
		}
	}
	mine := &flight{name: name, err: errors.New("the load did not return")}
	f.under[hash] = mine
	f.mu.Unlock()

	defer func() { // also when the store panics: nobody may wait forever
		f.mu.Lock()
		delete(f.under, hash)
		if mine.done != nil {
			close(mine.done)
		}
		f.mu.Unlock()
	}()
	mine.node, mine.err = load()
	mine.left = mine.err != nil && ctx.Err() != nil
	return mine.node, mine.err
}
