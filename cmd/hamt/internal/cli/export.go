package cli

import (
	"context"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
	"github.com/ipld-hamt/go-ipld-hamt/stores/transfer"
)

type export struct {
	app    *app
	file   string
	values bool
	layout layoutFlags
}

func (a *app) exportVerb() *cobra.Command {
	e := &export{app: a}
	c := verb(groupStore, "export [ROOT] -o FILE.car", "Write a map as a CAR", `
hamt export people -o people.car
hamt export people -o - | ipfs dag import`, rootAnd(0), e.run)
	c.Long = `Write a map as a CARv1: its root, and all its blocks depth first. A file that is
there is replaced when the new one is whole; one that is no CAR is not, but with
--force. Blocks that values link to are not
the map's own; --values takes them along, with all that they link to, behind the
map's own blocks and in no order. That is needed for those that --inline-bytes
made.

The order wants each block asked for by itself: from a gateway that gives CARs,
hamt copy --to FILE.car has the map in fewer requests, in another order.`
	flags := c.Flags()
	flags.StringVarP(&e.file, "output", "o", "", "`FILE` to write, - for standard output")
	flags.BoolVar(&e.values, "values", false, "also the blocks that values link to")
	a.store.forceFlag(flags)
	return e.layout.reading(c)
}

func (e *export) run(ctx context.Context, args []string) error {
	if e.file == "" {
		return usage("where to is missing: -o FILE.car, or -o - for standard output")
	}
	target, err := e.app.carTarget(e.file)
	if err != nil {
		return err
	}
	return e.app.readingRoot(ctx, args, 0, &e.layout, func(s stores.Store, root rootRef, _ []string) error {
		return e.app.whole(ctx, s, root.cid, &e.layout, func(m *adl.Node) error {
			write := func(w io.Writer) error { return e.write(ctx, w, s, m, root.cid) }
			if e.file == "-" {
				return write(e.app.out)
			}
			return carfile.WriteFile(e.file, write, target...)
		})
	})
}

// carTarget returns how a CAR is written to a file, or standard output for "-", once
// nothing is to be said against that.
func (a *app) carTarget(file string) ([]carfile.WriteOption, error) {
	if file == "-" {
		if isTerminal(a.terminal) {
			return nil, usage("a CAR is nothing for a terminal: send it to a file or a pipe")
		}
		return nil, nil
	}
	from, err := a.store.chosen()
	if err != nil {
		return nil, err
	}
	to := open.Location{Kind: open.CAR, Place: file}
	if from.Same(to) {
		return nil, usage("%s is the store that is read: it would be replaced", file)
	}
	if err := to.Check(open.Build, from.options); err != nil {
		return nil, err
	}
	if a.store.force {
		return []carfile.WriteOption{carfile.WithForce()}, nil
	}
	return nil, nil
}

func (e *export) write(ctx context.Context, w io.Writer, s stores.Store, m *adl.Node, root cid.Cid) error {
	out, err := carfile.NewWriter(w, root)
	if err != nil {
		return err
	}
	for block, err := range m.RawBlocks(ctx) {
		if err != nil {
			return err
		}
		c, err := stores.CIDOf(block.Link)
		if err != nil {
			return err
		}
		if err := out.Put(ctx, c, block.Bytes); err != nil {
			return err
		}
	}
	if e.values {
		opaque := 0
		get := func(ctx context.Context, c cid.Cid) ([]byte, error) { return stores.GetChecked(ctx, s, c) }
		err := transfer.EachLinked(ctx, m, get, func(c cid.Cid, block []byte, unknown bool) error {
			if unknown {
				opaque++
			}
			return out.Put(ctx, c, block)
		})
		if err != nil {
			return err
		}
		e.app.warnOpaque(opaque)
	}
	return out.Finish()
}
