package builder

import (
	"context"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Rebuild streams a map into its canonical tree: the one that holds the same
// entries, whatever way the old one got to where it is. It reads any map that
// can be iterated, also one with empty buckets, misplaced keys or nodes that
// should have collapsed. A key that stands there twice is
// fault.ErrRepeatedKey: which of its values counts, nobody can say.
//
// It returns the new map and its root. p says where the new tree goes and under which parameters; with
// PrototypeOf(n), they stay the same.
func Rebuild(ctx context.Context, n *adl.Node, p Prototype, o BulkOptions) (*adl.Node, datamodel.Link, error) {
	if n == nil {
		return nil, nil, errNoBase
	}
	o.Repeated = Refuse
	b, err := p.NewBulk(o)
	if err != nil {
		return nil, nil, err
	}
	defer b.Close()
	for e, err := range n.Entries(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if err := b.set(e.Key(), cbor.Canonical(e.Raw())); err != nil {
			return nil, nil, err
		}
	}
	return b.Finish(ctx)
}
