package hamttest

import (
	"context"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// ReachesMany are the uses that load more than one path.
var ReachesMany = map[string]bool{
	"MapIterator": true, "Entries": true, "Keys": true, "KeyStrings": true, "Values": true, "Blocks": true,
	"Count": true, "Stats": true, "Verify": true, "Rebuild": true,
	"diff.Changes from nothing": true, "diff.Changes to nothing": true, "diff.Changes side by side": true, "diff.NewBlocks": true,
}

// Uses are all the ways into a map that reach every block, or those to a key.
var Uses = map[string]func(ctx context.Context, n *adl.Node, key string) error{
	"Get": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.Get(ctx, []byte(key))
		return err
	},
	"GetString": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.GetString(ctx, key)
		return err
	},
	"GetRaw": func(ctx context.Context, n *adl.Node, key string) error {
		_, _, err := n.GetRaw(ctx, []byte(key))
		return err
	},
	"Has": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.Has(ctx, []byte(key))
		return err
	},
	"HasString": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.HasString(ctx, key)
		return err
	},
	"Locate": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.Locate(ctx, []byte(key))
		return err
	},
	"LookupByString": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.WithContext(ctx).LookupByString(key)
		return err
	},
	"LookupByNode": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.WithContext(ctx).LookupByNode(basicnode.NewBytes([]byte(key)))
		return err
	},
	"LookupBySegment": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := n.WithContext(ctx).LookupBySegment(datamodel.PathSegmentOfString(key))
		return err
	},
	"MapIterator": func(ctx context.Context, n *adl.Node, _ string) error {
		for it := n.WithContext(ctx).MapIterator(); !it.Done(); {
			if _, _, err := it.Next(); err != nil {
				return err
			}
		}
		return nil
	},
	"Entries": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Entries(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Keys": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Keys(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"KeyStrings": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.KeyStrings(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Values": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Values(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Blocks": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.Blocks(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"RawBlocks": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range n.RawBlocks(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Count": func(ctx context.Context, n *adl.Node, _ string) error {
		_, err := n.Count(ctx)
		return err
	},
	"Stats": func(ctx context.Context, n *adl.Node, _ string) error {
		_, err := n.Stats(ctx)
		return err
	},
	"Verify": func(ctx context.Context, n *adl.Node, _ string) error {
		for err := range n.Verify(ctx) {
			return err
		}
		return nil
	},
	"Txn.Get": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := Must(builder.NewTxn(n)).Get(ctx, []byte(key))
		return err
	},
	"Txn.Delete": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := Must(builder.NewTxn(n)).Delete(ctx, []byte(key))
		return err
	},
	"Txn.SetIfAbsent": func(ctx context.Context, n *adl.Node, key string) error {
		_, err := Must(builder.NewTxn(n)).SetIfAbsent(ctx, []byte(key), datamodel.Null)
		return err
	},
	"Txn.Commit": func(ctx context.Context, n *adl.Node, key string) error {
		txn := Must(builder.NewTxn(n))
		if err := txn.SetString(key, datamodel.Null); err != nil {
			return err
		}
		_, _, err := txn.Commit(ctx)
		return err
	},
	"Rebuild": func(ctx context.Context, n *adl.Node, _ string) error {
		_, _, err := builder.Rebuild(ctx, n, builder.PrototypeOf(n), builder.BulkOptions{})
		return err
	},
	"diff.Changes from nothing": func(ctx context.Context, n *adl.Node, _ string) error {
		return firstChangeError(ctx, nil, n)
	},
	"diff.Changes to nothing": func(ctx context.Context, n *adl.Node, _ string) error {
		return firstChangeError(ctx, n, nil)
	},
	"diff.Changes side by side": func(ctx context.Context, n *adl.Node, _ string) error {
		p := n.Params()
		p.BitWidth = params.MinBitWidth + params.MaxBitWidth - p.BitWidth
		return firstChangeError(ctx, n, emptyMap(p))
	},
	"diff.NewBlocks": func(ctx context.Context, n *adl.Node, _ string) error {
		for _, err := range diff.NewBlocks(ctx, emptyMap(n.Params()), n) {
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// firstChangeError returns the first error of a diff.
func firstChangeError(ctx context.Context, a, b *adl.Node) error {
	for _, err := range diff.Changes(ctx, a, b) {
		if err != nil {
			return err
		}
	}
	return nil
}

// emptyMap returns an empty map.
func emptyMap(p params.Params) *adl.Node {
	return Must(ByAssembler(context.Background(), builder.Prototype{Params: p, LinkSystem: NewStore().LinkSystem()}, nil))
}
