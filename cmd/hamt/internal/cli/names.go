package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/escape"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func (a *app) namesVerb() *cobra.Command {
	var null, json bool
	c := verb(groupStore, "names", "List the names of roots", `
hamt names
hamt names set backup people
hamt names rename backup old
hamt names log people
hamt names rm old`, exactly(0), func(ctx context.Context, _ []string) (err error) {
		p, err := a.store.chosen()
		if err != nil {
			return err
		}
		s, err := p.reading(ctx)
		if err != nil {
			return err
		}
		defer closing(s, &err)
		if rooted, ok := s.(stores.Rooted); ok {
			return a.printRoots(rooted.Roots(), null, json)
		}
		named, ok := s.(stores.Named)
		if !ok {
			return errNoNames
		}
		for name, err := range named.Names(ctx) {
			if err != nil {
				return err
			}
			if _, err := a.out.Write(appendName(nil, name, null, json)); err != nil {
				return err
			}
		}
		return nil
	})
	c.Long = `List the names that roots were given with --name: a name, a tab and the CID on
each line. A Kubo node may have names of others that would not stay on their line,
or that a terminal would obey; those come as JSON strings. With --json all do; with
-0 none does, and a zero byte, which no name has, ends each entry. A CAR has no names:
its roots are listed, the CID alone.`
	c.Flags().BoolVar(&json, "json", false, `print lines {"name":NAME,"root":{"/":CID}}`)
	c.Flags().BoolVarP(&null, "null", "0", false, "print names as they are, with a zero byte in place of each newline")
	c.MarkFlagsMutuallyExclusive("json", "null")
	c.AddCommand(a.setNameVerb(), a.renameVerb(), a.removeNamesVerb(), a.namesLogVerb(), a.resetNameVerb())
	return c
}

// appendName appends a name as names prints it.
func appendName(dst []byte, name stores.Name, null, json bool) []byte {
	quoted := func() []byte { return escape.Append(nil, dagjson.AppendKey(nil, []byte(name.Name)), "") }
	switch {
	case null:
		return fmt.Appendf(dst, "%s\t%s\x00", name.Name, name.Root)
	case json:
		return fmt.Appendf(dst, "{\"name\":%s,\"root\":{\"/\":\"%s\"}}\n", quoted(), name.Root)
	case !escape.IsPlain([]byte(name.Name)) || strings.HasPrefix(name.Name, `"`):
		return fmt.Appendf(dst, "%s\t%s\n", quoted(), name.Root)
	}
	return fmt.Appendf(dst, "%s\t%s\n", name.Name, name.Root)
}

// printRoots prints roots that have no names.
func (a *app) printRoots(roots []cid.Cid, null, json bool) error {
	format := "%s\n"
	if null {
		format = "%s\x00"
	} else if json {
		format = "{\"root\":{\"/\":\"%s\"}}\n"
	}
	for _, root := range roots {
		if _, err := fmt.Fprintf(a.out, format, root); err != nil {
			return err
		}
	}
	return nil
}

var errNoNames = usage("a store of this kind has no names")

func (a *app) removeNamesVerb() *cobra.Command {
	return verb("", "rm NAME…", "Forget names; the maps stay in the store", `
hamt names rm people`, counts{1, many}, func(ctx context.Context, names []string) error {
		return a.naming(ctx, "", func(_ stores.Writable, named stores.Named) error {
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
	})
}
