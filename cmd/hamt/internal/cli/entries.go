package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// printing makes a verb that prints one line for each entry.
func (a *app) printing(
	use, short, example string, line func(dst []byte, e adl.Entry) ([]byte, error),
) *cobra.Command {
	var layout layoutFlags
	return layout.reading(verb(groupRead, use, short, example, rootAnd(0), func(ctx context.Context, args []string) error {
		return a.wholeMap(ctx, args, &layout, func(m *adl.Node) error {
			return a.printEntries(ctx, m, line)
		})
	}))
}

func (a *app) printEntries(ctx context.Context, m *adl.Node, line func(dst []byte, e adl.Entry) ([]byte, error)) error {
	var buffer []byte
	for e, err := range m.Entries(ctx) {
		if err != nil {
			return err
		}
		if buffer, err = line(buffer[:0], e); err != nil {
			return fmt.Errorf("key %q: %w", e.Key(), err)
		}
		if _, err := a.out.Write(append(buffer, '\n')); err != nil {
			return fmt.Errorf("cannot print: %w", err)
		}
	}
	return nil
}

func (a *app) keysVerb() *cobra.Command {
	var json bool
	c := a.printing("keys [ROOT]", "Print all keys, one a line", `
hamt keys people`, func(dst []byte, e adl.Entry) ([]byte, error) {
		if json {
			return dagjson.AppendKey(dst, e.Key()), nil
		}
		return input.AppendKey(dst, e.Key()), nil
	})
	c.Long = `Print all keys, one a line, in the order of their hashes. Keys that are not
plain text, are blank, or begin with a quote or a brace come in DAG-JSON; with --json
all do. get, has and delete take them again with --keys-from.`
	c.Flags().BoolVar(&json, "json", false, "print keys in DAG-JSON")
	return c
}

func (a *app) valuesVerb() *cobra.Command {
	return a.printing("values [ROOT]", "Print all values in DAG-JSON, one a line", `
hamt values people`, func(dst []byte, e adl.Entry) ([]byte, error) {
		return dagjson.FromCBOR(dst, e.Raw())
	})
}

func (a *app) entriesVerb() *cobra.Command {
	return a.printing("entries [ROOT]", "Print all entries as lines that build takes", `
hamt entries people
hamt entries people | hamt build --bit-width 5 --name narrow`, func(dst []byte, e adl.Entry) ([]byte, error) {
		dst = dagjson.AppendKey(append(dst, `{"key":`...), e.Key())
		dst, err := dagjson.FromCBOR(append(dst, `,"value":`...), e.Raw())
		return append(dst, '}'), err
	})
}
