package trie

import (
	"math"
	"sync/atomic"
)

const (
	// DefaultAhead is how many requests are under way at the same time unless
	// told otherwise.
	DefaultAhead = 64
	// aheadBytes bounds the nodes that are loaded ahead and not taken yet.
	aheadBytes = 32 << 20
	// aheadNodes bounds their number on a walk, as a multiple of the requests
	// under way at most: a walk may be broken off at any time.
	aheadNodes = 4
)

// budget bounds what is loaded before its turn: the requests that are under way
// and the bytes of what is loaded and not taken yet. Walks, edits, prefetching
// and samples all have one. What is loaded when its turn has come needs a
// request, but is loaded however many bytes are held.
//
// One goroutine at a time may use a budget; but others may call end and resize
// meanwhile.
type budget struct {
	requests int // under way at most
	nodes    int // begun and not taken at most

	reserved int          // requests that may begin without being asked for here
	waiting  int          // nodes that were begun and not taken
	underWay atomic.Int64 // requests
	levels   [budgetLevels]levelUse
}

// budgetLevels is how many levels a budget tells apart; the last one stands for
// all below it.
const budgetLevels = 16

// levelUse is what a budget knows of the nodes at one depth.
type levelUse struct {
	underWay atomic.Int64
	held     atomic.Int64 // bytes of those that are loaded and not taken
	loaded   atomic.Int64 // nodes so far
	bytes    atomic.Int64 // of those
}

// walkBudget returns the budget of a walk.
func walkBudget(requests int) *budget {
	return &budget{requests: requests, nodes: aheadNodes * max(requests, batchSize)}
}

// planBudget returns a budget for nodes all of which will be needed.
func planBudget(requests int) *budget {
	return &budget{requests: requests, nodes: math.MaxInt}
}

// level returns what is known of a depth, and that depth or the last one told
// apart.
func (b *budget) level(depth int) (*levelUse, int) {
	depth = min(depth, budgetLevels-1)
	return &b.levels[depth], depth
}

// begin notes that the node at a depth is being loaded.
func (b *budget) begin(depth int) {
	level, _ := b.level(depth)
	b.waiting++
	b.underWay.Add(1)
	level.underWay.Add(1)
}

// end notes that a load that was begun has ended, and how many bytes it brought:
// none if it failed.
func (b *budget) end(depth, bytes int) {
	level, _ := b.level(depth)
	if bytes > 0 {
		level.loaded.Add(1)
		level.bytes.Add(int64(bytes))
		level.held.Add(int64(bytes))
	}
	level.underWay.Add(-1)
	b.underWay.Add(-1)
}

// hold notes that the node at a depth was loaded at once, and its bytes.
func (b *budget) hold(depth, bytes int) {
	b.waiting++
	b.resize(depth, bytes)
}

// resize notes that what was loaded takes another number of bytes now.
func (b *budget) resize(depth, by int) {
	level, _ := b.level(depth)
	level.held.Add(int64(by))
}

// take notes that a node's turn has come, and how many bytes were held for it.
func (b *budget) take(depth, bytes int) {
	b.waiting--
	b.resize(depth, -bytes)
}

// reserve changes by how many the requests are fewer that may begin.
func (b *budget) reserve(by int) { b.reserved += by }

// excess returns how many more requests are under way or reserved than may be.
func (b *budget) excess() int {
	return int(b.underWay.Load()) + b.reserved - b.requests
}

// room reports whether one more request may be under way.
func (b *budget) room() bool { return b.excess() < 0 }

// fits reports whether a node may be loaded before its turn. Half of the memory
// is for all; of the other half each level has a share of its own, half that of
// the one above it. For a node waits the longer for its turn the nearer it is to
// the root, and must not stop the many below that come before it.
func (b *budget) fits(depth int) bool {
	if b.waiting >= b.nodes {
		return false
	}
	level, depth := b.level(depth)
	if level.expected() < aheadBytes/2>>depth {
		return true
	}
	all := int64(0)
	for i := range b.levels {
		all += b.levels[i].expected()
	}
	return all < aheadBytes/2
}

// expected returns about how many bytes are held once what is under way is
// loaded: the nodes of a level are much alike.
func (l *levelUse) expected() int64 {
	expected := l.held.Load()
	if underWay := l.underWay.Load(); underWay > 0 {
		expected += underWay * l.bytes.Load() / max(1, l.loaded.Load())
	}
	return expected
}
