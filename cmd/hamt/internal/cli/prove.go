package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/proof"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// claimFlags say what is proven, for the verb that writes the proof and for the one that
// checks it.
type claimFlags struct {
	keyFlags
	hashPrefix string
	from, to   string // two versions of a map
	changes    string // FILE
	changed    func(name string) bool
}

func (f *claimFlags) add(flags *pflag.FlagSet, root string) {
	f.keyFlags.add(flags)
	flags.StringVar(&f.hashPrefix, "hash-prefix", "", "in place of KEY: all entries whose keys' hashes begin with `HEX`")
	flags.StringVar(&f.from, "from", "", "with --to, in place of ROOT: the `"+root+"` before some changes")
	flags.StringVar(&f.to, "to", "", "the `"+root+"` after them")
	flags.StringVar(&f.changes, "changes", "", "`FILE` of the changes, as hamt apply takes them; - for standard input")
	f.changed = flags.Changed
}

// claim is what is to be proven.
type claim struct {
	roots  []string // one, or two versions
	keys   [][]byte
	prefix []byte // of hashes
	bits   int    // of the prefix; -1 for none
}

// claim reads what is to be proven from the arguments behind the file.
func (f *claimFlags) claim(c *cobra.Command, args []string) (claim, error) {
	out := claim{bits: -1}
	twoRoots := f.from != "" || f.to != "" || f.changes != ""
	switch {
	case twoRoots && (f.from == "" || f.to == ""):
		return out, usage("of two versions of a map both are needed: --from and --to")
	case twoRoots && f.changed("hash-prefix"):
		return out, usage("--hash-prefix is about one map, and --from and --to are about two")
	case twoRoots:
		out.roots = []string{f.from, f.to}
	case len(args) == 0:
		return out, usage("usage: %s", c.UseLine())
	default:
		out.roots, args = args[:1], args[1:]
	}
	if f.changed("hash-prefix") {
		if len(args) > 0 {
			return out, usage("--hash-prefix takes the place of KEY: %s is too much", args[0])
		}
		return out, f.parsePrefix(&out)
	}
	if f.changes != "" && len(args) > 0 {
		return out, usage("--changes takes the place of KEY: %s is too much", args[0])
	}
	if !twoRoots && len(args) == 0 {
		return out, usage("usage: %s", c.UseLine())
	}
	for _, arg := range args {
		key, err := f.key(arg)
		if err != nil {
			return out, err
		}
		out.keys = append(out.keys, key)
	}
	return out, nil
}

// parsePrefix reads --hash-prefix, of which each digit is four bits.
func (f *claimFlags) parsePrefix(out *claim) (err error) {
	digits := f.hashPrefix
	out.bits = 4 * len(digits)
	if len(digits)%2 == 1 {
		digits += "0"
	}
	if out.prefix, err = hex.DecodeString(digits); err != nil {
		return usage("--hash-prefix %s is not in hexadecimal", f.hashPrefix)
	}
	return nil
}

// readChanges reads the file of changes. Of several to one key the last one counts, as
// it does for apply.
func (a *app) readChanges(ctx context.Context, file string) (changes []proof.Change, err error) {
	files, err := fileArguments([]string{file})
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	err = a.readingEntries(ctx, files, []input.Source{{Name: fileName(file)}}, func(sources []input.Source, _ *progress) error {
		for change, err := range input.Changes(sources) {
			if err != nil {
				return err
			}
			made := proof.Change{Key: bytes.Clone(change.Key)}
			if !change.Delete {
				made.Value = bytes.Clone(change.Value)
			}
			i, again := at[string(made.Key)]
			if !again {
				i = len(changes)
				at[string(made.Key)], changes = i, append(changes, made)
			}
			changes[i] = made
		}
		return nil
	})
	if err == nil && len(changes) == 0 {
		err = usage("there are no changes in %s", fileName(file))
	}
	return changes, err
}

type prove struct {
	app    *app
	file   string
	layout layoutFlags
	claimFlags
}

func (a *app) proveVerb() *cobra.Command {
	p := &prove{app: a}
	c := verb(groupRead, "prove ROOT KEY… [-o FILE.car]", "Write a proof of what keys' values are, or that they are not there", `
hamt prove people Alice -o alice.car
hamt prove people Alice Bob -o both.car
hamt prove people --hash-prefix 3b -o sample.car
hamt prove --from $OLD --to people -o change.car
hamt prove --from $OLD --to people Alice -o same.car`, counts{0, many}, nil)
	c.RunE = p.run
	c.Long = `Write a proof of what the values of keys are in the map at ROOT, or that they are not
there. Who has the root's CID, and neither the map nor a store, checks it with
hamt check. It is a CARv1 of the blocks on the paths of the keys, and goes to
standard output unless -o names a file.

With --hash-prefix, it proves which entries there are whose keys' hashes begin with
HEX, and that there are no others: a sample that nobody could choose. With an empty
one, that is the whole map.

With --from and --to, it proves what changes make the one map of the other, and that
there are no others: those in --changes, or what hamt diff finds. With a KEY it
proves that the key is the same in both.`
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
	what, err := p.claim(c, args)
	if err != nil {
		return err
	}
	var changes []proof.Change
	if p.changes != "" {
		if changes, err = p.app.readChanges(ctx, p.changes); err != nil {
			return err
		}
	}
	return p.app.readingRoot(ctx, what.roots[:1], 0, &p.layout, func(s stores.Store, root rootRef, _ []string) error {
		m, err := p.app.load(ctx, s.LinkSystem(), root.cid, &p.layout)
		if err != nil {
			return err
		}
		if len(what.roots) == 1 {
			return p.write(target, func(w io.Writer) error {
				if what.bits >= 0 {
					return proof.WritePrefix(ctx, w, m, what.prefix, what.bits)
				}
				return proof.Write(ctx, w, m, what.keys...)
			})
		}
		to, err := p.app.resolve(ctx, s, &p.layout, what.roots[1])
		if err != nil {
			return err
		}
		next, err := p.app.load(ctx, s.LinkSystem(), to.cid, &p.layout)
		if err != nil {
			return err
		}
		return p.write(target, func(w io.Writer) error {
			if len(what.keys) > 0 {
				return proof.WriteSame(ctx, w, m, next, what.keys...)
			}
			return writeChange(ctx, w, m, next, changes, root.cid, to.cid)
		})
	})
}

// writeChange writes the proof of the changes, or of all that there are, between two
// maps.
func writeChange(ctx context.Context, w io.Writer, m, next *adl.Node, changes []proof.Change, from, to cid.Cid) error {
	if changes == nil {
		for c, err := range diff.Changes(ctx, m, next) {
			if err != nil {
				return err
			}
			changes = append(changes, proof.Change{Key: c.Key, Value: c.After.Raw()})
		}
	}
	if len(changes) == 0 {
		return usage("there is nothing to prove: %s and %s have the same entries", from, to)
	}
	var car bytes.Buffer
	made, err := proof.WriteChange(ctx, &car, m, changes)
	if err != nil {
		return err
	}
	if !made.Equals(to) {
		return fmt.Errorf("the changes make %s of %s, not %s", made, from, to)
	}
	_, err = car.WriteTo(w)
	return err
}

// write writes the proof where it should go.
func (p *prove) write(target []carfile.WriteOption, write func(io.Writer) error) error {
	if p.file == "-" {
		return write(p.app.out)
	}
	return carfile.WriteFile(p.file, write, target...)
}
