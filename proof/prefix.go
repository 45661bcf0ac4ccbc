package proof

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// WritePrefix writes the proof of all the entries whose keys' hashes begin with the
// first bits of prefix: that these are there, and no others. It is what a sample of a
// map is audited by: whoever publishes the map cannot choose which keys have a hash
// that begins so. bits beyond the end of prefix count as zeros, as those beyond the end
// of a short hash do; with 0 bits it is about the whole map.
//
// The blocks are those on the path of the prefix and all below it. They are held in
// memory until the last one has come. A key that stands where its hash does not lead is
// fault.ErrMisplaced: whether it is in the map, nobody can say.
func WritePrefix(ctx context.Context, w io.Writer, m *adl.Node, prefix []byte, bits int) error {
	s, err := sourceOf(m)
	if err != nil {
		return err
	}
	if err := checkPrefix(s.tree, bits); err != nil {
		return err
	}
	operation := func(t *trie.Tree, ahead int) error {
		_, err := entriesUnder(ctx, t, prefix, bits, ahead)
		return err
	}
	if s.loader.Slow() && m.ReadAhead() > 1 {
		if err := s.hold(ctx, func(t *trie.Tree) error { return operation(t, m.ReadAhead()) }); err != nil {
			return err
		}
	}
	r := newRecord()
	t, err := s.recorded(ctx, r)
	if err == nil {
		err = operation(t, 1)
	}
	if err != nil {
		return err
	}
	return r.writeTo(w, s.root)
}

// CheckPrefix checks the proof of all the entries whose keys' hashes begin with the
// first bits of prefix in the map with a root, and returns them in hash order. It is
// CheckPrefix of a zero [Checker].
func CheckPrefix(r io.Reader, root cid.Cid, prefix []byte, bits int) ([]Result, error) {
	return Checker{}.CheckPrefix(r, root, prefix, bits)
}

// CheckPrefix checks the proof of all the entries whose keys' hashes begin with the
// first bits of prefix in the map with a root, and returns them in hash order. There
// may be none. Values are in canonical DAG-CBOR.
func (c Checker) CheckPrefix(r io.Reader, root cid.Cid, prefix []byte, bits int) ([]Result, error) {
	p, err := c.open(r, root)
	if err != nil {
		return nil, err
	}
	t, err := p.tree(root, c.Params)
	if err != nil {
		return nil, err
	}
	if err := checkPrefix(t, bits); err != nil {
		return nil, err
	}
	results, err := entriesUnder(context.Background(), t, prefix, bits, 1)
	if err := p.end(err); err != nil {
		return nil, err
	}
	return results, nil
}

// checkPrefix refuses a prefix of more bits than a map's hashes have.
func checkPrefix(t *trie.Tree, bits int) error {
	hasher, err := keyhash.For(t.Params().HashAlg)
	if err != nil {
		return err
	}
	if bits < 0 {
		return errors.New("hamt: a prefix of less than no bits")
	}
	if most, fixed := hasher.FixedBits(); fixed && bits > most {
		return fmt.Errorf("hamt: a prefix of %d bits, and the map's hash has %d", bits, most)
	}
	return nil
}

// entriesUnder returns all entries under a prefix, with up to ahead loads under way.
func entriesUnder(ctx context.Context, t *trie.Tree, prefix []byte, bits, ahead int) ([]Result, error) {
	region := t.Order().Under(prefix, bits)
	walk := trie.CoWalk{
		Trees: []*trie.Tree{t}, Ahead: ahead, Region: region,
		Choose: func([]trie.Slot) trie.Choice { return trie.Descend },
	}.Start(ctx)
	var results []Result
	for {
		event, more := walk.Next()
		switch {
		case !more:
			return results, nil
		case event.Kind == trie.CoFailed:
			return nil, event.Err
		case event.Kind != trie.CoSlot:
			continue
		}
		entries, err := walk.Entries(event.Visit, 0, event.Index, event.Slots[0])
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if region.Holds(e.Head, e.Key) {
				results = append(results, Result{Key: e.Key, Value: e.Value})
			}
		}
	}
}
