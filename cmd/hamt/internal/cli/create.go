package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"

	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

func (a *app) createVerb() *cobra.Command {
	// An empty map is built as any other is, of no entries.
	b := &build{app: a}
	c := verb(groupWrite, "create", "Make an empty map and print its root", `
hamt create --name people
hamt create --bit-width 5 --hash murmur3-x64-64`, exactly(0), b.create)
	c.Long = `Make a map without entries and print its root. What it is made with, set and apply
keep.

With a .car file as the store, one that is there is replaced. A file that is no CAR
is not, but with --force.`
	flags := c.Flags()
	nameFlag(flags, &b.name)
	a.store.pinFlag(flags)
	a.store.forceFlag(flags)
	b.layout.add(flags, false)
	b.blocks.add(flags)
	return c
}

func (b *build) create(ctx context.Context, _ []string) (err error) {
	to, err := b.app.store.chosenForWriting(open.Build, b.name)
	if err != nil {
		return err
	}
	prototype, err := b.prototype(ctx)
	if err != nil {
		return err
	}
	s, err := to.writing(ctx, open.Build)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	prototype.LinkSystem = s.LinkSystem()
	bulk, err := b.newBulk(prototype, builder.BulkOptions{})
	if err != nil {
		return err
	}
	defer closing(bulk, &err)
	m, _, err := bulk.Finish(ctx)
	if err != nil {
		return err
	}
	return b.app.publish(ctx, s, m, rootRef{}, b.name)
}
