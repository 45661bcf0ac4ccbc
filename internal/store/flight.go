package store

import (
	"context"
	"errors"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
)

// flights shares equal loads that are under way at the same time. The first to
// ask does the work, in its own goroutine and under its own context; the
// others wait for it, each no longer than its own context allows.
type flights struct {
	mu    sync.Mutex
	under map[string]*flight
}

type flight struct {
	done chan struct{}
	node *block.Node
	err  error
}

func (f *flights) do(ctx context.Context, key []byte, load func() (*block.Node, error)) (*block.Node, error) {
	for {
		f.mu.Lock()
		other, ok := f.under[string(key)]
		if !ok {
			break
		}
		f.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// The first one may have given up where this one has not.
		if other.err == nil || !isContextError(other.err) || ctx.Err() != nil {
			return other.node, other.err
		}
	}
	mine := &flight{done: make(chan struct{}), err: errors.New("the load did not return")}
	if f.under == nil {
		f.under = map[string]*flight{}
	}
	f.under[string(key)] = mine
	f.mu.Unlock()

	defer func() { // also when the store panics: nobody may wait forever
		f.mu.Lock()
		delete(f.under, string(key))
		f.mu.Unlock()
		close(mine.done)
	}()
	mine.node, mine.err = load()
	return mine.node, mine.err
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
