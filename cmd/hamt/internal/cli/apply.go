package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

func (a *app) applyVerb() *cobra.Command {
	e := &edit{app: a}
	memory := size(builder.DefaultBulkMemory)
	c := verb(groupWrite, "apply ROOT [FILE|-]", "Apply many changes and print the new root", `
printf '%s\n' '{"op":"set","key":"Carol","value":3}' '{"op":"delete","key":"Bob"}' | hamt apply people`,
		counts{1, 2}, func(ctx context.Context, args []string) error {
			return a.reading(ctx, args[1:], func(file string, r io.Reader, p *progress) error {
				source := sourceOf(file, r, input.NDJSON, "")
				return e.txn(ctx, args[0], func(txn *builder.Txn) error {
					return e.apply(ctx, txn, source, int64(memory))
				})
			})
		})
	c.Long = `Apply the changes in FILE, or of standard input, in their order, and print the
new root. Changes are lines of DAG-JSON:

  {"op":"set","key":K,"value":V}
  {"op":"delete","key":K}

To delete a key that is not there is no error. All changes are applied or, where
a line is bad, none.
` + editLong
	c.Flags().Var(&memory, "memory", "how many bytes of changes to collect before blocks are written")
	e.flags(c)
	return c
}

// apply makes the changes. More than fit into the memory are committed in
// between, which leaves blocks of versions that nobody knows, and is no less
// atomic: the root is told when all is done.
func (e *edit) apply(ctx context.Context, txn *builder.Txn, source input.Source, memory int64) error {
	var held, absent int64
	for change, err := range source.Changes() {
		if err != nil {
			return err
		}
		if change.Delete {
			existed, err := txn.Delete(ctx, change.Key)
			if err != nil {
				return err
			}
			if !existed {
				absent++
			}
		} else if err := txn.SetRaw(change.Key, change.Value); err != nil {
			return inLine(source, change.Line, err)
		}
		const overhead = 64
		if held += int64(len(change.Key)+len(change.Value)) + overhead; held < memory {
			continue
		}
		if _, _, err := txn.Commit(ctx); err != nil {
			return err
		}
		held = 0
	}
	if absent > 0 {
		e.app.warn("%d of the keys to delete were not there", absent)
	}
	return nil
}
