package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/spill"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

type build struct {
	app            *app
	format, column string
	delimiter      delimiter
	name           string
	refuse         bool
	allowEmpty     bool
	layout         layoutFlags
	blocks         blockFlags
	bulk           bulkFlags
}

func (a *app) buildVerb() *cobra.Command {
	b := &build{app: a}
	c := verb(groupWrite, "build [FILE|-]", "Build a map and print its root", `
printf '%s\n' '{"key":"Alice","value":1}' '{"key":"Bob","value":[2,3]}' | hamt build --name people
hamt build --format csv --key name people.csv
hamt build --bit-width 5 --hash murmur3-x64-64 data.json`, counts{0, 1}, b.run)
	c.Long = `Build a map of the entries in FILE, or of standard input, and print its root.
Input of any size will do: what does not fit into --memory is sorted on disk.

ndjson  lines {"key":K,"value":V} of DAG-JSON, K a string or bytes
json    one DAG-JSON map
csv     a header; the column --key is the key, the others make a map of strings;
        columns are separated by commas unless --delimiter says something else

The format is told from the extension (.ndjson, .jsonl, .json, .csv) unless
--format says it; standard input is ndjson. Of a key that comes again the last
value counts. Where there is nothing in the input, what should have written it has
failed: that is an error, but with --allow-empty. A JSON map {} and a CSV with a
header alone are empty maps.

With a .car file as the store, one that is there is replaced when the new one is
whole. A file that is no CAR is not, but with --force.`
	flags := c.Flags()
	flags.StringVar(&b.format, "format", "", "`FORMAT` of the input: ndjson, json or csv")
	flags.StringVar(&b.column, "key", "", "the `COLUMN` of a CSV that is the key (default: the first)")
	flags.Var(&b.delimiter, "delimiter", "the `CHARACTER` between the columns of a CSV, such as ';', or tab (default: a comma)")
	flags.BoolVar(&b.allowEmpty, "allow-empty", false, "make an empty map of input in which there is nothing")
	flags.BoolVar(&b.refuse, "refuse-repeated", false, "refuse input in which a key comes again")
	nameFlag(flags, &b.name)
	a.store.pinFlag(flags)
	a.store.forceFlag(flags)
	b.layout.add(flags, false)
	b.blocks.add(flags)
	b.bulk.add(flags)
	return c
}

func (b *build) run(ctx context.Context, args []string) error {
	to, err := b.app.store.chosenForWriting(open.Build, b.name)
	if err != nil {
		return err
	}
	file := "-"
	if len(args) > 0 {
		file = args[0]
	}
	if err := checkFile(file); err != nil {
		return err
	}
	if err := to.checkInput(file, b.app.in); err != nil {
		return err
	}
	format, err := input.FormatOf(b.format, file)
	if err != nil {
		return usage("%w", err)
	}
	if b.column != "" && format != input.CSV {
		return usage("--key names a column of a CSV, and the input is %s", format)
	}
	if b.delimiter != 0 && format != input.CSV {
		return usage("--delimiter is for a CSV, and the input is %s", format)
	}
	source := sourceOf(file, nil, format, b.column)
	source.Delimiter = rune(b.delimiter)
	err = b.app.reading(ctx, args, func(file string, r io.Reader, p *progress) error {
		source.Reader = r
		return b.build(ctx, to, source, p)
	})
	if errors.Is(err, fault.ErrRepeatedKey) {
		return b.findRepeated(ctx, args, source, err)
	}
	return err
}

// findRepeated says in which line a key comes again, by reading a file once
// more: which line a key came from is not worth remembering for all keys.
func (b *build) findRepeated(ctx context.Context, args []string, source input.Source, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	refused := usage("%s: %w %q", source.Name, fault.ErrRepeatedKey, f.Key)
	if len(args) == 0 || args[0] == "-" {
		return refused
	}
	return b.app.reading(ctx, args, func(_ string, r io.Reader, _ *progress) error {
		source.Reader = r
		seen := false
		for entry, err := range source.Entries() {
			if err != nil {
				return err
			}
			if !bytes.Equal(entry.Key, f.Key) {
				continue
			}
			if seen {
				return source.At(entry.Line, fmt.Errorf("%w %q", fault.ErrRepeatedKey, f.Key))
			}
			seen = true
		}
		return refused // the file is another by now
	})
}

