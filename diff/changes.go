package diff

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Changes visits what has to happen to the entries of a for them to be those of b, in
// hash order: that of the keys' digests, which is the same whatever the parameters of
// the maps and however many blocks are loaded at the same time. nil stands for the
// empty map.
//
// After an error, which comes with an empty change, it is over. A fault in a block is
// an *Error that says in which map; maps with different hash functions are
// ErrHashFunctions. Breaking off cancels the loads under way, and so does the end of
// ctx, whose error comes as it is.
func Changes(ctx context.Context, a, b *adl.Node, options ...Option) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		d := differ{ctx: ctx, yield: yield, settings: resolve(a, b, options)}
		d.maps(treeOf(a), treeOf(b))
	}
}

// treeOf returns what a Node is a view of, nil for nil.
func treeOf(n *adl.Node) *trie.Tree {
	if n == nil {
		return nil
	}
	return nodes.OriginOf(n).Tree
}

// differ finds the changes between two maps, and with Recursive those between the maps
// in them. What it calls returns false when no more changes are wanted.
type differ struct {
	ctx   context.Context
	yield func(Change, error) bool
	settings
	path  [][]byte // of the maps
	found int      // changes
	equal pairs    // of nested maps

	before, after []hashsort.Entry
}

// errPrefix is the error of a hash prefix for two hash functions.
var errPrefix = errors.New("hamt: a hash prefix means nothing where the maps are keyed by different hash functions")

// maps finds the changes between two maps.
func (d *differ) maps(a, b *trie.Tree) bool {
	switch {
	case a == nil && b == nil:
		return true
	case trie.Joint(a, b):
		return d.together(a, b)
	case a.SameHash(b):
		return d.sideBySide(a, b)
	case !d.byLookup:
		return d.fail(ErrHashFunctions)
	case d.bits > 0:
		return d.fail(errPrefix)
	}
	return d.lookUp(a, b)
}

func (d *differ) fail(err error) bool {
	d.yield(Change{}, err)
	return false
}

// together walks both maps slot by slot.
func (d *differ) together(a, b *trie.Tree) bool {
	sameLayout := a != nil && b != nil && a.Params().Layout == b.Params().Layout
	order := orderOf(a, b)
	region := d.region(order, true)
	walk := trie.CoWalk{Trees: []*trie.Tree{a, b}, Ahead: d.ahead, Region: region, Choose: func(slots []trie.Slot) trie.Choice {
		switch {
		case sameLayout && slots[0].SameBlocks(slots[1]):
			return trie.Pass
		case slots[0].IsLink() || slots[1].IsLink():
			return trie.Descend
		}
		return trie.Stop
	}}.Start(d.ctx)
	var changes []keyChange
	for {
		event, more := walk.Next()
		if !more {
			return true
		}
		err := event.Err
		if event.Kind == trie.CoSlot {
			changes, event.Tree, err = d.compare(changes[:0], walk, event)
		}
		if err != nil {
			return d.fail(at(err, Side(event.Tree), d.path))
		}
		for _, c := range changes {
			if (region == nil || region.Holds(c.head, c.key)) && !d.changed(a, b, c) {
				return false
			}
		}
		changes = changes[:0]
	}
}

func orderOf(a, b *trie.Tree) hashsort.Order {
	if a == nil {
		a = b
	}
	return a.Order()
}

// keyChange is what happened to a key.
type keyChange struct {
	head          uint64
	key           []byte
	before, after []byte // nil for none
}

// compare appends the changes between the entries of two slots, in hash order. On an
// error it returns in which map.
func (d *differ) compare(dst []keyChange, walk *trie.CoWalker, event trie.CoEvent) (changes []keyChange, tree int, err error) {
	d.before, d.after = event.Slots[0].ByKey(d.before[:0]), event.Slots[1].ByKey(d.after[:0])
	before, after := d.before, d.after
	for len(before) > 0 || len(after) > 0 {
		c := 0
		switch {
		case len(before) == 0:
			c = 1
		case len(after) == 0:
			c = -1
		default:
			c = bytes.Compare(before[0].Key, after[0].Key)
		}
		var change keyChange
		if c >= 0 {
			change.key, change.after, after, tree = after[0].Key, after[0].Value, after[1:], 1
		}
		if c <= 0 {
			change.key, change.before, before, tree = before[0].Key, before[0].Value, before[1:], 0
		}
		if bytes.Equal(change.before, change.after) {
			continue
		}
		if change.head, err = walk.Head(event.Visit, tree, event.Index, change.key); err != nil {
			return dst, tree, err
		}
		dst = append(dst, change)
	}
	if len(dst) > 1 {
		slices.SortFunc(dst, func(x, y keyChange) int { return walk.Order().Compare(x.head, x.key, y.head, y.key) })
	}
	return dst, 0, nil
}

// changed passes a change on, or goes into the maps that it is about.
func (d *differ) changed(a, b *trie.Tree, c keyChange) bool {
	resuming := len(d.settings.after) > 1 && bytes.Equal(c.key, d.settings.after[0])
	if d.recursive && c.before != nil && c.after != nil {
		if done, more := d.nested(a, b, c); done {
			return more
		}
	}
	if resuming { // it was seen, and something in it
		return true
	}
	d.found++
	change := Change{Kind: Changed, Path: d.path, Key: c.key, Before: Value{c.before}, After: Value{c.after}}
	switch {
	case c.before == nil:
		change.Kind = Added
	case c.after == nil:
		change.Kind = Removed
	}
	return d.yield(change, nil)
}
