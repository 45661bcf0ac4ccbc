package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

func (a *app) deleteVerb() *cobra.Command {
	e := &edit{app: a}
	var keys keyFlags
	c := verb(groupWrite, "delete ROOT KEY…", "Delete keys and print the new root", `
hamt delete people Alice Bob`, counts{2, many}, func(ctx context.Context, args []string) error {
		missing := 0
		err := e.txn(ctx, args[0], func(txn *builder.Txn) (err error) {
			missing, err = e.delete(ctx, txn, &keys, args[1:])
			return err
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

// delete deletes keys, warns of those that are not there, and returns their
// number. It has the nodes they lead into fetched together: over a network one key
// after another takes long.
func (e *edit) delete(ctx context.Context, txn *builder.Txn, keys *keyFlags, texts []string) (missing int, err error) {
	all := make([][]byte, len(texts))
	for i, text := range texts {
		if all[i], err = keys.key(text); err != nil {
			return 0, err
		}
	}
	for some := range slices.Chunk(all, fetchedAtOnce) {
		txn.Base().Prefetch(ctx, some)
		for _, key := range some {
			existed, err := txn.Delete(ctx, key)
			if err != nil {
				return missing, err
			}
			if !existed {
				missing++
				e.app.warn("key %s is not there", keys.show(key))
			}
		}
	}
	return missing, nil
}
