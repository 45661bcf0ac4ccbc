// Package trie is the HAMT algorithm over blocks: looking a key up, walking a
// whole tree while later blocks are being loaded, emitting a canonical tree
// from entries in hash order, and applying changes to a stored one.
//
//	Tree     a map as it is stored: parameters, a loader of blocks, the root
//	Walker   all its nodes or entries, in order, with read-ahead
//	Emitter  entries in hash order → blocks, bottom-up, each encoded once
//	Apply    Tree + changes in hash order → Emitter
//
// Everything that writes goes through the one Emitter, so that all ways of
// building a map produce the same blocks.
package trie

import (
	"context"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Tree is one version of a map: immutable, and safe for concurrent use as far
// as its loader is. Only its root is sure to be in memory.
type Tree struct {
	params params.Params
	hasher *keyhash.Hasher
	loader *blockio.Loader
	root   *block.Node
	link   datamodel.Link // of the root; nil where it was never a block of its own
}

// Open loads the root of a tree. In the layouts without a root block the parameters
// are the given ones; else only given.Layout counts.
func Open(ctx context.Context, loader *blockio.Loader, link datamodel.Link, given params.Params) (*Tree, error) {
	root, p, err := loader.Root(ctx, link, given)
	if err != nil {
		return nil, located(err, link, nil)
	}
	return New(loader, root, p, link)
}

// New returns a tree with a root that is in memory. link may be nil.
func New(loader *blockio.Loader, root *block.Node, p params.Params, link datamodel.Link) (*Tree, error) {
	hasher, err := keyhash.For(p.HashAlg)
	if err != nil {
		return nil, located(err, link, nil)
	}
	t := &Tree{params: p, hasher: hasher, loader: loader, root: root, link: link}
	if c, ok := link.(cidlink.Link); ok && c.Defined() { // of a root that came without the loader
		if err := loader.CheckDigest(c.Cid); err != nil {
			return nil, located(err, link, nil)
		}
	}
	if err := t.checkDepth(root, 0); err != nil {
		return nil, located(err, link, nil)
	}
	return t, nil
}

// Params returns the tree's parameters.
func (t *Tree) Params() params.Params { return t.params }

// Loader returns the loader of the tree's blocks.
func (t *Tree) Loader() *blockio.Loader { return t.loader }

// Root returns the root node.
func (t *Tree) Root() *block.Node { return t.root }

// Link returns the root's link, or nil if it was never a block of its own.
func (t *Tree) Link() datamodel.Link { return t.link }

// LinkPrototype returns what the tree's blocks are named by: the prototype of the
// root's link, or where there is none of a child's, or the default.
func (t *Tree) LinkPrototype() datamodel.LinkPrototype {
	if t.link != nil {
		return blockio.PrototypeOf(t.link)
	}
	for position := range t.root.Len() {
		if t.root.IsLink(position) {
			if link, err := blockio.Link(t.root.Link(position)); err == nil {
				return blockio.PrototypeOf(link)
			}
		}
	}
	return blockio.DefaultOf(block.LayoutOf(t.params.Layout))
}

// Order returns the order in which the tree's keys stand.
func (t *Tree) Order() hashsort.Order { return hashsort.NewOrder(t.hasher, t.params.BitWidth) }

// SameHash reports whether another tree's keys are hashed by the same function, so
// that they stand in the same order.
func (t *Tree) SameHash(other *Tree) bool { return t.hasher == other.hasher }

// Lookup returns the value of a key, in DAG-CBOR, loading the nodes on the way
// to it and no others.
func (t *Tree) Lookup(ctx context.Context, key []byte) (value []byte, ok bool, err error) {
	var buf keyhash.Buffer
	digest := t.hasher.Sum(&buf, key)
	cache, node, hits := t.loader.Cache(), t.root, 0
	for depth := 0; hasBits(8*len(digest), depth, t.params.BitWidth); depth++ {
		position, there := node.Find(keyhash.Index(digest, depth, t.params.BitWidth))
		if !there {
			break
		}
		child := cache.Peek(node, position)
		if child != nil { // nearly always, where the cache holds the map
			cache.Touch(child)
			hits++
			err = t.checkDepth(child, depth+1)
		} else if !node.IsLink(position) {
			value, ok = node.Value(position, key)
			break
		} else if !hasBits(8*len(digest), depth+1, t.params.BitWidth) {
			break // the digest is used up: below there are longer ones only
		} else {
			child, err = t.child(ctx, node, position, depth+1, blockio.Keep)
		}
		if err != nil {
			err = locatedCID(err, node.Link(position), t.pathOf(digest, depth+1))
			break
		}
		node = child
	}
	// Once, and at the end: counting is a write that others wait for.
	cache.CountHits(hits, byte(keyhash.Head(digest)))
	return value, ok, err
}

// hasBits reports whether a key with that many hash bits can stand in a node at
// depth. At the root every key can, even an empty one under the identity hash.
func hasBits(bits, depth, bitWidth int) bool { return depth == 0 || depth*bitWidth < bits }

func (t *Tree) pathOf(digest []byte, depth int) fault.Path {
	path := make(fault.Path, depth)
	for i := range path {
		path[i] = keyhash.Index(digest, i, t.params.BitWidth)
	}
	return path
}

// child returns the child node, at depth, that the link at position of its
// parent leads to.
func (t *Tree) child(ctx context.Context, parent *block.Node, position, depth int, retain blockio.Retention) (*block.Node, error) {
	node, err := t.loader.Child(ctx, parent, position, t.params, retain)
	if err != nil {
		return nil, err
	}
	return node, t.checkDepth(node, depth)
}

// checkDepth refuses links at a depth where no node can follow: it is what
// bounds every walk, whatever a store returns.
func (t *Tree) checkDepth(node *block.Node, depth int) error {
	if node.Links() == 0 {
		return nil
	}
	child := depth + 1
	if bits, fixed := t.hasher.FixedBits(); fixed && !hasBits(bits, child, t.params.BitWidth) {
		return faults.New(fault.ErrMaxDepth, "a link at depth %d, and the hash has %d bits", depth, bits)
	}
	if child > params.MaxDepth {
		return faults.New(fault.ErrMaxDepth, "a link at depth %d", depth)
	}
	return nil
}

// located adds link and path to a fault. Errors of a context stay as they are.
func located(err error, link datamodel.Link, path fault.Path) error {
	if f, ok := err.(*fault.Error); ok {
		return faults.At(f, nil, link, path)
	}
	return err
}

func locatedCID(err error, binaryCID []byte, path fault.Path) error {
	link, linkErr := blockio.Link(binaryCID)
	if linkErr != nil {
		link = nil // the fault is about this link then, and says so
	}
	return located(err, link, path)
}
