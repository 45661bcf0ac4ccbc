package cli

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/escape"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

type diffing struct {
	app       *app
	from, to  string // stores
	format    string
	stat      bool
	keysFile  string
	keys      keyFlags
	prefix    string
	limit     int
	after     string
	exitCode  bool
	recursive bool
	byLookup  bool
	layout    layoutFlags

	count [3]int64 // of changes, by kind
	last  diff.Change
	line  []byte
}

func (a *app) diffVerb() *cobra.Command {
	d := &diffing{app: a}
	c := verb(groupRead, "diff [A] [B]", "Print what has to change in map A for it to be map B", `
hamt diff $OLD people
hamt diff $OLD people --stat
hamt diff $OLD people --format apply | hamt apply $OLD
hamt diff $OLD --to people.car`, counts{0, 2}, d.run)
	c.Long = `Print the changes of the entries of map A that make it map B, in the order of the
hashes of their keys. A and B are as ROOT; what is left out is the root of the CAR in
--from or --to. Blocks that both maps have are not read, whatever the size of the maps.

text    + KEY VALUE    added, with tabs between
        - KEY VALUE    removed
        ~ KEY VALUE VALUE    changed: before, after
ndjson  {"kind":"added","key":K,"after":V,"token":T}, with "before" for what was
        removed, and with both for what was changed
apply   the lines that hamt apply takes. Applied to A they make B, with its root, if
        the maps have the same parameters

A value that DAG-JSON cannot say comes as its DAG-CBOR: in text behind dag-cbor:, else
as bytes in "dagCbor" ("beforeDagCbor", "afterDagCbor").

A diff goes on where another has ended with --after: TOKEN is what an ndjson line has,
and what is told where --limit, or a failure, ends the output.`
	flags := c.Flags()
	flags.StringVar(&d.from, "from", "", "`STORE` that has A (default: --store)")
	flags.StringVar(&d.to, "to", "", "`STORE` that has B (default: --store)")
	flags.StringVar(&d.format, "format", "text", "`FORMAT` of the output: text, ndjson or apply")
	choices(flags, "format", "text", "ndjson", "apply")
	flags.BoolVar(&d.stat, "stat", false, "print how many keys were added, removed and changed, and not which")
	flags.StringVar(&d.keysFile, "keys", "", "only the keys in this `FILE`, one a line; - for standard input")
	flags.BoolVar(&d.keys.hex, "hex", false, "the keys in --keys are in hexadecimal")
	flags.StringVar(&d.prefix, "prefix-of-hash", "", "only keys whose hash begins with these digits, in `HEX`")
	flags.IntVar(&d.limit, "limit", 0, "print `N` changes at most (0: all)")
	flags.StringVar(&d.after, "after", "", "go on after the change with this `TOKEN`")
	flags.BoolVar(&d.exitCode, "exit-code", false, "exit with status 1 if there are changes")
	flags.BoolVar(&d.recursive, "recursive", false, "go into maps that are values on both sides")
	flags.BoolVar(&d.byLookup, "by-lookup", false, "compare maps that are keyed by different hash functions, by looking up each key")
	return d.layout.reading(c)
}

func (d *diffing) run(ctx context.Context, args []string) error {
	if len(args) == 1 && (d.from == "") == (d.to == "") {
		return usage("two maps are needed, A and B, and %s is one", args[0])
	}
	switch d.format {
	case "text", "ndjson":
	case "apply":
		if d.stat || d.recursive {
			return usage("--format apply is for whole changes of one map: it goes with neither --stat nor --recursive")
		}
	default:
		return usage("there is no format %q: take text, ndjson or apply", d.format)
	}
	if d.byLookup && d.prefix != "" {
		return usage("--prefix-of-hash would mean two things with --by-lookup: give one of them")
	}
	if d.limit < 0 {
		return usage("--limit has to be 0 or more")
	}
	options, err := d.options(ctx)
	if err != nil {
		return err
	}
	return d.maps(ctx, args, func(a, b *adl.Node) error { return d.print(ctx, a, b, options) })
}

