package builder

import (
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Rebuild streams a map into its canonical tree: the one that holds the same
// entries, whatever way the old one got to where it is. It reads any map that
// can be iterated, also one with empty buckets, misplaced keys or nodes that
// should have collapsed. A key that stands there twice is
// fault.ErrRepeatedKey: which of its values counts, nobody can say.
//
// p says where the new tree goes and under which parameters; with
// PrototypeOf(n), they stay the same.
func Rebuild(ctx context.Context, n *adl.Node, p Prototype, o BulkOptions) (*adl.Node, error) {
	o.Repeated = Refuse
	b, err := p.NewBulk(o)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	for e, err := range n.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		value, err := cbor.Canonical(e.Raw())
		if err != nil {
			return nil, err
		}
		if err := b.set(e.Key(), value); err != nil {
			return nil, err
		}
	}
	return b.Finish(ctx)
}
