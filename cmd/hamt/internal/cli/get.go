package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

type get struct {
	app    *app
	keys   keysFlags
	layout layoutFlags
	follow bool
	path   bool
	raw    bool
	at     string
	file   string
}

func (a *app) getVerb() *cobra.Command {
	g := &get{app: a, keys: keysFlags{app: a}}
	c := verb(groupRead, "get [ROOT] KEY…", "Print the value of a key in DAG-JSON", `
hamt get people Alice
hamt get --raw people Alice
hamt get people Carol --at pets/0
hamt get people Alice Bob
hamt keys people | hamt get people --keys-from -
hamt --store people.car get Alice
hamt get --hex people 416c696365
ipfs dag get $(hamt --store kubo: get --path people Alice)`, counts{}, g.run)
	c.Long = `Print the value of a key in DAG-JSON. KEY is the whole key, slashes and all.

--at PATH prints what stands in the value: through fields of maps, elements of lists,
and links, behind which keys of maps come too. --follow prints what a link leads to:
a block, a map as one line, in no order of its keys, or what is in a file, as a string,
or as bytes where it is not UTF-8.

--raw prints what is in a string, in bytes or, with --follow, in a file of any length,
and nothing else: no quotes, and no newline behind it. A link is its CID. -o FILE writes to a file, which is replaced when
the value is there.

Of several keys, entries are printed, one a line, in the order of the keys; with more
than one KEY, ROOT has to be given. Those that are not there are named on stderr, and
make the exit status 1. ` + keysHelp
	flags := c.Flags()
	flags.BoolVar(&g.follow, "follow", false, "where the value is a link, print what it links to")
	flags.BoolVar(&g.path, "path", false, "print the path by which other IPFS software finds the value, and not the value")
	flags.BoolVar(&g.raw, "raw", false, "print a string or bytes as they are")
	flags.StringVar(&g.at, "at", "", "print what is at a `PATH` inside of the value")
	flags.StringVarP(&g.file, "output", "o", "", "write to `FILE`")
	return g.layout.reading(g.keys.taking(c, true))
}

func (g *get) run(ctx context.Context, args []string) error {
	several := g.keys.several(args)
	switch {
	case g.path && (g.follow || g.at != "" || g.raw):
		return usage("--path leads to the value itself: it does not go with --follow, --at or --raw")
	case g.path && several:
		return usage("--path is for one key")
	case g.raw && several:
		return usage("--raw is for one key")
	}
	if err := g.keys.check(); err != nil {
		return err
	}
	write, err := g.app.output(g.file)
	if err != nil {
		return err
	}
	return g.app.readingMap(ctx, args, g.keys.given(args), &g.layout, func(m *adl.Node, args []string) error {
		lsys := m.LinkSystem()
		x, err := g.app.explorer(&lsys, &g.layout)
		if err != nil {
			return err
		}
		l := lookup{x, g.at, g.follow}
		missing := 0
		err = write(func(w *bufio.Writer) (err error) {
			if several {
				missing, err = g.many(ctx, w, m, l, args)
				return err
			}
			return g.one(ctx, w, m, l, args[0])
		})
		if err == nil && missing > 0 {
			return &outcome{status: statusAbsent}
		}
		return err
	})
}

// one prints the value of one key.
func (g *get) one(ctx context.Context, w *bufio.Writer, m *adl.Node, l lookup, text string) error {
	key, err := g.keys.key(text)
	if err != nil {
		return err
	}
	if g.path {
		return g.printPath(ctx, w, m, key)
	}
	v, err := l.ask(ctx, m, key)
	if err != nil {
		return fmt.Errorf("key %s: %w", g.keys.show(key), err)
	}
	if v.absent != "" {
		return absent("key %s %s%s", g.keys.show(key), v.absent, g.meantAt(ctx, m, key))
	}
	if g.raw && v.file != nil {
		return v.file.writeTo(ctx, w)
	}
	if g.raw && v.m == nil {
		if content, ok := dagjson.Content(v.raw); ok {
			return g.printContent(w, content)
		}
		if link, ok := dagjson.Link(v.raw); ok {
			_, err := fmt.Fprintln(w, link)
			return err
		}
	}
	if err := v.print(ctx, w); err != nil {
		return fmt.Errorf("key %s: %w", g.keys.show(key), err)
	}
	return w.WriteByte('\n')
}

// printContent prints what is in a string or in bytes. A terminal's prompt is to begin
// on a line of its own.
func (g *get) printContent(w *bufio.Writer, content []byte) error {
	if _, err := w.Write(content); err != nil {
		return err
	}
	if w == g.app.out && isTerminal(g.app.terminal) && !strings.HasSuffix(string(content), "\n") {
		return w.WriteByte('\n')
	}
	return nil
}

// printPath prints where the value of a key stands in the map's blocks: the root's
// CID and the path from there, which any IPLD software resolves without an ADL.
func (g *get) printPath(ctx context.Context, w io.Writer, m *adl.Node, key []byte) error {
	location, err := m.Locate(ctx, key)
	if errors.As(err, new(datamodel.ErrNotExists)) {
		return absent("key %s is not there", g.keys.show(key))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s/%s\n", location.Blocks[0], location.Path)
	return err
}

// meantAt says so where the beginning of a key is a key, and its rest may be meant as a
// path inside of the value.
func (g *get) meantAt(ctx context.Context, m *adl.Node, key []byte) string {
	const most = 16 // lookups for a hint
	n := 0
	for begin, rest := range beginnings(string(key)) {
		if n++; rest == "" {
			continue
		}
		if has, err := m.HasString(ctx, begin); err != nil || n > most {
			break
		} else if has {
			return fmt.Sprintf(", but key %q is: --at %q prints what is inside of its value", begin, rest)
		}
	}
	return ""
}

// namedAbsent is how many keys that are not there are named on stderr.
const namedAbsent = 20

// many prints the entries of several keys, and returns how many are not there.
func (g *get) many(ctx context.Context, w *bufio.Writer, m *adl.Node, l lookup, args []string) (missing int, err error) {
	answers := inOrder[[]byte, answer]{
		atOnce: g.app.store.remote.AtOnce,
		answer: func(ctx context.Context, key []byte) (answer, error) {
			v, err := l.ask(ctx, m, key)
			if err != nil {
				err = fmt.Errorf("key %s: %w", g.keys.show(key), err)
			}
			return v, err
		},
		size: answer.size,
		idle: func() { _ = w.Flush() }, // the next write says it again
	}
	keys := func(ctx context.Context) iter.Seq2[[]byte, error] { return g.keys.each(ctx, args) }
	for v, err := range answers.all(ctx, keys) {
		if err != nil {
			return missing, err
		}
		if v.absent != "" {
			if missing++; missing <= namedAbsent {
				g.app.warn("key %s %s", g.keys.show(v.key), v.absent)
			}
			continue
		}
		if _, err := w.Write(append(dagjson.AppendKey([]byte(`{"key":`), v.key), `,"value":`...)); err != nil {
			return missing, err
		}
		if err := v.print(ctx, w); err != nil {
			return missing, fmt.Errorf("key %s: %w", g.keys.show(v.key), err)
		}
		if _, err := w.WriteString("}\n"); err != nil {
			return missing, err
		}
	}
	if missing > namedAbsent {
		g.app.warn("and %d more keys are not there", missing-namedAbsent)
	}
	return missing, nil
}
