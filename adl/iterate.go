package adl

import (
	"bytes"
	"context"
	"iter"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Entry is one entry of a map. Key and Raw are views into a block: they stay
// valid, and must not be written to.
type Entry struct {
	key, raw []byte
}

// Key is the key's bytes.
func (e Entry) Key() []byte { return e.key }

// KeyString is the key as a string, with whatever bytes it has.
func (e Entry) KeyString() string { return string(e.key) }

// Value decodes the value. The error is a *fault.Error, fault.ErrUndecodable.
func (e Entry) Value() (datamodel.Node, error) { return decode(e.key, e.raw) }

// decode decodes the value of a key.
func decode(key, raw []byte) (datamodel.Node, error) {
	value, err := cbor.Decode(raw)
	if err != nil {
		return nil, &fault.Error{Kind: fault.ErrUndecodable, Key: bytes.Clone(key), Cause: err}
	}
	return value, nil
}

// Raw is the value in DAG-CBOR.
func (e Entry) Raw() []byte { return e.raw }

// cursor goes from entry to entry.
type cursor struct {
	walk   *trie.Walker
	bucket block.Bucket
}

// next goes to the next entry. ok is false at the end and with an error.
func (c *cursor) next() (e Entry, ok bool, err error) {
	for !c.bucket.Next() {
		event, more := c.walk.Next()
		switch {
		case !more:
			return Entry{}, false, nil
		case event.Err != nil:
			return Entry{}, false, event.Err
		case event.Kind == trie.AtBucket:
			c.bucket = event.Visit.Node().Bucket(event.Position())
		}
	}
	return Entry{c.bucket.Key(), c.bucket.Value()}, true, nil
}

// Entries visits all entries, in hash order. After an error, which comes with
// an empty entry, the iteration is over. Blocks are loaded ahead of the use;
// breaking off cancels their loads.
func (n *Node) Entries(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		c := cursor{walk: n.tree.Walk(ctx, n.settings.ReadAhead)}
		c.each(yield)
	}
}

// each visits what is left.
func (c *cursor) each(yield func(Entry, error) bool) {
	for {
		e, ok, err := c.next()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if !ok || !yield(e, nil) {
			return
		}
	}
}

// EntriesAfter visits those entries that Entries visits after the one of a key: with the
// last key that was seen, a walk that was broken off goes on. The key need not be there.
// Blocks that hold only what comes before are not loaded. The order is that of this one
// map: of another version the entries after a key may be others.
func (n *Node) EntriesAfter(ctx context.Context, key []byte) iter.Seq2[Entry, error] {
	return n.entriesFrom(ctx, func(ctx context.Context) (*trie.Walker, bool, error) {
		return n.tree.WalkAfter(ctx, key, n.settings.ReadAhead)
	}, key)
}

// EntriesFrom visits those entries that Entries visits from where a hash leads to on:
// those whose keys have that hash or a greater one, and at most a bucket's others.
// Where keys are spread by their hashes, a few entries from a random hash on are any
// entries. Blocks that hold only what comes before are not loaded.
func (n *Node) EntriesFrom(ctx context.Context, hash []byte) iter.Seq2[Entry, error] {
	return n.entriesFrom(ctx, func(ctx context.Context) (*trie.Walker, bool, error) {
		walk, _, err := n.tree.WalkFrom(ctx, hash, n.settings.ReadAhead)
		return walk, false, err
	}, nil)
}

// entriesFrom visits the entries of a walk. Where begin says that the first bucket is
// the one of a key, only those after the key count of that.
func (n *Node) entriesFrom(
	ctx context.Context, begin func(ctx context.Context) (*trie.Walker, bool, error), key []byte,
) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		walk, there, err := begin(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		c := cursor{walk: walk}
		if there {
			c.skip(key, block.LayoutOf(n.Params().Layout))
		}
		c.each(yield)
	}
}

