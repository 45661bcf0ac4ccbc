package trie

import (
	"context"
	"errors"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// NestedLink returns the link that a value is, in DAG-CBOR, if it may be that of a map
// nested in the tree's: it has the codec of its blocks. Otherwise it returns nil.
func (t *Tree) NestedLink(value []byte) datamodel.Link {
	from, to, err := cbor.Link(value, 0)
	if err != nil || to != len(value) {
		return nil
	}
	link, err := blockio.Link(value[from:to])
	if err != nil || codecOf(link.Prototype()) != codecOf(t.LinkPrototype()) {
		return nil
	}
	return link
}

func codecOf(lp datamodel.LinkPrototype) uint64 {
	if lp, ok := lp.(cidlink.LinkPrototype); ok {
		return lp.Codec
	}
	return 0
}

// OpenNested opens the map that is nested in the tree's at a link. It returns nil if
// what is there is no map; a block that cannot be had is an error.
func (t *Tree) OpenNested(ctx context.Context, link datamodel.Link) (*Tree, error) {
	inner, err := Open(ctx, t.loader, link, t.params)
	var f *fault.Error
	if !errors.As(err, &f) {
		return inner, err
	}
	for _, kind := range []error{fault.ErrMissing, fault.ErrHashMismatch, fault.ErrTooLarge} {
		if errors.Is(err, kind) {
			return nil, err
		}
	}
	return nil, nil
}
