package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// ErrDiffers is in the error that names a key which is not the same in two maps.
var ErrDiffers = errors.New("it is not the same in both maps")

// WriteSame writes the proof that keys have the same value in two maps, or are in
// neither, without saying what it is. The blocks are those on the paths of the keys in
// both, side by side, as far as they differ: from where a link, or a bucket, is the same
// on both sides, everything is. Of two maps with the same root there are none.
//
// A key that is not the same is ErrDiffers, and nothing is written. Maps in different
// stores will do, and maps of different parameters; of those the whole paths are needed.
func WriteSame(ctx context.Context, w io.Writer, a, b *adl.Node, keys ...[]byte) error {
	if len(keys) == 0 {
		return errNoKeys
	}
	sides := make([]*source, 2)
	for i, m := range []*adl.Node{a, b} {
		var err error
		if sides[i], err = sourceOf(m); err != nil {
			return err
		}
	}
	r := newRecord()
	if !sides[0].root.Equals(sides[1].root) {
		trees := make([]*trie.Tree, len(sides))
		for i, s := range sides {
			err := s.loadAhead(ctx, keys, min(a.ReadAhead(), b.ReadAhead()))
			if err != nil {
				return err
			}
			if trees[i], err = s.recorded(ctx, r); err != nil {
				return err
			}
		}
		if err := same(ctx, trees[0], trees[1], keys); err != nil {
			return err
		}
	}
	return r.writeTo(w, sides[0].root, sides[1].root)
}

// CheckSame checks the proof that keys have the same value in the maps with the roots a
// and b, or are in neither. It is CheckSame of a zero [Checker].
func CheckSame(r io.Reader, a, b cid.Cid, keys ...[]byte) error {
	return Checker{}.CheckSame(r, a, b, keys...)
}

// CheckSame checks the proof that keys have the same value in the maps with the roots a
// and b, or are in neither. Where it shows the contrary, the error is ErrDiffers too.
func (c Checker) CheckSame(r io.Reader, a, b cid.Cid, keys ...[]byte) error {
	if len(keys) == 0 {
		return errNoKeys
	}
	p, err := c.open(r, a, b)
	if err != nil {
		return err
	}
	if a.Equals(b) {
		return p.end(nil)
	}
	var trees [2]*trie.Tree
	for i, root := range []cid.Cid{a, b} {
		if trees[i], err = p.tree(root, c.Params); err != nil {
			return err
		}
	}
	return p.end(same(context.Background(), trees[0], trees[1], keys))
}

// same returns an error if one of the keys is not the same in two trees.
func same(ctx context.Context, a, b *trie.Tree, keys [][]byte) error {
	find := lookUpBoth
	if trie.Joint(a, b) && a.Params().Layout == b.Params().Layout {
		find = findDifferent
	}
	values, err := find(ctx, a, b, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if v := values[string(key)]; !bytes.Equal(v[0], v[1]) {
			return fmt.Errorf("hamt: key %.200q: %w", key, ErrDiffers)
		}
	}
	return nil
}

// both are the values of a key in two trees, in canonical DAG-CBOR; nil for none.
type both [2][]byte

// findDifferent returns the values of keys, but of those only that are below what
// differs. It walks both trees together.
func findDifferent(ctx context.Context, a, b *trie.Tree, keys [][]byte) (map[string]both, error) {
	region := a.Order().Keys(keys)
	walk := trie.CoWalk{
		Trees: []*trie.Tree{a, b}, Ahead: 1, Region: region,
		Choose: func(slots []trie.Slot) trie.Choice {
			if slots[0].SameBlocks(slots[1]) {
				return trie.Pass
			}
			return trie.Descend
		},
	}.Start(ctx)
	values := map[string]both{}
	for {
		event, more := walk.Next()
		switch {
		case !more:
			return values, nil
		case event.Kind == trie.CoFailed:
			return nil, event.Err
		case event.Kind != trie.CoSlot:
			continue
		}
		for i, slot := range event.Slots {
			entries, err := walk.Entries(event.Visit, i, event.Index, slot)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if region.Holds(e.Head, e.Key) {
					put(values, i, e)
				}
			}
		}
	}
}

func put(values map[string]both, side int, e hashsort.Entry) {
	v := values[string(e.Key)]
	v[side] = e.Value
	values[string(e.Key)] = v
}

// lookUpBoth returns the values of keys. It looks each up in one tree and then in the
// other.
func lookUpBoth(ctx context.Context, a, b *trie.Tree, keys [][]byte) (map[string]both, error) {
	values := map[string]both{}
	for _, i := range inHashOrder(a, keys) {
		for side, t := range []*trie.Tree{a, b} {
			raw, ok, err := t.Lookup(ctx, keys[i])
			if err != nil {
				return nil, err
			}
			if ok {
				put(values, side, hashsort.Entry{Key: keys[i], Value: cbor.Canonical(raw)})
			}
		}
	}
	return values, nil
}
