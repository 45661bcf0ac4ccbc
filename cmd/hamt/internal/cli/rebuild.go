package cli

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func (a *app) rebuildVerb() *cobra.Command {
	var name string
	var layout layoutFlags
	var blocks blockFlags
	var bulk bulkFlags
	c := verb(groupWrite, "rebuild ROOT", "Build the canonical tree of a map's entries and print its root", `
hamt rebuild people
hamt rebuild people --name people`, exactly(1), func(ctx context.Context, args []string) error {
		return a.editing(ctx, args[0], name, &layout, func(s stores.Writable, root cid.Cid) (*adl.Node, error) {
			m, err := a.load(ctx, s.LinkSystem(), root, &layout)
			if err != nil {
				return nil, err
			}
			p := a.progress("building blocks", -1, false)
			defer p.end()
			options, err := bulk.options(a, p)
			if err != nil {
				return nil, err
			}
			rebuilt, _, err := builder.Rebuild(ctx, m, blocks.limits(builder.PrototypeOf(m)), options)
			return rebuilt, err
		})
	})
	c.Long = `Build the one canonical tree of a map's entries, with the same parameters, and
print its root: the same root where the map is canonical already. Any map that
can be read will do, such as one with the empty buckets that other
implementations leave behind when they delete.
` + editLong
	nameFlag(c.Flags(), &name)
	a.store.pinFlag(c.Flags())
	blocks.addLimits(c.Flags())
	bulk.add(c.Flags())
	return layout.reading(c)
}
