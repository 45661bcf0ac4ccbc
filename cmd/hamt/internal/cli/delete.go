package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

func (a *app) deleteVerb() *cobra.Command {
	e := &edit{app: a}
	keys := keysFlags{app: a}
	c := verb(groupWrite, "delete ROOT KEY…", "Delete keys and print the new root", `
hamt delete people Alice Bob
hamt keys people | grep '^A' | hamt delete people --keys-from -`, counts{}, func(ctx context.Context, args []string) error {
		if err := keys.check(); err != nil {
			return err
		}
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

` + keysHelp + `
` + editLong
	e.flags(keys.taking(c, false))
	return c
}

// delete deletes keys, warns of those that are not there, and returns their
// number. It has the nodes they lead into fetched together: over a network one key
// after another takes long.
func (e *edit) delete(ctx context.Context, txn *builder.Txn, keys *keysFlags, texts []string) (missing int, err error) {
	d := deleting{edit: e, txn: txn, keys: keys}
	for key, err := range keys.each(ctx, texts) {
		if err == nil {
			err = d.add(ctx, key)
		}
		if err != nil {
			return d.missing, err
		}
	}
	err = d.flush(ctx)
	if d.missing > namedAbsent {
		e.app.warn("and %d more keys are not there", d.missing-namedAbsent)
	}
	return d.missing, err
}

// deleting deletes keys, some at a time.
type deleting struct {
	*edit
	txn      *builder.Txn
	keys     *keysFlags
	gathered [][]byte
	bytes    int64 // of them
	held     int64 // bytes of keys that are deleted and not committed
	missing  int
}

func (d *deleting) add(ctx context.Context, key []byte) error {
	d.gathered = append(d.gathered, key)
	if d.bytes += int64(len(key)); len(d.gathered) < fetchedAtOnce && d.bytes < gatherBytes {
		return nil
	}
	return d.flush(ctx)
}

func (d *deleting) flush(ctx context.Context) error {
	d.txn.Base().Prefetch(ctx, d.gathered)
	for _, key := range d.gathered {
		existed, err := d.txn.Delete(ctx, key)
		if err != nil {
			return err
		}
		if existed {
			d.held += sizeOf(input.Change{Entry: input.Entry{Key: key}})
			continue
		}
		if d.missing++; d.missing <= namedAbsent {
			d.app.warn("key %s is not there", d.keys.show(key))
		}
	}
	d.gathered, d.bytes = nil, 0
	if d.held < builder.DefaultBulkMemory {
		return nil
	}
	d.held = 0
	_, _, err := d.txn.Commit(ctx) // as apply does
	return err
}
