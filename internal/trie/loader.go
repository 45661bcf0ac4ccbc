package trie

import (
	"context"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
)

// loader loads nodes that will be needed for sure, several at the same time
// where the store is slow: children of one node, so it hides the more the
// wider nodes are. It serves all parts of a merge.
type loader struct {
	ctx    context.Context
	tree   *Tree
	ahead  int
	flying chan struct{} // a place for each load under way
	loads  sync.WaitGroup
}

func newLoader(ctx context.Context, t *Tree, ahead int) *loader {
	return &loader{ctx: ctx, tree: t, ahead: ahead, flying: make(chan struct{}, max(1, ahead))}
}

// wait returns when no load is under way any more.
func (l *loader) wait() { l.loads.Wait() }

// children are those of a node's children that are needed, to be taken one
// after the other. Those that follow are being loaded meanwhile: as many as
// may be under way, and as many nodes are held at most.
type children struct {
	loader  *loader
	node    *block.Node
	depth   int
	links   []int     // positions in the node, of those not taken yet
	started []*future // the first of them
}

// future is a node that is being loaded.
type future struct {
	node *block.Node
	err  error
	done chan struct{}
}

// children begins with the children, at depth, that links at some positions of
// a node lead to.
func (l *loader) children(node *block.Node, depth int, links []int) *children {
	return &children{loader: l, node: node, depth: depth, links: links}
}

// next gives the next child.
func (c *children) next() (*block.Node, error) {
	l := c.loader
	if l.ahead > 1 && l.tree.source.Slow() {
		for len(c.started) < min(l.ahead, len(c.links)) {
			c.started = append(c.started, l.start(c.node, c.links[len(c.started)], c.depth))
		}
	}
	position := c.links[0]
	c.links = c.links[1:]
	if len(c.started) == 0 {
		return l.tree.child(l.ctx, c.node, position, c.depth, true)
	}
	first := c.started[0]
	c.started[0] = nil // its node is not ours to hold any more
	c.started = c.started[1:]
	select {
	case <-first.done:
		return first.node, first.err
	case <-l.ctx.Done():
		return nil, l.ctx.Err()
	}
}

func (l *loader) start(parent *block.Node, position, depth int) *future {
	f := &future{done: make(chan struct{})}
	l.loads.Go(func() {
		defer close(f.done)
		select {
		case l.flying <- struct{}{}:
			defer func() { <-l.flying }()
			f.node, f.err = l.tree.child(l.ctx, parent, position, depth, true)
		case <-l.ctx.Done():
			f.err = l.ctx.Err()
		}
	})
	return f
}
