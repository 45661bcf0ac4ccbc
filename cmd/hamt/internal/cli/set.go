package cli

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// edit is what set, delete and apply have in common.
type edit struct {
	app    *app
	name   string
	layout layoutFlags
	blocks blockFlags
}

const editLong = `
The old root stays readable. Where ROOT is a name and --name is not given, the
name moves to the new root.`

func (e *edit) flags(c *cobra.Command) {
	nameFlag(c.Flags(), &e.name)
	e.app.store.pinFlag(c.Flags())
	e.blocks.addLimits(c.Flags())
	e.layout.reading(c)
}

// txn opens the map at a root for changes, commits them and prints the new
// root.
func (e *edit) txn(ctx context.Context, root string, change func(*builder.Txn) error) error {
	if err := e.blocks.check(); err != nil {
		return err
	}
	return e.app.editing(ctx, root, e.name, &e.layout, func(s stores.Writable, root cid.Cid) (*adl.Node, error) {
		m, err := e.app.load(ctx, s.LinkSystem(), root, &e.layout)
		if err != nil {
			return nil, err
		}
		txn, err := e.blocks.limits(builder.PrototypeOf(m)).Edit(m)
		if err != nil {
			return nil, err
		}
		if err := change(txn); err != nil {
			return nil, err
		}
		changed, _, err := txn.Commit(ctx)
		return changed, err
	})
}

type set struct {
	edit
	keys   keyFlags
	value  valueFlags
	from   []string // --values-from
	input  inputFlags
	memory size
}

func (a *app) setVerb() *cobra.Command {
	s := &set{edit: edit{app: a}, value: valueFlags{app: a}, memory: builder.DefaultBulkMemory}
	c := verb(groupWrite, "set ROOT [KEY VALUE]", "Set a key, or many, and print the new root", `
hamt set people Alice '{"age":7}'
hamt set people Bob --string 'a string without quotes'
hamt set people Carol @carol.json
date | hamt set people Dave --string -
hamt set people --values-from people.csv`, counts{1, 3}, s.run)
	c.Long = `Set a key to a value and print the new root. VALUE is DAG-JSON; @FILE reads it from
a file, and - from standard input. No DAG-JSON begins so: the string @FILE is written
'"@FILE"', with quotes of its own. With --string the VALUE, or all that is read, is a
string as it stands, and with --bytes it is bytes. What begins with another dash has
to stand behind two: hamt set people Alice -- -1

--values-from FILE, or -, sets all entries of a file, in place of KEY and VALUE:

` + inputHelp + `

All are set or, where something is wrong with one, none.
` + editLong
	flags := c.Flags()
	s.keys.add(flags)
	s.value.add(flags)
	flags.StringArrayVar(&s.from, "values-from", nil, "set the entries in `FILE`; may be given more than once")
	s.input.add(flags)
	flags.Var(&s.memory, "memory", "how many bytes of entries to collect before blocks are written")
	c.MarkFlagsMutuallyExclusive("string", "bytes")
	for _, one := range []string{"string", "bytes", "hex"} {
		c.MarkFlagsMutuallyExclusive(one, "values-from")
	}
	s.flags(c)
	s.blocks.addFiles(flags)
	return c
}

func (s *set) run(ctx context.Context, args []string) error {
	if len(s.from) > 0 {
		return s.many(ctx, args)
	}
	if name, any := s.input.given(); any {
		return usage("--%s goes with --values-from", name)
	}
	if len(args) != 3 {
		return usage("ROOT, KEY and VALUE are needed, or ROOT and --values-from FILE")
	}
	key, err := s.keys.key(args[1])
	if err != nil {
		return err
	}
	return s.value.with(ctx, args[2], func(v value) error {
		return s.txn(ctx, args[0], func(txn *builder.Txn) error {
			raw, err := v.keep(ctx, s.blocks.fileValues(txn.Base().LinkSystem()))
			if err != nil {
				return err
			}
			return txn.SetRaw(key, raw)
		})
	})
}

// many sets the entries of files.
func (s *set) many(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return usage("--values-from stands in place of KEY and VALUE")
	}
	files, err := fileArguments(s.from)
	if err != nil {
		return err
	}
	sources, err := s.input.sources(files)
	if err != nil {
		return err
	}
	return s.app.readingEntries(ctx, files, sources, func(sources []input.Source, _ *progress) error {
		return s.txn(ctx, args[0], func(txn *builder.Txn) error {
			return s.apply(ctx, txn, input.Sets(input.Entries(sources)), int64(s.memory))
		})
	})
}
