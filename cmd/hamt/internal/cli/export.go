package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/car"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/store"
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
there is replaced when the new one is whole. Blocks that values link to are not
the map's own; --values takes them along, as is needed for those that
--inline-bytes made.`
	flags := c.Flags()
	flags.StringVarP(&e.file, "output", "o", "", "`FILE` to write, - for standard output")
	flags.BoolVar(&e.values, "values", false, "also the blocks that values link to")
	return e.layout.reading(c)
}

func (e *export) run(ctx context.Context, args []string) error {
	if e.file == "" {
		return usage("where to is missing: -o FILE.car, or -o - for standard output")
	}
	if e.file == "-" && isTerminal(e.app.terminal) {
		return usage("a CAR is nothing for a terminal: send it to a file or a pipe")
	}
	return e.app.readingRoot(ctx, args, 0, func(s store.Store, root rootRef, _ []string) error {
		m, err := load(ctx, s, root.cid, &e.layout)
		if err != nil {
			return err
		}
		write := func(w io.Writer) error { return e.write(ctx, w, s, m, root.cid) }
		if e.file == "-" {
			return write(e.app.out)
		}
		return car.WriteFile(e.file, write)
	})
}

func (e *export) write(ctx context.Context, w io.Writer, s store.Store, m *adl.Node, root cid.Cid) error {
	out, err := car.NewWriter(w, root)
	if err != nil {
		return err
	}
	p := e.app.progress("exporting blocks", -1, false)
	defer p.end()
	put := func(c cid.Cid) error {
		raw, err := s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: ctx}, linkOf(c))
		if err != nil {
			return err
		}
		p.add(1)
		return out.Put(ctx, c, raw)
	}
	for link, err := range m.Blocks(ctx) {
		if err != nil {
			return err
		}
		c, err := cidOf(link)
		if err != nil {
			return err
		}
		if err := put(c); err != nil {
			return err
		}
	}
	if e.values {
		if err := eachLinkedValue(ctx, m, put); err != nil {
			return err
		}
	}
	return out.Finish()
}

// eachLinkedValue visits the links in values.
func eachLinkedValue(ctx context.Context, m *adl.Node, visit func(cid.Cid) error) error {
	for entry, err := range m.Entries(ctx) {
		if err != nil {
			return err
		}
		links, err := dagjson.Links(entry.Raw())
		if err != nil {
			return fmt.Errorf("key %q: %w", entry.Key(), err)
		}
		for _, c := range links {
			if err := visit(c); err != nil {
				return fmt.Errorf("key %q: %w", entry.Key(), err)
			}
		}
	}
	return nil
}
