package cli

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

type has struct {
	app    *app
	keys   keysFlags
	layout layoutFlags
}

func (a *app) hasVerb() *cobra.Command {
	h := &has{app: a, keys: keysFlags{app: a}}
	c := verb(groupRead, "has [ROOT] KEY…", "Print whether a key is there: true, or false with exit status 1", `
hamt has people Alice
hamt has people Alice Bob
hamt keys people | hamt has people --keys-from -`, counts{}, h.run)
	c.Long = `Print whether a key is there: true, or false. The exit status is 1 where one is not.

Of several keys, lines {"key":KEY,"has":true} are printed, in the order of the keys;
with more than one KEY, ROOT has to be given. ` + keysHelp
	return h.layout.reading(h.keys.taking(c, true))
}

func (h *has) run(ctx context.Context, args []string) error {
	if err := h.keys.check(); err != nil {
		return err
	}
	several := h.keys.several(args)
	missing := false
	err := h.app.readingMap(ctx, args, h.keys.given(args), &h.layout, func(m *adl.Node, args []string) error {
		type answer struct {
			key   []byte
			found bool
		}
		answers := inOrder[[]byte, answer]{
			atOnce: h.app.store.remote.AtOnce,
			answer: func(ctx context.Context, key []byte) (answer, error) {
				found, err := m.Has(ctx, key)
				return answer{key, found}, err
			},
			size: func(a answer) int64 { return int64(len(a.key)) },
			idle: func() { _ = h.app.out.Flush() }, // the next write says it again
		}
		keys := func(ctx context.Context) iter.Seq2[[]byte, error] { return h.keys.each(ctx, args) }
		for a, err := range answers.all(ctx, keys) {
			if err != nil {
				return err
			}
			missing = missing || !a.found
			line := fmt.Appendf(nil, "%v\n", a.found)
			if several {
				line = fmt.Appendf(dagjson.AppendKey([]byte(`{"key":`), a.key), `,"has":%v}`+"\n", a.found)
			}
			if _, err := h.app.out.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && missing {
		return &outcome{status: statusAbsent}
	}
	return err
}
