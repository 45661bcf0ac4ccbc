package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

func (a *app) getVerb() *cobra.Command {
	var layout layoutFlags
	var keys keyFlags
	c := verb(groupRead, "get [ROOT] KEY", "Print the value of a key in DAG-JSON", `
hamt get people Alice
hamt --store people.car get Alice
hamt get --hex people 416c696365`, rootAnd(1), func(ctx context.Context, args []string) error {
		return a.readingMap(ctx, args, 1, &layout, func(m *adl.Node, args []string) error {
			key, err := keys.key(args[0])
			if err != nil {
				return err
			}
			raw, found, err := m.GetRaw(ctx, key)
			if err != nil {
				return err
			}
			if !found {
				return absent("key %s is not there", keys.show(key))
			}
			text, err := dagjson.FromCBOR(nil, raw)
			if err != nil {
				return fmt.Errorf("key %s: %w", keys.show(key), err)
			}
			_, err = a.out.Write(append(text, '\n'))
			return err
		})
	})
	keys.add(c.Flags())
	return layout.reading(c)
}

func (a *app) hasVerb() *cobra.Command {
	var layout layoutFlags
	var keys keyFlags
	c := verb(groupRead, "has [ROOT] KEY", "Print whether a key is there: true, or false with exit status 1", `
hamt has people Alice`, rootAnd(1), func(ctx context.Context, args []string) error {
		return a.readingMap(ctx, args, 1, &layout, func(m *adl.Node, args []string) error {
			key, err := keys.key(args[0])
			if err != nil {
				return err
			}
			found, err := m.Has(ctx, key)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(a.out, found); err != nil {
				return err
			}
			if !found {
				return &outcome{status: statusAbsent}
			}
			return nil
		})
	})
	keys.add(c.Flags())
	return layout.reading(c)
}
