package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

// naming opens the store for changes to names. name is one that a root will get.
func (a *app) naming(ctx context.Context, name string, do func(s stores.Writable, named stores.Named) error) (err error) {
	p, err := a.store.chosenForWriting(open.Edit, name)
	if err != nil {
		return err
	}
	s, err := p.writing(ctx, open.Edit)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	named, ok := s.(stores.Named)
	if !ok {
		return errNoNames
	}
	return do(s, named)
}

// resolveThere resolves a root whose block is in the store.
func (a *app) resolveThere(ctx context.Context, s stores.Store, layout *layoutFlags, text string) (rootRef, error) {
	root, err := a.resolve(ctx, s, layout, text)
	if err != nil {
		return root, err
	}
	has, err := s.Has(ctx, root.cid)
	if err == nil && !has {
		err = stores.NotFound{CID: root.cid}
	}
	if err != nil {
		err = fmt.Errorf("root %s: %w", root.cid, err)
	}
	return root, err
}

func (a *app) setNameVerb() *cobra.Command {
	var layout layoutFlags
	c := verb("", "set NAME ROOT", "Let a name stand for a root", `
hamt names set backup people`, exactly(2), func(ctx context.Context, args []string) error {
		return a.naming(ctx, args[0], func(s stores.Writable, named stores.Named) error {
			root, err := a.resolveThere(ctx, s, &layout, args[1])
			if err != nil {
				return err
			}
			p, err := layout.params()
			if err != nil {
				return err
			}
			if err := a.setName(ctx, named, args[0], root.cid, p); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, root.cid)
			return err
		})
	})
	c.Long = `Let a name stand for a root that is in the store, whatever it stood for, and print the
root. Later changes by another name of the root leave this one where it is.`
	a.store.pinFlag(c.Flags())
	return layout.reading(c)
}

func (a *app) renameVerb() *cobra.Command {
	c := verb("", "rename NAME NEW", "Call a name otherwise", `
hamt names rename people persons`, exactly(2), func(ctx context.Context, args []string) error {
		if err := stores.CheckName(args[1]); err != nil {
			return usage("%w", err)
		}
		return a.naming(ctx, "", func(_ stores.Writable, named stores.Named) error {
			found, err := named.RenameName(ctx, args[0], args[1])
			switch {
			case errors.Is(err, stores.ErrNameTaken):
				return usage("%w: hamt names rm makes it free", err)
			case err == nil && !found:
				return absent("there is no name %q%s", args[0], likeName(ctx, named, args[0]))
			}
			return err
		})
	})
	c.Long = `Let NEW stand for what NAME does, and forget NAME, in one step. A NEW that stands for
something is left alone, with exit status 2.`
	return c
}
