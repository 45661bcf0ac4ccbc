package cli

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
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
	return e.app.editing(ctx, root, e.name, func(s stores.Writable, root cid.Cid) (*adl.Node, error) {
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

func (a *app) setVerb() *cobra.Command {
	e := &edit{app: a}
	var keys keyFlags
	c := verb(groupWrite, "set ROOT KEY VALUE", "Set a key and print the new root", `
hamt set people Alice '{"age":7}'
hamt set people Bob '"a string needs its quotes"'`, exactly(3), func(ctx context.Context, args []string) error {
		key, err := keys.key(args[1])
		if err != nil {
			return err
		}
		value, err := dagjson.ToCBOR(nil, []byte(args[2]))
		if err != nil {
			return usage(`VALUE is not DAG-JSON: %w; a string needs quotes of its own: '%q'`, err, args[2])
		}
		return e.txn(ctx, args[0], func(txn *builder.Txn) error { return txn.SetRaw(key, value) })
	})
	c.Long = `Set a key to a value in DAG-JSON and print the new root. What begins with a dash
has to stand behind two: hamt set people Alice -- -1
` + editLong
	keys.add(c.Flags())
	e.flags(c)
	return c
}
