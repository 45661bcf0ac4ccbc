package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/proof"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// toProve says what is proven, for the verb that writes the proof and for the one that
// checks it.
type toProve struct {
	keys     keyFlags
	from, to string // the versions of a map, where it is about two
	changes  string // FILE
}

func (f *toProve) add(flags *pflag.FlagSet, root string) {
	f.keys.add(flags)
	flags.StringVar(&f.from, "from", "", "with --to: the `"+root+"` before the changes")
	flags.StringVar(&f.to, "to", "", "the `"+root+"` after them")
	flags.StringVar(&f.changes, "changes", "", "`FILE` of the changes, as hamt apply takes them; - for standard input")
}

// about two versions of a map.
func (f *toProve) isChange() bool { return f.from != "" || f.to != "" || f.changes != "" }

// keysOf returns the keys in arguments.
func (f *toProve) keysOf(args []string) ([][]byte, error) {
	keys := make([][]byte, len(args))
	for i, arg := range args {
		var err error
		if keys[i], err = f.keys.key(arg); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// checkChange says what is missing to prove changes.
func (f *toProve) checkChange(c *cobra.Command, args []string, most int) error {
	switch {
	case f.from == "" || f.to == "":
		return usage("of two versions of a map both are needed: --from and --to")
	case f.changes == "":
		return usage("what has changed is missing: --changes FILE")
	case len(args) > most:
		return usage("--from and --to take the place of ROOT, and --changes of KEY: %s is too much (usage: %s)", args[most], c.UseLine())
	}
	return nil
}

// readChanges reads the file of changes. Of several to one key, the last one counts, as
// it does for apply.
func (a *app) readChanges(ctx context.Context, file string, use func([]proof.Change) error) error {
	files, err := fileArguments([]string{file})
	if err != nil {
		return err
	}
	return a.readingEntries(ctx, files, []input.Source{{Name: fileName(file)}}, func(sources []input.Source, _ *progress) error {
		var changes []proof.Change
		at := map[string]int{}
		for change, err := range input.Changes(sources) {
			if err != nil {
				return err
			}
			made := proof.Change{Key: bytes.Clone(change.Key)}
			if !change.Delete {
				made.Value = bytes.Clone(change.Value)
			}
			if i, ok := at[string(made.Key)]; ok {
				changes[i] = made
				continue
			}
			at[string(made.Key)] = len(changes)
			changes = append(changes, made)
		}
		if len(changes) == 0 {
			return usage("there are no changes in %s", fileName(file))
		}
		return use(changes)
	})
}

type prove struct {
	app    *app
	file   string
	layout layoutFlags
	toProve
}

func (a *app) proveVerb() *cobra.Command {
	p := &prove{app: a}
	c := verb(groupRead, "prove ROOT KEY… [-o FILE.car]", "Write a proof of what keys' values are, or that they are absent", `
hamt prove people Alice -o alice.car
hamt prove people Alice Bob -o both.car
hamt prove --from $OLD --to people --changes changes.ndjson -o change.car`, counts{0, many}, nil)
	c.RunE = func(c *cobra.Command, args []string) error { return p.run(c, args) }
	c.Long = `Write a proof of what the values of keys are in the map at ROOT, or that a key is not
there. Who has the root's CID, and neither the map nor a store, checks it with
hamt check. It is a CARv1 of the blocks on the paths of the keys, which come from
the store, and goes to standard output unless -o names a file.

With --from and --to it proves that the changes in --changes make the one map of the
other, and that there were no others.`
	flags := c.Flags()
	flags.StringVarP(&p.file, "output", "o", "-", "`FILE` to write, - for standard output")
	p.add(flags, "ROOT")
	a.store.forceFlag(flags)
	return p.layout.reading(c)
}

func (p *prove) run(c *cobra.Command, args []string) error {
	ctx := c.Context()
	target, err := p.app.carTarget(p.file)
	if err != nil {
		return err
	}
	if p.isChange() {
		if err := p.checkChange(c, args, 0); err != nil {
			return err
		}
		return p.app.readChanges(ctx, p.changes, func(changes []proof.Change) error {
			return p.proveChange(ctx, changes, target)
		})
	}
	if len(args) < 2 {
		return usage("usage: %s", c.UseLine())
	}
	keys, err := p.keysOf(args[1:])
	if err != nil {
		return err
	}
	return p.app.readingMap(ctx, args[:1], 0, &p.layout, func(m *adl.Node, _ []string) error {
		return p.write(target, func(w io.Writer) error { return proof.Write(ctx, w, m, keys...) })
	})
}

// proveChange writes the proof that changes make one map of another.
func (p *prove) proveChange(ctx context.Context, changes []proof.Change, target []carfile.WriteOption) error {
	return p.app.readingRoot(ctx, []string{p.from}, 0, &p.layout, func(s stores.Store, from rootRef, _ []string) error {
		to, err := p.app.resolve(ctx, s, &p.layout, p.to)
		if err != nil {
			return err
		}
		a, err := p.app.load(ctx, s.LinkSystem(), from.cid, &p.layout)
		if err != nil {
			return err
		}
		var car bytes.Buffer
		made, err := proof.WriteChange(ctx, &car, a, changes)
		if err != nil {
			return err
		}
		if !made.Equals(to.cid) {
			return fmt.Errorf("the changes make %s of %s, not %s", made, from.cid, to.cid)
		}
		return p.write(target, func(w io.Writer) error {
			_, err := car.WriteTo(w)
			return err
		})
	})
}

// write writes the proof where it should go.
func (p *prove) write(target []carfile.WriteOption, write func(io.Writer) error) error {
	if p.file == "-" {
		return write(p.app.out)
	}
	return carfile.WriteFile(p.file, write, target...)
}

// cidArgument reads a root that comes from the command line alone.
func cidArgument(text string) (cid.Cid, error) {
	c, path, ok, err := parseCID(text)
	switch {
	case err != nil:
		return c, err
	case !ok:
		return c, usage("%s is not a CID: what a name stands for only a store can tell, and a proof is checked without one", text)
	case path != "":
		return c, usage("%s: the root has to be a CID alone, without a path", text)
	}
	return c, nil
}

// keysShown writes keys as they were typed.
func (f *toProve) shown(keys [][]byte) []string {
	var texts []string
	for _, key := range keys {
		texts = append(texts, f.keys.show(key))
	}
	return slices.Compact(texts)
}