// skip goes past a key in the bucket that the walk stops at next, of a map in a layout.
func (c *cursor) skip(key []byte, layout *block.Layout) {
	event, _ := c.walk.Next()
	bucket := event.Visit.Node().Bucket(event.Position())
	for c.bucket = bucket; c.bucket.Next(); {
		if bytes.Equal(c.bucket.Key(), key) {
			return
		}
	}
	// It is not there: what is greater comes after it.
	c.bucket = bucket
	for b := bucket; b.Next() && layout.CompareKeys(b.Key(), key) < 0; {
		c.bucket = b
	}
}

// Keys visits all keys, as Entries does. They are views: not to be written to.
func (n *Node) Keys(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range n.Entries(ctx) {
			if !yield(e.key, err) {
				return
			}
		}
	}
}

// KeyStrings visits all keys as strings, as Entries does.
func (n *Node) KeyStrings(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range n.Entries(ctx) {
			if !yield(e.KeyString(), err) {
				return
			}
		}
	}
}

// Values visits all values, in the order of their keys' hashes. After the error of
// a value that cannot be decoded (fault.ErrUndecodable) it goes on with the next.
func (n *Node) Values(ctx context.Context) iter.Seq2[datamodel.Node, error] {
	return func(yield func(datamodel.Node, error) bool) {
		for e, err := range n.Entries(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(e.Value()) {
				return
			}
		}
	}
}

// Blocks visits the links of all the map's blocks: the root first, then depth
// first in order of index. Blocks that values link to are not the map's own; those
// are that a node is kept in which is a UnixFS file of several, and come behind its
// first.
func (n *Node) Blocks(ctx context.Context) iter.Seq2[datamodel.Link, error] {
	return func(yield func(datamodel.Link, error) bool) {
		root, err := n.Link()
		if err != nil || !yield(root, nil) {
			if err != nil {
				yield(nil, err)
			}
			return
		}
		for visit, err := range n.nodes(ctx, n.settings.ReadAhead) {
			if err != nil {
				yield(nil, err)
				return
			}
			if visit.CID() != nil { // below the root
				link, err := blockio.Link(visit.CID())
				if !yield(link, err) || err != nil {
					return
				}
			}
			for part := range visit.Node().Parts {
				link, err := blockio.Link(part)
				if !yield(link, err) || err != nil {
					return
				}
			}
		}
	}
}

// nodes visits all nodes, with up to ahead loads under way; after an error it
// is over.
func (n *Node) nodes(ctx context.Context, ahead int) iter.Seq2[*trie.Visit, error] {
	return func(yield func(*trie.Visit, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		walk := n.tree.WalkNodes(ctx, ahead)
		for {
			event, more := walk.Next()
			if !more || !yield(event.Visit, event.Err) || event.Err != nil {
				return
			}
		}
	}
}

// mapIterator is datamodel.MapIterator over a cursor. It knows one entry more
// than it has given, so that Done is exact.
type mapIterator struct {
	cursor cursor
	entry  Entry
	ok     bool  // there is an entry
	err    error // or this has to be told first
}

func newMapIterator(n *Node) *mapIterator {
	it := &mapIterator{cursor: cursor{walk: n.tree.Walk(n.ctx, n.settings.MethodReadAhead())}}
	it.advance()
	return it
}

func (it *mapIterator) advance() { it.entry, it.ok, it.err = it.cursor.next() }

// Done says that there is nothing more: no entry and no error.
func (it *mapIterator) Done() bool { return !it.ok && it.err == nil }

// Next returns the next entry. After an error the iterator is done, unless it is
// that of one value, which cannot be decoded.
func (it *mapIterator) Next() (key, value datamodel.Node, err error) {
	if it.err != nil {
		err, it.err = it.err, nil
		return nil, nil, err
	}
	if !it.ok {
		return nil, nil, datamodel.ErrIteratorOverread{}
	}
	value, err = it.entry.Value()
	if err == nil {
		key = basicnode.NewString(it.entry.KeyString())
	}
	it.advance()
	return key, value, err
}
