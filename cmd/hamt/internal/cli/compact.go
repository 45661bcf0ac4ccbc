package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

func (a *app) compactVerb() *cobra.Command {
	c := verb(groupStore, "compact", "Merge the packs of the store into as few as there can be", `
hamt compact`, exactly(0), func(ctx context.Context, _ []string) error {
		p, err := a.ownStore(open.Edit)
		if err != nil {
			return err
		}
		return a.keepingStore(ctx, p, func(s *embedded.Store) error {
			before := s.Usage()
			if err := s.Compact(ctx); err != nil {
				return err
			}
			a.say(fmt.Sprintf("%s; before, %s", usageText(s.Usage()), usageText(before)))
			return nil
		})
	})
	c.Long = `Merge the packs of the embedded store into as few as there can be, of a GiB each,
in which each block is once, in the order in which a walk wants them: map by map,
those first that have a name. Small packs are merged without being asked for it, so
this is for a store that will only be read from now on, or before it is copied.

As much room is needed as the store takes. Whoever reads meanwhile is not
disturbed. No block is removed: that is what hamt gc does.`
	return c
}

// ownStore returns the location of the embedded store, the only kind whose files
// are for this command to look after.
func (a *app) ownStore(mode open.Mode) (location, error) {
	p, err := a.store.chosen()
	if err != nil {
		return p, err
	}
	if p.Kind != open.Embedded {
		return p, usage("this is for a store in a directory, and %s is another kind", p.Location)
	}
	return p, p.checkWriting(mode, "")
}

// keepingStore opens the embedded store for who changes how it keeps its blocks.
func (a *app) keepingStore(ctx context.Context, p location, do func(s *embedded.Store) error) (err error) {
	s, err := p.writing(ctx, open.Edit)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	return do(s.(*embedded.Store))
}

// usageText is how people are told what a store takes.
func usageText(u embedded.Usage) string {
	packs := "packs"
	if u.Packs == 1 {
		packs = "pack"
	}
	return fmt.Sprintf("%d %s, %d bytes", u.Packs, packs, u.Bytes)
}
