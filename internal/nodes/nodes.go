// Package nodes is where packages adl, builder and hamt meet: adl knows what a
// Node is made of, builder what its prototype is, and both have to make Nodes
// that the other understands. They leave that to each other here, in functions
// that each sets when it is initialised, so that neither of them, nor hamt,
// has to export a type of an internal package.
//
//	adl ── New, OriginOf, Resolve ──▸ nodes ◂── Prototype, Stage ── builder
//
// A Node is an *adl.Node throughout.
package nodes

import (
	"context"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Settings are what a list of adl.Option comes to, defaults included.
type Settings struct {
	// Params are those of a map whose blocks do not carry them.
	Params params.Params
	// CacheBytes bounds the node cache; 0 is no cache.
	CacheBytes int64
	// MaxBlockBytes is the largest block that is read.
	MaxBlockBytes int64
	// WeakDigests allows links whose digests are too short to tell blocks apart.
	WeakDigests bool
	// ReadAhead is how many blocks the methods that take a context load at the
	// same time.
	ReadAhead int
	// SerialMethods says that the methods of datamodel.Node load one block
	// after the other, on the caller's goroutine, whatever ReadAhead is.
	SerialMethods bool
}

// MethodReadAhead is how many blocks the methods of datamodel.Node load at the
// same time.
func (s Settings) MethodReadAhead() int {
	if s.SerialMethods {
		return 1
	}
	return s.ReadAhead
}

// Origin is what a Node is made of.
type Origin struct {
	// Context is for the methods that take none.
	Context context.Context
	Tree    *trie.Tree
	// Settings are how the map is read. Their CacheBytes, MaxBlockBytes,
	// WeakDigests and Params have gone into Tree already.
	Settings Settings
	// Count is the number of entries, or -1 where it is not known.
	Count int64
	// WritesAtOnce is that of the prototype that built the map, or 0.
	WritesAtOnce int
}

// Set by package adl.
var (
	// New returns the Node that is made of an Origin.
	New func(Origin) datamodel.Node
	// OriginOf returns what a Node is made of. Count is always -1.
	OriginOf func(datamodel.Node) Origin
	// Resolve returns what a list of options, an []adl.Option, comes to.
	Resolve func(options any) Settings
)

// Prototype returns the prototype of maps like a Node. It does not allocate.
// Set by package builder.
var Prototype func(datamodel.Node) datamodel.NodePrototype

// Staged is a map whose blocks are encoded and not written yet.
type Staged interface {
	// Params are the map's.
	Params() params.Params
	// Put takes the blocks below the root, as a trie.Emitter makes them.
	Put() trie.Put
	// Inline returns what stands in the map for a value in DAG-CBOR: itself, or a
	// link to the block that it becomes.
	Inline(value []byte) ([]byte, error)
	// Finish encodes the root, and returns its binary CID. No block is taken after that.
	Finish(root *block.Encoder) ([]byte, error)
	// Holds reports whether a tree is known to stand, whole, where the map will.
	Holds(t *trie.Tree) bool
	// Write writes the blocks, the root last, except those for which known reports
	// that they are there. Before that, copies adds blocks that others have, each
	// node after those below it. count is the number of entries, or -1.
	Write(ctx context.Context, known func(binaryCID []byte) bool, copies func(add AddBlock) error, count int64) (datamodel.Node, error)
}

// AddBlock takes the block of a node at a depth. The bytes must not change.
type AddBlock = func(b blockio.Block, depth int) error

// Stage begins a map of a builder.Prototype. Set by package builder.
var Stage func(prototype any) (Staged, error)
