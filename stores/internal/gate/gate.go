// Package gate is for what must not be closed while it is being used.
package gate

import "sync"

// Gate lets users in until it is closed, and then waits until they are out. The
// zero value is open. It is safe for concurrent use.
type Gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

// Enter reports whether the gate is open. If so the caller has to call Leave.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

// Leave ends what Enter began.
func (g *Gate) Leave() { g.inside.Done() }

// Close makes Enter report false from now on, and returns when all that have entered
// have left. They may call Enter again and find it closed, so that none waits for
// another that waits.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}
