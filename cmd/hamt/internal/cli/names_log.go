package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func (a *app) namesLogVerb() *cobra.Command {
	var json bool
	c := verb("", "log NAME", "Print what a name has stood for", `
hamt names log people`, exactly(1), func(ctx context.Context, args []string) (err error) {
		p, err := a.store.chosen()
		if err != nil {
			return err
		}
		s, err := p.reading(ctx)
		if err != nil {
			return err
		}
		defer closing(s, &err)
		logged, ok := s.(stores.Logged)
		if !ok {
			return usage("a store of this kind does not remember what names stood for")
		}
		moves, err := logged.History(ctx, args[0])
		if err != nil {
			return err
		}
		if len(moves) == 0 {
			return absent("there was never a name %q", args[0])
		}
		for _, move := range slices.Backward(moves) {
			if _, err := a.out.Write(appendMove(nil, move, json)); err != nil {
				return err
			}
		}
		return nil
	})
	c.Long = `Print what a name has stood for, the last first: when, the root, and the verb that
moved the name, with tabs between. Where the name was removed a dash stands for the
root. hamt names reset brings one back, as long as hamt gc has not been told to
forget it. A store keeps the last 1,000 of each name.`
	c.Flags().BoolVar(&json, "json", false, `print lines {"time":TIME,"root":{"/":CID},"by":VERB}`)
	return c
}

// appendMove appends a line of a name's log.
func appendMove(dst []byte, move stores.Move, json bool) []byte {
	at := move.Time.UTC().Format(time.RFC3339)
	root := "-"
	if move.Root.Defined() {
		root = move.Root.String()
	}
	if !json {
		return fmt.Appendf(dst, "%s\t%s\t%s\n", at, root, move.By)
	}
	link := []byte("null")
	if move.Root.Defined() {
		link = fmt.Appendf(nil, `{"/":"%s"}`, root)
	}
	return fmt.Appendf(dst, "{\"time\":%q,\"root\":%s,\"by\":%s}\n", at, link, dagjson.AppendKey(nil, []byte(move.By)))
}

func (a *app) resetNameVerb() *cobra.Command {
	var to string
	var layout layoutFlags
	c := verb("", "reset NAME --to ROOT", "Let a name stand for another root, such as one it stood for", `
hamt names reset people --to bafyrei…`, exactly(1), func(ctx context.Context, args []string) error {
		if to == "" {
			return usage("the root is missing: --to ROOT")
		}
		return a.naming(ctx, args[0], func(s stores.Writable, named stores.Named) error {
			root, err := a.resolveThere(ctx, s, &layout, to)
			if err != nil {
				return err
			}
			return a.reset(ctx, named, args[0], root.cid)
		})
	})
	c.Long = `Let a name stand for a root that is in the store, and print the root. The name has
to be there, or to have been there: hamt names log says what it stood for.`
	c.Flags().StringVar(&to, "to", "", "the `ROOT`, or another name for it")
	a.store.pinFlag(c.Flags())
	return layout.reading(c)
}

// reset moves a name that is there, or was, to a root that is in the store.
func (a *app) reset(ctx context.Context, named stores.Named, name string, root cid.Cid) error {
	before, found, err := named.Lookup(ctx, name)
	if err != nil {
		return err
	}
	if logged, ok := named.(stores.Logged); ok && !found {
		moves, err := logged.History(ctx, name)
		if err != nil {
			return err
		}
		found = len(moves) > 0
	}
	if !found {
		return absent("there was never a name %q", name)
	}
	if err := named.MoveName(ctx, name, before, root); errors.Is(err, stores.ErrMoved) {
		return fmt.Errorf("%w meanwhile", err)
	} else if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, root)
	return err
}
