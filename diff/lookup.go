package diff

import (
	"bytes"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// lookupBatch is how many keys are looked up after their nodes were loaded together.
const lookupBatch = 256

// lookUp looks each key of one map up in the other: first those of a, then of those of
// b the ones that a has not.
func (d *differ) lookUp(a, b *trie.Tree) bool {
	resumeInB := false
	if len(d.settings.after) > 0 {
		_, inA, err := a.Lookup(d.ctx, d.settings.after[0])
		if err != nil {
			return d.fail(at(err, A, d.path))
		}
		resumeInB = !inA
	}
	if !resumeInB {
		more := d.lookUpEach(a, b, A, true, func(e hashsort.Entry, other []byte) bool {
			return bytes.Equal(e.Value, other) || d.changed(a, b, keyChange{e.Head, e.Key, e.Value, other})
		})
		if !more {
			return false
		}
	}
	return d.lookUpEach(b, a, B, resumeInB, func(e hashsort.Entry, other []byte) bool {
		return other != nil || d.changed(a, b, keyChange{e.Head, e.Key, nil, e.Value})
	})
}

// lookUpEach calls use with each entry of a map, which is on a side, and the value that
// its key has in another map, nil for none. begin says whether this is the side to
// resume on.
func (d *differ) lookUpEach(t, other *trie.Tree, side Side, begin bool, use func(e hashsort.Entry, other []byte) bool) bool {
	entries := newStream(d.ctx, t, d.ahead, d.region(t.Order(), begin))
	batch, keys := make([]hashsort.Entry, 0, lookupBatch), make([][]byte, 0, lookupBatch)
	for {
		batch, keys = batch[:0], keys[:0]
		for len(batch) < lookupBatch {
			if err := entries.next(); err != nil {
				return d.fail(at(err, side, d.path))
			}
			if !entries.ok {
				break
			}
			batch, keys = append(batch, entries.entry), append(keys, entries.entry.Key)
		}
		if len(batch) == 0 {
			return true
		}
		other.Prefetch(d.ctx, keys, d.ahead)
		for _, e := range batch {
			value, err := d.value(other, e.Key)
			if err != nil {
				return d.fail(at(err, 1-side, d.path))
			}
			if !use(e, value) {
				return false
			}
		}
	}
}

// value returns the value of a key in canonical encoding, nil for none.
func (d *differ) value(t *trie.Tree, key []byte) ([]byte, error) {
	if err := d.ctx.Err(); err != nil { // a lookup in memory does not look
		return nil, err
	}
	raw, ok, err := t.Lookup(d.ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	return cbor.Canonical(raw), nil
}
