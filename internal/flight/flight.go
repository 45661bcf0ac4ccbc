// Package flight shares equal loads that are under way at the same time.
package flight

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"sync"
)

// Group shares loads that have the same name. The first to ask does the work,
// in its own goroutine and under its own context; the others wait for it, each
// no longer than its own context allows.
type Group[T any] struct {
	seed  maphash.Seed
	mu    sync.Mutex
	under map[uint64]*flight[T] // by the hash of the name: no string has to be made
}

type flight[T any] struct {
	name []byte
	done chan struct{} // closed at the end; nil while nobody waits
	got  T
	err  error
	left bool // the one who loaded gave up: its context was done
}

// NewGroup makes a group.
func NewGroup[T any]() *Group[T] {
	return &Group[T]{seed: maphash.MakeSeed(), under: map[uint64]*flight[T]{}}
}

// Do gives what load gives, or what a load of the same name gives that is under
// way already: the very same, which nobody may change.
func (g *Group[T]) Do(ctx context.Context, name []byte, load func() (T, error)) (T, error) {
	hash := maphash.Bytes(g.seed, name)
	for {
		g.mu.Lock()
		other, ok := g.under[hash]
		if !ok {
			break
		}
		if !bytes.Equal(other.name, name) { // once in a long while: no sharing then
			g.mu.Unlock()
			return load()
		}
		if other.done == nil {
			other.done = make(chan struct{})
		}
		g.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		// The first one may have given up where this one has not.
		if !other.left || ctx.Err() != nil {
			return other.got, other.err
		}
	}
	mine := &flight[T]{name: name, err: errors.New("the load did not return")}
	g.under[hash] = mine
	g.mu.Unlock()

	defer func() { // also when the store panics: nobody may wait forever
		g.mu.Lock()
		delete(g.under, hash)
		if mine.done != nil {
			close(mine.done)
		}
		g.mu.Unlock()
	}()
	mine.got, mine.err = load()
	mine.left = mine.err != nil && ctx.Err() != nil
	return mine.got, mine.err
}
