package proof

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Result is what is proven of a key.
type Result struct {
	Key []byte
	// Value is the value in DAG-CBOR, as GetRaw of an adl.Node returns it. It is nil
	// where the key is proven not to be there.
	Value []byte
}

// Present reports whether the key is there.
func (r Result) Present() bool { return r.Value != nil }

var errNoKeys = errors.New("hamt: no keys were given to prove")

// Write writes the proof of what the keys' values are in a map: the blocks on the
// paths to them. A key that is not there is proven not to be there: the last block
// on its path has no element at its index, or a bucket without it, or a link where
// the digest is used up.
//
// It loads the blocks that Get of the keys loads, several at the same time where the
// store is slow, and nothing is written unless all are there.
func Write(ctx context.Context, w io.Writer, m *adl.Node, keys ...[]byte) error {
	if len(keys) == 0 {
		return errNoKeys
	}
	s, err := sourceOf(m)
	if err != nil {
		return err
	}
	r, err := s.record(ctx, keys, m.ReadAhead(), func(t *trie.Tree) error {
		_, err := lookUp(ctx, t, keys)
		return err
	})
	if err != nil {
		return err
	}
	return r.writeTo(w, s.root)
}

// Check checks the proof of what the keys' values are in the map with a root, and
// returns them in the order of the keys. It is Check of a zero [Checker].
func Check(r io.Reader, root cid.Cid, keys ...[]byte) ([]Result, error) {
	return Checker{}.Check(r, root, keys...)
}

// Check checks the proof of what the keys' values are in the map with a root, and
// returns them in the order of the keys. The proof has to be of these keys: that of
// more of them or of fewer has other blocks, unless those are the same.
func (c Checker) Check(r io.Reader, root cid.Cid, keys ...[]byte) ([]Result, error) {
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	p, err := c.open(r, root)
	if err != nil {
		return nil, err
	}
	t, err := p.tree(root, c.Params)
	if err != nil {
		return nil, err
	}
	results, err := lookUp(context.Background(), t, keys)
	if err := p.end(err); err != nil {
		return nil, err
	}
	return results, nil
}

// lookUp looks keys up, in hash order.
func lookUp(ctx context.Context, t *trie.Tree, keys [][]byte) ([]Result, error) {
	results := make([]Result, len(keys))
	for _, i := range inHashOrder(t, keys) {
		value, _, err := t.Lookup(ctx, keys[i])
		if err != nil {
			return nil, err
		}
		results[i] = Result{Key: keys[i], Value: bytes.Clone(value)}
	}
	return results, nil
}

// inHashOrder returns the positions of keys, in the order in which they stand in a
// tree.
func inHashOrder(t *trie.Tree, keys [][]byte) []int {
	order := t.Order()
	positions, heads := make([]int, len(keys)), make([]uint64, len(keys))
	for i, key := range keys {
		positions[i], heads[i] = i, order.Head(key)
	}
	slices.SortFunc(positions, func(i, j int) int { return order.Compare(heads[i], keys[i], heads[j], keys[j]) })
	return positions
}
