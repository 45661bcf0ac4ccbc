package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Change is a change to the entry of a key.
type Change struct {
	Key []byte
	// Value is the key's new value, in canonical DAG-CBOR and as it stands in the
	// map: where a value is kept in a block of its own, the link to it. nil is a
	// deletion, of a key that is there or is not.
	Value []byte
}

var errNoChanges = errors.New("hamt: no changes were given to prove")

// WriteChange writes the proof that some changes make another map of map a, and
// returns the root of that, b, which it computes: nobody needs to have b. No key may
// be changed twice.
//
// The proof is the blocks on the paths of the changed keys in a; b's own are computed
// from them by whoever checks it. No others are needed. A new node is made where a
// bucket of a overflows, and that is on a path. A node becomes a bucket of its parent
// where bucketSize entries are left in it, none of them below a link; and whatever
// the changes do not touch of a canonical map is either in a block on a path, or
// below a link, and then more entries than that. So a link that is not followed is
// never to be dissolved.
//
// In a map that is not canonical there may be such links, to nodes with too few
// entries. They stay what they are, in the map that a transaction of package builder
// makes as well as here: b is what [builder.Txn] gives for a. And every lookup in b
// finds what it finds in a, but for the changes.
func WriteChange(ctx context.Context, w io.Writer, a *adl.Node, changes []Change) (b cid.Cid, err error) {
	if err := checkChanges(changes); err != nil {
		return b, err
	}
	s, err := sourceOf(a)
	if err != nil {
		return b, err
	}
	keys := make([][]byte, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	r, err := s.record(ctx, keys, a.ReadAhead(), func(t *trie.Tree) (err error) {
		b, err = apply(ctx, t, changes)
		return err
	})
	if err == nil {
		err = r.writeTo(w, s.root)
	}
	if err != nil {
		return cid.Undef, err
	}
	return b, nil
}

// CheckChange checks the proof that some changes, in any order, and nothing else make
// the map with root b of that with root a. It is CheckChange of a zero [Checker].
func CheckChange(r io.Reader, a, b cid.Cid, changes []Change) error {
	return Checker{}.CheckChange(r, a, b, changes)
}

// CheckChange checks the proof that some changes, in any order, and nothing else make
// the map with root b of that with root a. See [WriteChange] for what that means where
// a is not canonical; if it is, so is b.
func (c Checker) CheckChange(r io.Reader, a, b cid.Cid, changes []Change) error {
	if err := checkChanges(changes); err != nil {
		return err
	}
	if !b.Defined() {
		return errors.New("hamt: no root was given")
	}
	p, err := c.open(r, a)
	if err != nil {
		return err
	}
	t, err := p.tree(a, c.Params)
	if err != nil {
		return err
	}
	made, err := apply(context.Background(), t, changes)
	if err == nil && !made.Equals(b) {
		err = fmt.Errorf("the changes make %s of %s, not %s", made, a, b)
	}
	return p.end(err)
}

// checkChanges refuses changes that say nothing, or two things of a key.
func checkChanges(changes []Change) error {
	if len(changes) == 0 {
		return errNoChanges
	}
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if seen[string(c.Key)] {
			return &fault.Error{Kind: fault.ErrRepeatedKey, Key: c.Key}
		}
		seen[string(c.Key)] = true
		if c.Value == nil {
			continue
		}
		if err := cbor.Check(c.Value); err != nil {
			return err
		}
	}
	return nil
}

// apply returns the root of the map that changes make of a tree.
func apply(ctx context.Context, t *trie.Tree, changes []Change) (b cid.Cid, err error) {
	layout := block.LayoutOf(t.Params().Layout)
	if layout.ReadOnly {
		return b, faults.New(fault.ErrReadOnlyLayout, "%s", t.Params().Layout)
	}
	hasher, err := keyhash.For(t.Params().HashAlg)
	if err != nil {
		return b, err
	}
	writer, err := blockio.NewWriter(t.Loader().LinkSystem(), t.LinkPrototype(), math.MaxInt)
	if err != nil {
		return b, err
	}
	overlay := hashsort.NewOverlay(t.Params(), hasher)
	for _, c := range changes {
		if err := layout.CheckKey(c.Key); err != nil {
			return b, err
		}
		if c.Value != nil {
			if err := layout.CheckValue(c.Value); err != nil {
				return b, err
			}
		}
		overlay.Set(c.Key, c.Value)
	}
	puts := func() trie.Put {
		return func(raw []byte, _ int) ([]byte, error) {
			block, err := writer.Encode(raw)
			return block.CID, err
		}
	}
	applied, err := t.Apply(ctx, overlay, puts, 1)
	if err != nil {
		return b, err
	}
	root, err := writer.Encode(applied.Root.AppendRoot(nil))
	if err != nil {
		return b, err
	}
	return cid.Cast(root.CID)
}
