package trie

import (
	"context"
	"errors"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

const (
	// checkedEntries is how many entries of a node say whether the parameters are
	// those of the map. One alone can stand by chance where others lead.
	checkedEntries = 16
	// checkedLinks is how many links of a node are followed to entries, where blocks
	// cannot be loaded. What is above them can be read without them.
	checkedLinks = 3
)

// CheckParams returns fault.ErrParams if the parameters that the tree was opened with,
// in a layout whose blocks do not carry them, are not those of the map: the hashes
// of its first entries do not lead to where they stand. It looks at those of the
// root; if that has none, and below is set, at those of the first node that has
// some, which it loads with those above it. A map without entries has any
// parameters, and one of which no entry can be loaded is not checked.
func (t *Tree) CheckParams(ctx context.Context, below bool) error {
	if t.params.Layout == params.Spec {
		return nil
	}
	_, err := t.checkParams(ctx, t.root, nil, below)
	return err
}

// checkParams looks at the first entries in or below the node at path, and reports
// whether there were any.
func (t *Tree) checkParams(ctx context.Context, node *block.Node, path fault.Path, below bool) (checked bool, err error) {
	if n, led := t.lead(node, path); n > 0 {
		if 2*led <= n { // a few may be misplaced all the same, which Verify says
			return true, t.wrongParams(nil, "%d of the first %d keys stand where their hashes lead", led, n)
		}
		return true, nil
	}
	if !below {
		return false, nil
	}
	links, unlike := 0, error(nil)
	node.Indexes(func(position, index int) bool {
		if !node.IsLink(position) {
			return true
		}
		links++
		var child *block.Node
		at := path.Child(index)
		if child, err = t.child(ctx, node, position, len(at), blockio.Keep); err == nil {
			checked, err = t.checkParams(ctx, child, at, below)
		} else if err = locatedCID(err, node.Link(position), at); ctx.Err() == nil {
			if unlike == nil && !unread(err) {
				unlike = err // what other parameters, or damage, make of a node
			}
			err = nil
		}
		return err == nil && !checked && links < checkedLinks
	})
	if err == nil && !checked && unlike != nil {
		err = t.wrongParams(unlike, "no block below is a node")
	}
	return checked, err
}

func (t *Tree) wrongParams(cause error, format string, args ...any) error {
	f := faults.New(fault.ErrParams, "%v: "+format, append([]any{t.params}, args...)...)
	f.Cause = cause
	return located(f, t.link, fault.Path{})
}

// unread reports whether an error means that the bytes of a block could not be had.
func unread(err error) bool {
	for _, kind := range []error{fault.ErrMissing, fault.ErrHashMismatch, fault.ErrTooLarge, fault.ErrWeakDigest} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// lead counts the first entries in the buckets of the node at path, and those of them
// whose hashes lead there.
func (t *Tree) lead(node *block.Node, path fault.Path) (n, led int) {
	node.Indexes(func(position, index int) bool {
		if node.IsLink(position) {
			return true
		}
		for b := node.Bucket(position); b.Next() && n < checkedEntries; n++ {
			if t.leadsAlong(b.Key(), path, index) {
				led++
			}
		}
		return n < checkedEntries
	})
	return n, led
}

// leadsAlong reports whether the hash of a key leads along a path, and from there to
// an index.
func (t *Tree) leadsAlong(key []byte, path fault.Path, index int) bool {
	var buf keyhash.Buffer
	digest := t.hasher.Sum(&buf, key)
	if !hasBits(8*len(digest), len(path), t.params.BitWidth) {
		return false
	}
	for depth, at := range path {
		if keyhash.Index(digest, depth, t.params.BitWidth) != at {
			return false
		}
	}
	return keyhash.Index(digest, len(path), t.params.BitWidth) == index
}
