package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
)

func (a *app) lenVerb() *cobra.Command {
	var layout layoutFlags
	return layout.reading(verb(groupRead, "len [ROOT]", "Print the number of entries", `
hamt len people`, rootAnd(0), func(ctx context.Context, args []string) error {
		return a.wholeMap(ctx, args, &layout, func(m *adl.Node) error {
			count, err := m.Count(ctx)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, count)
			return err
		})
	}))
}

func (a *app) blocksVerb() *cobra.Command {
	var layout layoutFlags
	return layout.reading(verb(groupRead, "blocks [ROOT]", "Print the CIDs of the map's blocks, the root first", `
hamt blocks people`, rootAnd(0), func(ctx context.Context, args []string) error {
		return a.wholeMap(ctx, args, &layout, func(m *adl.Node) error {
			for link, err := range m.Blocks(ctx) {
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintln(a.out, link); err != nil {
					return err
				}
			}
			return nil
		})
	}))
}