// options returns what the flags ask for.
func (d *diffing) options(ctx context.Context) (options []diff.Option, err error) {
	if d.recursive {
		options = append(options, diff.Recursive())
	}
	if d.byLookup {
		options = append(options, diff.ByLookup())
	}
	if d.after != "" {
		keys, err := parseToken(d.after)
		if err != nil {
			return nil, err
		}
		options = append(options, diff.After(keys...))
	}
	if d.prefix != "" {
		digits := d.prefix + strings.Repeat("0", len(d.prefix)%2)
		prefix, err := hex.DecodeString(digits)
		if err != nil {
			return nil, usage("--prefix-of-hash %q is not in hexadecimal", d.prefix)
		}
		options = append(options, diff.HashPrefix(prefix, 4*len(d.prefix)))
	}
	if d.keysFile != "" {
		keys, err := d.app.readKeys(ctx, d.keysFile, &d.keys)
		if err != nil {
			return nil, err
		}
		options = append(options, diff.Keys(keys...))
	}
	return options, nil
}

// readKeys reads a file of keys, one a line.
func (a *app) readKeys(ctx context.Context, file string, how *keyFlags) (keys [][]byte, err error) {
	err = a.reading(ctx, []string{file}, func(readers []io.Reader, _ *progress) error {
		for line, err := range (input.Source{Reader: readers[0], Name: fileName(file)}).Lines() {
			if err != nil {
				return err
			}
			key, err := how.key(string(line))
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		if len(keys) == 0 {
			return usage("there are no keys in %s", fileName(file))
		}
		return nil
	})
	return keys, err
}

// maps opens both maps.
func (d *diffing) maps(ctx context.Context, args []string, do func(a, b *adl.Node) error) error {
	locations := [2]location{}
	for i, text := range []string{d.from, d.to} {
		if text == "" {
			text = d.app.store.location
		}
		var err error
		if locations[i], err = d.app.store.at(text); err != nil {
			return err
		}
	}
	p := d.app.progress("blocks", -1, false)
	defer p.end()
	load := func(s stores.Store, root rootRef) (*adl.Node, error) {
		m, err := d.app.load(ctx, watched(s.LinkSystem(), p), root.cid, &d.layout)
		if errors.Is(err, fault.ErrNotHAMT) && d.layout.layout != params.Spec.String() { // only one of them is in the layout
			return hamt.Load(ctx, watched(s.LinkSystem(), p), linkOf(root.cid), d.app.readOptions()...)
		}
		return m, err
	}
	var argA, argB []string
	switch {
	case len(args) == 2:
		argA, argB = args[:1], args[1:]
	case d.from == "": // what is left out has a store of its own
		argA = args
	default:
		argB = args
	}
	return d.app.readingRootAt(ctx, locations[0], argA, 0, &d.layout, func(s stores.Store, root rootRef, _ []string) error {
		a, err := load(s, root)
		if err != nil {
			return err
		}
		second := func(s stores.Store, root rootRef, _ []string) error {
			b, err := load(s, root)
			if err != nil {
				return err
			}
			return do(a, b)
		}
		if len(argB) == 1 && locations[0].Same(locations[1].Location) {
			root, err := d.app.resolve(ctx, s, &d.layout, argB[0])
			if err != nil {
				return err
			}
			return second(s, root, nil)
		}
		return d.app.readingRootAt(ctx, locations[1], argB, 0, &d.layout, second)
	})
}

// print prints the changes, and where they go on if they do not all come.
func (d *diffing) print(ctx context.Context, a, b *adl.Node, options []diff.Option) error {
	n, more := 0, false
	for c, err := range diff.Changes(ctx, a, b, options...) {
		if err == nil && d.limit > 0 && n == d.limit {
			more = true
			break
		}
		if err == nil {
			err = d.change(c)
		}
		if err != nil {
			if n > 0 && !d.stat {
				d.app.say("what was printed ends at --after " + token(d.last))
			}
			return err
		}
		n, d.last = n+1, c
	}
	if d.stat {
		if err := d.printStat(); err != nil {
			return err
		}
	}
	if more {
		d.app.say("there are more changes: go on with --after " + token(d.last))
	}
	if d.exitCode && n > 0 {
		return &outcome{status: statusAbsent}
	}
	return nil
}

// change prints a change, or counts it.
func (d *diffing) change(c diff.Change) (err error) {
	d.count[c.Kind]++
	if d.stat {
		return nil
	}
	switch d.format {
	case "text":
		d.line = appendText(d.line[:0], c)
	case "ndjson":
		d.line = appendNDJSON(d.line[:0], c)
	case "apply":
		d.line = appendApply(d.line[:0], c)
	}
	if _, err := d.app.out.Write(append(d.line, '\n')); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

func (d *diffing) printStat() error {
	added, removed, changed := d.count[diff.Added], d.count[diff.Removed], d.count[diff.Changed]
	format := "%d added, %d removed, %d changed\n"
	if d.format == "ndjson" {
		format = `{"added":%d,"removed":%d,"changed":%d}` + "\n"
	}
	_, err := fmt.Fprintf(d.app.out, format, added, removed, changed)
	return err
}

// appendText appends a line for people.
func appendText(dst []byte, c diff.Change) []byte {
	dst = append(dst, [...]string{diff.Added: "+ ", diff.Removed: "- ", diff.Changed: "~ "}[c.Kind]...)
	for _, outer := range c.Path {
		dst = append(appendTextKey(dst, outer), '/')
	}
	dst = appendTextKey(dst, c.Key)
	for _, value := range []diff.Value{c.Before, c.After} {
		if !value.Exists() {
			continue
		}
		dst = append(dst, '\t')
		text, err := dagjson.FromCBOR(dst, value.Raw())
		if err != nil { // it has no such form
			text = fmt.Appendf(dst, "dag-cbor:%x", value.Raw())
		}
		dst = text
	}
	return dst
}

// appendTextKey appends a key as hamt keys prints it.
func appendTextKey(dst, key []byte) []byte {
	if escape.IsPlain(key) {
		return append(dst, key...)
	}
	return dagjson.AppendKey(dst, key)
}

// appendNDJSON appends a line for programs.
func appendNDJSON(dst []byte, c diff.Change) []byte {
	dst = fmt.Appendf(dst, `{"kind":"%s"`, c.Kind)
	for i, outer := range c.Path {
		if i == 0 {
			dst = append(dst, `,"path":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = dagjson.AppendKey(dst, outer)
		if i == len(c.Path)-1 {
			dst = append(dst, ']')
		}
	}
	dst = dagjson.AppendKey(append(dst, `,"key":`...), c.Key)
	dst = appendValue(dst, "before", "beforeDagCbor", c.Before)
	dst = appendValue(dst, "after", "afterDagCbor", c.After)
	return fmt.Appendf(dst, `,"token":"%s"}`, token(c))
}

// appendApply appends the line that hamt apply takes for a change.
func appendApply(dst []byte, c diff.Change) []byte {
	if c.Kind == diff.Removed {
		dst = append(dst, `{"op":"delete","key":`...)
	} else {
		dst = append(dst, `{"op":"set","key":`...)
	}
	dst = dagjson.AppendKey(dst, c.Key)
	return append(appendValue(dst, "value", "dagCbor", c.After), '}')
}

// appendValue appends a field with a value if there is one: as it is in DAG-JSON, or, if
// it has no such form, as the bytes of its DAG-CBOR in another field.
func appendValue(dst []byte, field, cborField string, v diff.Value) []byte {
	if !v.Exists() {
		return dst
	}
	text, err := dagjson.FromCBOR(fmt.Appendf(dst, `,"%s":`, field), v.Raw())
	if err != nil {
		return dagjson.AppendOpaque(fmt.Appendf(dst, `,"%s":`, cborField), v.Raw())
	}
	return text
}

// token returns what --after takes to go on after a change.
func token(c diff.Change) string {
	var b strings.Builder
	for _, outer := range c.Path {
		b.WriteString("k" + base64.RawURLEncoding.EncodeToString(outer) + ".")
	}
	b.WriteString("k" + base64.RawURLEncoding.EncodeToString(c.Key))
	return b.String()
}

// parseToken returns the keys in a token.
func parseToken(text string) (keys [][]byte, err error) {
	for part := range strings.SplitSeq(text, ".") {
		encoded, ok := strings.CutPrefix(part, "k")
		key, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil {
			return nil, usage("--after %q is not what hamt diff has printed", text)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
