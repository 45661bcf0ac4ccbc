package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

func (a *app) deleteVerb() *cobra.Command {
	e := &edit{app: a}
	var keys keyFlags
	c := verb(groupWrite, "delete ROOT KEY…", "Delete keys and print the new root", `
hamt delete people Alice Bob`, counts{2, many}, func(ctx context.Context, args []string) error {
		missing := 0
		err := e.txn(ctx, args[0], func(txn *builder.Txn) error {
			for _, text := range args[1:] {
				key, err := keys.key(text)
				if err != nil {
					return err
				}
				existed, err := txn.Delete(ctx, key)
				if err != nil {
					return err
				}
				if !existed {
					missing++
					a.warn("key %s is not there", keys.show(key))
				}
			}
			return nil
		})
		if err == nil && missing > 0 {
			return &outcome{status: statusAbsent}
		}
		return err
	})
	c.Long = `Delete keys and print the new root. Keys that are not there are named on stderr,
and make the exit status 1; the others are deleted all the same.
` + editLong
	keys.add(c.Flags())
	e.flags(c)
	return c
}