func (b *build) build(ctx context.Context, to location, source input.Source, p *progress) (err error) {
	late := &lateStore{open: func() (stores.Writable, error) { return to.writing(ctx, open.Build) }}
	defer closing(late, &err)
	bulk, err := b.begin(ctx, late, p)
	if err != nil {
		return err
	}
	defer closing(bulk, &err)
	for entry, err := range source.Entries() {
		if errors.Is(err, input.ErrEmpty) && b.allowEmpty {
			break
		}
		if err != nil {
			return err
		}
		if err := bulk.SetRaw(entry.Key, entry.Value); err != nil {
			return inLine(source, entry.Line, err)
		}
	}
	p.next("building blocks")
	m, _, err := bulk.Finish(ctx)
	if err != nil {
		return err
	}
	s, err := late.get()
	if err != nil {
		return err
	}
	return b.app.publish(ctx, s, m, rootRef{}, b.name)
}

// begin makes the builder. What it refuses are the flags.
func (b *build) begin(ctx context.Context, late *lateStore, p *progress) (*builder.Bulk, error) {
	prototype, err := b.prototype(ctx)
	if err != nil {
		return nil, err
	}
	prototype.LinkSystem = late.linkSystem()
	options, err := b.bulk.options(b.app, p)
	if err != nil {
		return nil, err
	}
	if b.refuse {
		options.Repeated = builder.Refuse
	}
	bulk, err := prototype.NewBulk(options)
	if err != nil {
		return nil, usage("%w", plain{err})
	}
	return bulk, nil
}

// prototype returns what the flags say of the map, which has no LinkSystem yet.
func (b *build) prototype(ctx context.Context) (builder.Prototype, error) {
	parameters, err := b.layout.params()
	if err != nil {
		return builder.Prototype{}, err
	}
	links, err := b.blocks.linkPrototype()
	if err != nil {
		return builder.Prototype{}, err
	}
	return b.blocks.limits(builder.Prototype{Params: parameters, LinkPrototype: links, Context: ctx}), nil
}

// delimiter is a flag for the delimiter of a CSV.
type delimiter rune

func (d *delimiter) Type() string { return "character" }

func (d *delimiter) String() string {
	if *d == 0 {
		return ""
	}
	return string(rune(*d))
}

func (d *delimiter) Set(text string) error {
	char, err := input.Delimiter(text)
	*d = delimiter(char)
	return err
}

// options make a place for what goes to disk: one of our own, that is removed
// also where the process ends in the middle or, where it is killed, by the next.
func (f *bulkFlags) options(a *app, p *progress) (builder.BulkOptions, error) {
	dir, err := spill.New(f.spill)
	if err != nil {
		return builder.BulkOptions{}, usage("no place for --spill: %w", err)
	}
	a.onExit(func() { _ = dir.Remove() }) // nothing more can be done
	boundMemory(int64(f.memory))
	return builder.BulkOptions{
		MemoryBytes: int64(f.memory),
		SpillDir:    dir.Path,
		Progress: func(at builder.BulkProgress) {
			if at.Blocks > 0 {
				p.set(at.Blocks)
			}
		},
	}, nil
}

// besidesMemory is what a build takes besides --memory: the store's engine,
// blocks on their way to it, buffers.
const besidesMemory = 384 << 20

// boundMemory has the garbage collector work before it takes much more than
// --memory, where it would wait until it takes twice as much. Who set GOMEMLIMIT
// has said something else.
func boundMemory(memory int64) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(min(memory, math.MaxInt64-besidesMemory) + besidesMemory)
	}
}
