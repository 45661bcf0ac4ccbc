package cli

import (
	"bytes"
	"context"
	"iter"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

func (a *app) applyVerb() *cobra.Command {
	e := &edit{app: a}
	memory := size(builder.DefaultBulkMemory)
	c := verb(groupWrite, "apply ROOT [FILE…|-]", "Apply many changes and print the new root", `
printf '%s\n' '{"op":"set","key":"Carol","value":3}' '{"op":"delete","key":"Bob"}' | hamt apply people`,
		counts{1, many}, func(ctx context.Context, args []string) error {
			files, err := fileArguments(args[1:])
			if err != nil {
				return err
			}
			sources := make([]input.Source, len(files))
			for i, file := range files {
				sources[i].Name = fileName(file)
			}
			return a.readingEntries(ctx, files, sources, func(sources []input.Source, _ *progress) error {
				return e.txn(ctx, args[0], func(txn *builder.Txn) error {
					return e.apply(ctx, txn, input.Changes(sources), int64(memory))
				})
			})
		})
	c.Long = `Apply the changes in all FILEs, or of standard input, in their order, and print the
new root. Changes are lines of DAG-JSON, or those compressed with gzip or zstd:

  {"op":"set","key":K,"value":V}
  {"op":"delete","key":K}

A value that DAG-JSON cannot say may stand as the bytes of its DAG-CBOR, "dagCbor" in
place of "value"; hamt diff --format apply prints such lines, where it has to.
To delete a key that is not there is no error. All changes are applied or, where
a line is bad, none.
` + editLong
	c.Flags().Var(&memory, "memory", "how many bytes of changes to collect before blocks are written")
	e.flags(c)
	e.blocks.addFiles(c.Flags())
	return c
}

// apply makes the changes, in their order.
func (e *edit) apply(ctx context.Context, txn *builder.Txn, changes iter.Seq2[input.Change, error], memory int64) error {
	a := applying{txn: txn, files: e.blocks.fileValues(txn.Base().LinkSystem()), memory: memory}
	for change, err := range changes {
		if err == nil {
			err = a.add(ctx, change)
		}
		if err != nil {
			return err
		}
	}
	if err := a.flush(ctx); err != nil {
		return err
	}
	if a.absent > 0 {
		e.app.warn("%d of the keys to delete were not there", a.absent)
	}
	return nil
}

// applying makes changes. A delete has to know whether its key is there, which
// over a network takes long for one key after another; so changes are gathered,
// and the nodes that the deletes among them lead into fetched together.
type applying struct {
	txn    *builder.Txn
	files  *fileValues
	memory int64

	gathered []input.Change // a delete, and what follows it
	deletes  [][]byte       // the keys of the deletes among them
	bytes    int64          // that they take

	held   int64 // bytes of changes that are made and not committed
	absent int64 // keys to delete that were not there
}

const (
	// fetchedAtOnce is the keys whose nodes are fetched together: so many that
	// a network is busy, and so few that all of it fits into the cache.
	fetchedAtOnce = 1024
	// gatherBytes bounds the changes that are gathered, by their size.
	gatherBytes = 4 << 20
)

// add makes a change, or gathers it.
func (a *applying) add(ctx context.Context, change input.Change) error {
	if !change.Delete && len(a.gathered) == 0 {
		return a.one(ctx, change)
	}
	change.Key, change.Value = bytes.Clone(change.Key), bytes.Clone(change.Value)
	a.gathered = append(a.gathered, change)
	a.bytes += sizeOf(change)
	if change.Delete {
		a.deletes = append(a.deletes, change.Key)
	}
	if len(a.deletes) < fetchedAtOnce && a.bytes < gatherBytes {
		return nil
	}
	return a.flush(ctx)
}

// flush makes what was gathered.
func (a *applying) flush(ctx context.Context) error {
	a.txn.Base().Prefetch(ctx, a.deletes)
	for _, change := range a.gathered {
		if err := a.one(ctx, change); err != nil {
			return err
		}
	}
	a.gathered, a.deletes, a.bytes = a.gathered[:0], a.deletes[:0], 0
	return nil
}

// one makes one change. More than fit into the memory are committed in between,
// which leaves blocks of versions that nobody knows, and is no less atomic: the
// root is printed when all is done.
func (a *applying) one(ctx context.Context, change input.Change) error {
	if change.Delete {
		existed, err := a.txn.Delete(ctx, change.Key)
		if err != nil {
			return err
		}
		if !existed {
			a.absent++
		}
	} else if err := a.files.set(ctx, change.Entry, a.txn.SetRaw); err != nil {
		return err
	}
	if a.held += sizeOf(change); a.held < a.memory {
		return nil
	}
	a.held = 0
	_, _, err := a.txn.Commit(ctx)
	return err
}

// sizeOf is about how many bytes of memory a change takes.
func sizeOf(change input.Change) int64 {
	const overhead = 64
	return int64(len(change.Key)+len(change.Value)) + overhead
}
