package cli

import (
	"context"
	"io"
	"iter"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
	"github.com/ipld-hamt/go-ipld-hamt/stores/transfer"
)

type export struct {
	app    *app
	file   string
	values bool
	since  string
	layout layoutFlags
}

func (a *app) exportVerb() *cobra.Command {
	e := &export{app: a}
	c := verb(groupStore, "export [ROOT] -o FILE.car", "Write a map as a CAR", `
hamt export people -o people.car
hamt export people -o - | ipfs dag import
hamt export people --since $OLD -o delta.car`, rootAnd(0), e.run)
	c.Long = `Write a map as a CARv1: its root, and all its blocks depth first. A file that is
there is replaced when the new one is whole; one that is no CAR is not, but with
--force. Blocks that values link to are not
the map's own; --values takes them along, with all that they link to, behind the
map's own blocks and in no order. That is needed for those that --inline-bytes
made.

With --since, only the blocks go into the CAR that another map has not, and with --values
those that new values link to: what has to be sent to somebody who has that map. hamt
import of it, into a store that has the other map, makes this one whole.

The order wants each block asked for by itself: from a gateway that gives CARs,
hamt copy --to FILE.car has the map in fewer requests, in another order.`
	flags := c.Flags()
	flags.StringVarP(&e.file, "output", "o", "", "`FILE` to write, - for standard output")
	flags.BoolVar(&e.values, "values", false, "also the blocks that values link to")
	flags.StringVar(&e.since, "since", "", "leave out the blocks that the map at this `ROOT` has")
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
		write := func(write func(ctx context.Context, out *carfile.Writer) error) error {
			return e.write(ctx, target, root.cid, write)
		}
		if e.since != "" {
			return e.exportSince(ctx, s, root.cid, write)
		}
		return e.app.whole(ctx, s, root.cid, &e.layout, func(m *adl.Node) error {
			return write(func(ctx context.Context, out *carfile.Writer) error { return e.all(ctx, out, s, m) })
		})
	})
}

// write writes the CAR where it should go.
func (e *export) write(ctx context.Context, target []carfile.WriteOption, root cid.Cid, write func(ctx context.Context, out *carfile.Writer) error) error {
	to := func(w io.Writer) error {
		out, err := carfile.NewWriter(w, root)
		if err != nil {
			return err
		}
		if err := write(ctx, out); err != nil {
			return err
		}
		return out.Finish()
	}
	if e.file == "-" {
		return to(e.app.out)
	}
	return carfile.WriteFile(e.file, to, target...)
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

// all writes all blocks of a map.
func (e *export) all(ctx context.Context, out *carfile.Writer, s stores.Store, m *adl.Node) error {
	if err := e.putAll(ctx, out, m, m.RawBlocks(ctx)); err != nil || !e.values {
		return err
	}
	opaque := 0
	err := transfer.EachLinked(ctx, m, checked(s), e.linked(ctx, out, &opaque))
	e.app.warnOpaque(opaque)
	return err
}

// exportSince writes what the map at --since has not.
func (e *export) exportSince(ctx context.Context, s stores.Store, root cid.Cid, write func(func(ctx context.Context, out *carfile.Writer) error) error) error {
	since, err := e.app.resolve(ctx, s, &e.layout, e.since)
	if err != nil {
		return err
	}
	p := e.app.progress("blocks", -1, false)
	defer p.end()
	lsys := watched(s.LinkSystem(), p)
	a, err := e.app.load(ctx, lsys, since.cid, &e.layout)
	if err != nil {
		return err
	}
	b, err := e.app.load(ctx, lsys, root, &e.layout)
	if err != nil {
		return err
	}
	return write(func(ctx context.Context, out *carfile.Writer) error {
		if err := e.putAll(ctx, out, b, diff.NewBlocks(ctx, a, b)); err != nil || !e.values {
			return err
		}
		opaque := 0
		values := func(ctx context.Context) iter.Seq2[transfer.Value, error] { return newValues(ctx, a, b) }
		err := transfer.EachLinkedFrom(ctx, values, e.app.store.remote.AtOnce, checked(s), e.linked(ctx, out, &opaque))
		e.app.warnOpaque(opaque)
		return err
	})
}

// newValues visits the values that are new in b.
func newValues(ctx context.Context, a, b *adl.Node) iter.Seq2[transfer.Value, error] {
	return func(yield func(transfer.Value, error) bool) {
		for c, err := range diff.Changes(ctx, a, b, diff.ByLookup()) {
			if err == nil && !c.After.Exists() {
				continue
			}
			if !yield(transfer.Value{Key: c.Key, Raw: c.After.Raw()}, err) {
				return
			}
		}
	}
}

// putAll writes blocks of a map, and warns where values in them link to others that
// will not be written.
func (e *export) putAll(ctx context.Context, out *carfile.Writer, m *adl.Node, blocks iter.Seq2[adl.Block, error]) error {
	left := 0
	for block, err := range blocks {
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
		if !e.values {
			_, inValues, _ := m.BlockLinks(block) // one that cannot be parsed is a part of a node's
			left += len(inValues)
		}
	}
	e.app.warnLeft(left)
	return nil
}

// checked gets blocks of a store.
func checked(s stores.Store) func(ctx context.Context, c cid.Cid) ([]byte, error) {
	return func(ctx context.Context, c cid.Cid) ([]byte, error) { return stores.GetChecked(ctx, s, c) }
}

// linked writes linked blocks, and counts those in codecs that are not known here.
func (e *export) linked(ctx context.Context, out *carfile.Writer, opaque *int) func(c cid.Cid, block []byte, unknown bool) error {
	return func(c cid.Cid, block []byte, unknown bool) error {
		if unknown {
			*opaque++
		}
		return out.Put(ctx, c, block)
	}
}
