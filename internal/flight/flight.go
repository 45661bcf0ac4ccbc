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
// and under its own context; the others wait for it, each no longer than its
// own context allows.
type Group[T any] struct {
	seed  maphash.Seed
	mu    sync.Mutex
	under map[uint64]*Load[T] // by the hash of the name: no string has to be made
}

// Load is a load that is under way.
type Load[T any] struct {
	name []byte
	hash uint64
	done chan struct{} // closed at the end; nil while nobody waits
	got  T
	err  error
	left bool
}

// NewGroup makes a group.
func NewGroup[T any]() *Group[T] {
	return &Group[T]{seed: maphash.MakeSeed(), under: map[uint64]*Load[T]{}}
}

// Do gives what load gives, or what a load of the same name gives that is under
// way already: the very same, which nobody may change.
func (g *Group[T]) Do(ctx context.Context, name []byte, load func() (T, error)) (T, error) {
	for {
		mine, other := g.Begin(name)
		if mine != nil {
			defer g.End(mine) // also when the store panics: nobody may wait forever
			got, err := load()
			mine.Set(got, err, err != nil && ctx.Err() != nil)
			return got, err
		}
		if other == nil {
			return load()
		}
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
}

// Begin makes a load one's own, until End, or finds the other one's that is
// under way. Once in a long while it is neither: two names have one hash, and
// there is no sharing.
func (g *Group[T]) Begin(name []byte) (mine, other *Load[T]) {
	hash := maphash.Bytes(g.seed, name)
	g.mu.Lock()
	defer g.mu.Unlock()
	other, ok := g.under[hash]
	if !ok {
		mine = &Load[T]{name: name, hash: hash, err: errNoReturn}
		g.under[hash] = mine
		return mine, nil
	}
	if !bytes.Equal(other.name, name) {
		return nil, nil
	}
	if other.done == nil {
		other.done = make(chan struct{})
	}
	return nil, other
}

// Set says what a load of one's own has given. left is for one who gave up since
// its context was done: others need not.
func (l *Load[T]) Set(got T, err error, left bool) { l.got, l.err, l.left = got, err, left }

// End tells those who wait.
func (g *Group[T]) End(mine *Load[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.under, mine.hash)
	if mine.done != nil {
		close(mine.done)
	}
}

// errNoReturn is what those who wait for a load get when the store panics.
var errNoReturn = errors.New("the load did not return")
