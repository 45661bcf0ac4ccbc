// Package flight shares the fetching of one block among all who ask for it at the
// same time. It differs from golang.org/x/sync/singleflight in that each caller's
// context is its own: nobody waits longer than that, and nobody gets the error of
// a first caller who gave up.
package flight

import (
	"context"
	"errors"
	"sync"

	"github.com/ipfs/go-cid"
)

// Group is the fetches that are under way. The zero value has none. It is safe
// for concurrent use.
type Group struct {
	mu    sync.Mutex
	under map[cid.Cid]*fetch
}

// fetch is one that is under way.
type fetch struct {
	done  chan struct{} // closed at the end
	block []byte
	err   error
	left  bool // the first caller gave up
}

// errNoReturn is the error of those who wait for a fetch that panics.
var errNoReturn = errors.New("the fetch did not return")

// Do returns what get returns, or what a call for the same CID returns that is
// under way already. The first caller makes the call, with its own context.
func (g *Group) Do(ctx context.Context, c cid.Cid, get func() ([]byte, error)) ([]byte, error) {
	for {
		f, first := g.begin(c)
		if first {
			defer g.end(c, f)
			f.block, f.err = get()
			f.left = f.err != nil && ctx.Err() != nil
			return f.block, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !f.left || ctx.Err() != nil {
			return f.block, f.err
		}
	}
}

// begin returns the fetch of a CID, and reports whether it is the caller's to make.
func (g *Group) begin(c cid.Cid) (f *fetch, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.under[c]; ok {
		return f, false
	}
	if g.under == nil {
		g.under = map[cid.Cid]*fetch{}
	}
	f = &fetch{done: make(chan struct{}), err: errNoReturn}
	g.under[c] = f
	return f, true
}

func (g *Group) end(c cid.Cid, f *fetch) {
	g.mu.Lock()
	delete(g.under, c)
	g.mu.Unlock()
	close(f.done)
}
