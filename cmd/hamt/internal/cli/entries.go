package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// formatter writes entries in one of the formats.
type formatter interface {
	entry(dst []byte, e adl.Entry) ([]byte, error)
	end(dst []byte) []byte // what stands behind the last
}

// lines is the formatter of what is a line for each entry.
type lines struct {
	line func(dst []byte, e adl.Entry) ([]byte, error)
	last byte // of each
}

func (l lines) entry(dst []byte, e adl.Entry) ([]byte, error) {
	dst, err := l.line(dst, e)
	return append(dst, l.last), err
}

func (lines) end(dst []byte) []byte { return dst }

// print writes entries.
func (a *app) print(w *bufio.Writer, entries iter.Seq2[adl.Entry, error], f formatter) error {
	var buffer []byte
	for e, err := range entries {
		if err != nil {
			return err
		}
		if buffer, err = f.entry(buffer[:0], e); err != nil {
			return fmt.Errorf("key %q: %w", e.Key(), err)
		}
		if _, err := w.Write(buffer); err != nil {
			return fmt.Errorf("cannot print: %w", err)
		}
	}
	if _, err := w.Write(f.end(nil)); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

// lastByte is what ends a line.
func lastByte(zero bool) byte {
	if zero {
		return 0
	}
	return '\n'
}

func (a *app) keysVerb() *cobra.Command {
	l := &listing{app: a}
	var json, zero bool
	c := verb(groupRead, "keys [ROOT]", "Print all keys, one a line", `
hamt keys people
hamt keys people --limit 2
hamt keys people --after Alice
hamt keys people --sample 2`, rootAnd(0), func(ctx context.Context, args []string) error {
		line := func(dst []byte, e adl.Entry) ([]byte, error) {
			switch {
			case json:
				return dagjson.AppendKey(dst, e.Key()), nil
			case !zero:
				return input.AppendKey(dst, e.Key()), nil
			case bytes.IndexByte(e.Key(), 0) >= 0:
				return dst, errZero
			}
			return append(dst, e.Key()...), nil
		}
		return l.each(ctx, args, func(entries iter.Seq2[adl.Entry, error]) error {
			return a.print(a.out, entries, lines{line, lastByte(zero)})
		})
	})
	c.Long = `Print all keys, one a line. Keys that are not plain text, are blank, or begin with a
quote or a brace come in DAG-JSON; with --json all do. With -0 none does, and a zero
byte ends each. get, has and delete take them again with --keys-from.

` + listingHelp
	c.Flags().BoolVar(&json, "json", false, "print keys in DAG-JSON")
	c.Flags().BoolVarP(&zero, "null", "0", false, "print keys as they are, with a zero byte behind each and no newline")
	c.MarkFlagsMutuallyExclusive("json", "null")
	return l.taking(c)
}

func (a *app) valuesVerb() *cobra.Command {
	l := &listing{app: a}
	var zero bool
	c := verb(groupRead, "values [ROOT]", "Print all values in DAG-JSON, one a line", `
hamt values people
hamt values people --sample 1`, rootAnd(0), func(ctx context.Context, args []string) error {
		line := func(dst []byte, e adl.Entry) ([]byte, error) { return dagjson.FromCBOR(dst, e.Raw()) }
		return l.each(ctx, args, func(entries iter.Seq2[adl.Entry, error]) error {
			return a.print(a.out, entries, lines{line, lastByte(zero)})
		})
	})
	c.Long = "Print all values in DAG-JSON, one a line.\n\n" + listingHelp
	c.Flags().BoolVarP(&zero, "null", "0", false, "a zero byte behind each value and no newline")
	return l.taking(c)
}

// entries is the verb of that name.
type entries struct {
	listing
	format  string
	columns []string
	zero    bool
	file    string
}

func (a *app) entriesVerb() *cobra.Command {
	e := &entries{listing: listing{app: a}}
	c := verb(groupRead, "entries [ROOT]", "Print all entries as lines that build takes", `
hamt entries people
hamt entries people | hamt build --bit-width 5 --name narrow
hamt entries people --limit 2 --after Alice
hamt entries people --format csv -o people.csv
hamt entries people --prefix A --format json`, rootAnd(0), e.run)
	c.Long = `Print all entries.

ndjson  lines {"key":K,"value":V} of DAG-JSON, as build takes them
json    one DAG-JSON map, as build takes it; keys have to be text
csv     a header and a row an entry. Where the first value is a map, its fields are the
        columns beside the key, or those are that --columns names, and all values have to
        be maps; else there is one column for the value. Text stands as it is, null is
        empty, and anything else is DAG-JSON: what is a number and what is text, a csv
        does not tell
cbor    a sequence (RFC 8742) of entries as they stand in blocks: lists of two, the key,
        which is bytes, and the value, in DAG-CBOR

` + listingHelp
	flags := c.Flags()
	flags.StringVar(&e.format, "format", "ndjson", "`FORMAT` of the output: ndjson, json, csv or cbor")
	choices(flags, "format", "ndjson", "json", "csv", "cbor")
	flags.StringSliceVar(&e.columns, "columns", nil, "`FIELDS` of the values to print in a csv, and no others, separated by commas")
	flags.BoolVarP(&e.zero, "null", "0", false, "a zero byte behind each line of ndjson and no newline")
	flags.StringVarP(&e.file, "output", "o", "", "write to `FILE`, which is replaced when all is written")
	return e.taking(c)
}

func (e *entries) run(ctx context.Context, args []string) error {
	f, err := e.formatter()
	if err != nil {
		return err
	}
	write, err := e.app.output(e.file)
	if err != nil {
		return err
	}
	return e.each(ctx, args, func(entries iter.Seq2[adl.Entry, error]) error {
		return write(func(w *bufio.Writer) error { return e.app.print(w, entries, f) })
	})
}

func (e *entries) formatter() (formatter, error) {
	switch {
	case e.zero && e.format != "ndjson":
		return nil, usage("--null is for ndjson")
	case e.columns != nil && e.format != "csv":
		return nil, usage("--columns is for csv")
	}
	switch e.format {
	case "ndjson":
		return lines{appendEntry, lastByte(e.zero)}, nil
	case "json":
		return &jsonMap{}, nil
	case "csv":
		return newCSVTable(e.columns)
	case "cbor":
		if (e.file == "" || e.file == "-") && isTerminal(e.app.terminal) {
			return nil, usage("CBOR is nothing for a terminal: send it to a file or a pipe")
		}
		return cborSequence{}, nil
	}
	return nil, usage("there is no format %q: take ndjson, json, csv or cbor", e.format)
}
