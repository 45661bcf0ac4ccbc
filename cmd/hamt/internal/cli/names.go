package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/store"
)

func (a *app) namesVerb() *cobra.Command {
	c := verb(groupStore, "names", "List the names of roots", `
hamt names
hamt names rm people`, exactly(0), func(ctx context.Context, _ []string) (err error) {
		s, err := store.OpenForReading(ctx, a.location, a.storeOptions())
		if err != nil {
			return err
		}
		defer closing(s, &err)
		embedded, ok := s.(*store.Embedded)
		if !ok {
			return usage("%s is a CAR, which has no names", a.location)
		}
		for name, err := range embedded.Names() {
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

func (a *app) removeNamesVerb() *cobra.Command {
	return verb("", "rm NAME…", "Forget names; the maps stay in the store", `
hamt names rm people`, counts{1, many}, func(ctx context.Context, names []string) (err error) {
		if err := a.checkWriting(""); err != nil {
			return err
		}
		if err := store.CheckExists(a.location); err != nil {
			return err
		}
		s, err := store.OpenForWriting(ctx, a.location, a.storeOptions())
		if err != nil {
			return err
		}
		defer closing(s, &err)
		missing := 0
		for _, name := range names {
			found, err := s.Remove(name)
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
