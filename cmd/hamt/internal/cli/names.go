package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

func (a *app) namesVerb() *cobra.Command {
	c := verb(groupStore, "names", "List the names of roots", `
hamt names
hamt names rm people`, exactly(0), func(ctx context.Context, _ []string) (err error) {
		p, err := a.store.chosen()
		if err != nil {
			return err
		}
		s, err := p.reading(ctx)
		if err != nil {
			return err
		}
		defer closing(s, &err)
		named, ok := s.(stores.Named)
		if !ok {
			return errNoNames
		}
		for name, err := range named.Names(ctx) {
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(a.out, "%s\t%s\n", name.Name, name.Root); err != nil {
				return err
			}
		}
		return nil
	})
	c.Long = "List the names that roots were given with --name: a name, a tab and the CID on\neach line."
	c.AddCommand(a.removeNamesVerb())
	return c
}

var errNoNames = usage("a store of this kind has no names")

func (a *app) removeNamesVerb() *cobra.Command {
	return verb("", "rm NAME…", "Forget names; the maps stay in the store", `
hamt names rm people`, counts{1, many}, func(ctx context.Context, names []string) (err error) {
		p, err := a.store.chosenForWriting(open.Edit, "")
		if err != nil {
			return err
		}
		s, err := p.writing(ctx, open.Edit)
		if err != nil {
			return err
		}
		defer closing(s, &err)
		named, ok := s.(stores.Named)
		if !ok {
			return errNoNames
		}
		missing := 0
		for _, name := range names {
			found, err := named.RemoveName(ctx, name)
			if err != nil {
				return err
			}
			if !found {
				missing++
				a.warn("there is no name %q", name)
			}
		}
		if missing > 0 {
			return &outcome{status: statusAbsent}
		}
		return nil
	})
}
