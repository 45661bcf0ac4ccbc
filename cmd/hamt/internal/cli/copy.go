package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
	"github.com/ipld-hamt/go-ipld-hamt/stores/transfer"
)

type copying struct {
	app    *app
	from   string
	to     string
	name   string
	values bool
	layout layoutFlags
}

func (a *app) copyVerb() *cobra.Command {
	c := &copying{app: a}
	command := verb(groupStore, "copy [ROOT] --to STORE", "Copy a map from one store to another and print its root", `
hamt copy people --to kubo: --pin --name people
hamt copy bafyrei… --from gateway:https://example.org --to .hamt --name people
hamt copy --from people.car --to copy.car`, rootAnd(0), c.run)
	command.Long = `Copy a map's blocks that the other store lacks, and no others, and print the root
when all are there. A copy that was interrupted goes on with what is missing.

STORE is what --store takes, which is also where --from is when it is not given.
A gateway, a Kubo node's directory and a .car file that is there can only be read
from; a .car file that is copied to is made anew, also after an interruption. A file
that is no CAR is not replaced, but with --force.

A new store gets a map from a gateway in few requests, if the gateway gives CARs.
--cache asks for each block instead, as does a store that has some of them.

Blocks that values link to are not the map's own; --values takes them along, with
all that they link to themselves.`
	flags := command.Flags()
	flags.StringVar(&c.from, "from", "", "`STORE` to copy from")
	flags.StringVar(&c.to, "to", "", "`STORE` to copy to")
	flags.BoolVar(&c.values, "values", false, "also the blocks that values link to")
	nameFlag(flags, &c.name)
	a.store.pinFlag(flags)
	a.store.forceFlag(flags)
	return c.layout.reading(command)
}

// warnOpaque warns of linked blocks in codecs that are not known here.
func (a *app) warnOpaque(n int) {
	if n > 0 {
		a.warn("%d linked blocks are in codecs that are not known here, so what they link to was not taken along", n)
	}
}

// warnLeft warns of links in values that were not followed.
func (a *app) warnLeft(n int) {
	if n > 0 {
		a.warn("values link to blocks that were left out (links: %d): --values takes them along", n)
	}
}

func (c *copying) run(ctx context.Context, args []string) error {
	if c.to == "" {
		return usage("where to is missing: --to STORE")
	}
	if c.from == "" {
		c.from = c.app.store.location
	}
	to, err := c.app.store.atForWriting(c.to, open.Build, c.name)
	if err != nil {
		return err
	}
	from, err := c.app.store.at(c.from)
	if err != nil {
		return err
	}
	if from.Same(to.Location) {
		return usage("--from and --to are the same store")
	}
	return c.app.readingRootAt(ctx, from, args, 0, &c.layout, func(from stores.Store, root rootRef, _ []string) error {
		return c.copy(ctx, from, to, root)
	})
}

func (c *copying) copy(ctx context.Context, from stores.Store, at location, root rootRef) (err error) {
	parameters, err := c.layout.params()
	if err != nil {
		return err
	}
	fresh := at.Fresh()
	to, err := at.writing(ctx, open.Build)
	if err != nil {
		return err
	}
	defer closing(to, &err)
	p := c.app.progress("copying blocks", -1, false)
	defer p.end()
	done, err := transfer.Copy(ctx, root.cid, from, to, transfer.Options{
		Params: parameters, Values: c.values, Fresh: fresh, WeakDigests: c.app.store.weakDigests, AtOnce: c.app.store.remote.AtOnce,
		Begun: func(m *adl.Node) {
			if !c.values { // of linked blocks nobody knows how many there are
				p.expect(ctx, m)
			}
		},
		Progress: func(at transfer.Progress) { p.set(max(at.Seen, at.Moved)) },
	})
	if err != nil {
		return err
	}
	if err := c.app.settle(ctx, to, root.cid, rootRef{}, c.name, parameters); err != nil {
		return err
	}
	p.end()
	c.app.warnOpaque(int(done.Opaque))
	c.app.warnLeft(int(done.Left))
	c.app.say(fmt.Sprintf("%d of %d blocks copied, %d bytes", done.Moved, done.Seen, done.Bytes))
	_, err = fmt.Fprintln(c.app.out, root.cid)
	return err
}
