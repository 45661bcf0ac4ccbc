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
	under map[uint64]*Load[T] // by the hash of the name: no string is allocated
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

// NewGroup returns a group.
func NewGroup[T any]() *Group[T] {
	return &Group[T]{seed: maphash.MakeSeed(), under: map[uint64]*Load[T]{}}
}

// Do returns what load returns, or what a load of the same name that is under way
// returns: the very same value, which must not be changed.
func (g *Group[T]) Do(ctx context.Context, name []byte, load func() (T, error)) (T, error) {
	for {
		mine, other := g.Begin(name)
		if mine != nil {
			defer g.End(mine) // even if the store panics: nobody may wait forever
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

// Begin returns a new load as mine, until End, or the load of the same name that is
// under way as other. Once in a long while it returns neither: two names have the
// same hash, and are not shared.
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

// Set sets the result of a load. left reports whether the caller gave up because its
// context was done: others then load again.
func (l *Load[T]) Set(got T, err error, left bool) { l.got, l.err, l.left = got, err, left }

// End ends a load and wakes those who wait for it.
func (g *Group[T]) End(mine *Load[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.under, mine.hash)
	if mine.done != nil {
		close(mine.done)
	}
}

// errNoReturn is the error of those who wait for a load when the store panics.
var errNoReturn = errors.New("the load did not return")
