package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"

	"github.com/ipfs/boxo/verifcid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/spill"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

type build struct {
	app        *app
	input      inputFlags
	name       string
	refuse     bool
	allowEmpty bool
	layout     layoutFlags
	blocks     blockFlags
	bulk       bulkFlags
}

func (a *app) buildVerb() *cobra.Command {
	b := &build{app: a}
	c := verb(groupWrite, "build [FILE…|-]", "Build a map and print its root", `
printf '%s\n' '{"key":"Alice","value":1}' '{"key":"Bob","value":[2,3]}' | hamt build --name people
hamt build --key name people.csv
hamt build --bit-width 5 --hash murmur3-x64-64 data.json`, counts{0, many}, b.run)
	c.Long = `Build a map of the entries in all FILEs, or of standard input, and print its root.
Input of any size will do: what does not fit into --memory is sorted on disk.

` + inputHelp + `

Of a key that comes again the last value counts. Where there is nothing in a file,
what should have written it has failed: that is an error, but with --allow-empty. A
JSON map {} and a csv with a header alone are empty maps.

With a .car file as the store, one that is there is replaced when the new one is
whole. A file that is no CAR is not, but with --force.`
	flags := c.Flags()
	b.input.add(flags)
	flags.BoolVar(&b.allowEmpty, "allow-empty", false, "make an empty map of input in which there is nothing")
	flags.BoolVar(&b.refuse, "refuse-repeated", false, "refuse input in which a key comes again")
	nameFlag(flags, &b.name)
	a.store.pinFlag(flags)
	a.store.forceFlag(flags)
	b.layout.add(flags, false)
	b.blocks.add(flags)
	b.blocks.addFiles(flags)
	b.bulk.add(flags)
	return c
}

func (b *build) run(ctx context.Context, args []string) error {
	to, err := b.app.store.chosenForWriting(open.Build, b.name)
	if err != nil {
		return err
	}
	files, err := fileArguments(args)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := to.checkInput(file, b.app.in); err != nil {
			return err
		}
	}
	sources, err := b.input.sources(files)
	if err != nil {
		return err
	}
	err = b.app.readingEntries(ctx, files, sources, func(sources []input.Source, p *progress) error {
		return b.build(ctx, to, sources, p)
	})
	switch {
	case errors.Is(err, fault.ErrRepeatedKey):
		return b.findRepeated(ctx, files, sources, err)
	case errors.Is(err, input.ErrEmpty):
		return usage("%w; --allow-empty, or hamt create, makes an empty map", err)
	}
	return err
}

// findRepeated says where a key comes again, by reading the files once more: where
// a key came from is not worth remembering for all keys.
func (b *build) findRepeated(ctx context.Context, files []string, sources []input.Source, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	refused := usage("%s: %w %q", sources[0].Name, fault.ErrRepeatedKey, f.Key)
	if len(sources) > 1 {
		refused = usage("%w %q", fault.ErrRepeatedKey, f.Key)
	}
	if slices.Contains(files, "-") {
		return refused
	}
	return b.app.readingEntries(ctx, files, sources, func(sources []input.Source, _ *progress) error {
		var first *input.Position
		for entry, err := range input.Entries(sources) {
			switch {
			case errors.Is(err, input.ErrEmpty) && b.allowEmpty:
			case err != nil:
				return err
			case !bytes.Equal(entry.Key, f.Key):
			case first == nil:
				at := entry.Position
				first = &at
			default:
				return &input.Error{At: entry.Position, Err: fmt.Errorf("%w %q, which stands at %s", fault.ErrRepeatedKey, f.Key, first)}
			}
		}
		return refused // the files are others by now
	})
}

func (b *build) build(ctx context.Context, to location, sources []input.Source, p *progress) (err error) {
	late := &lateStore{open: func() (stores.Writable, error) { return to.writing(ctx, open.Build) }}
	defer closing(late, &err)
	bulk, err := b.begin(ctx, late, p)
	if err != nil {
		return err
	}
	defer closing(bulk, &err)
	files := b.blocks.fileValues(*late.linkSystem())
	for entry, err := range input.Entries(sources) {
		if errors.Is(err, input.ErrEmpty) && b.allowEmpty {
			continue
		}
		if err != nil {
			return err
		}
		if err := files.set(ctx, entry, bulk.SetRaw); err != nil {
			return err
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
	return b.newBulk(prototype, options)
}

// newBulk makes the builder of a prototype. What it refuses are the flags.
func (b *build) newBulk(prototype builder.Prototype, options builder.BulkOptions) (*builder.Bulk, error) {
	bulk, err := prototype.NewBulk(options)
	if err != nil {
		return nil, usage("%w", plain{err})
	}
	hash := prototype.LinkPrototype.(cidlink.LinkPrototype).MhType
	if !verifcid.DefaultAllowlist.IsAllowed(hash) {
		b.app.warn("Kubo and other IPFS nodes refuse blocks that are named by %s; sha2-256 and blake3 are two that they take", multicodec.Code(hash))
	}
	return bulk, nil
}

// prototype returns what the flags say of the map, which has no LinkSystem yet.
func (b *build) prototype(ctx context.Context) (builder.Prototype, error) {
	if err := b.blocks.check(); err != nil {
		return builder.Prototype{}, err
	}
	parameters, err := b.layout.params()
	if err != nil {
		return builder.Prototype{}, err
	}
	links, err := b.blocks.linkPrototype(parameters)
	if err != nil {
		return builder.Prototype{}, err
	}
	p := builder.Prototype{Params: parameters, LinkPrototype: links, Context: ctx}.ReadWith(b.app.readOptions()...)
	return b.blocks.limits(p), nil
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
