package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/proof"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

type check struct {
	app       *app
	layout    layoutFlags
	maxBlocks int
	maxBytes  size
	claimFlags
}

func (a *app) checkVerb() *cobra.Command {
	v := &check{app: a, maxBlocks: proof.DefaultMaxBlocks, maxBytes: proof.DefaultMaxBytes}
	c := verb(groupRead, "check FILE.car ROOT KEY…", "Check a proof, and print what it proves", `
hamt check alice.car $ROOT Alice
hamt check both.car $ROOT Alice Bob
hamt check sample.car $ROOT --hash-prefix 3b
hamt check --from $OLD --to $ROOT --changes changes.ndjson change.car
hamt check --from $OLD --to $ROOT same.car Alice`, counts{1, many}, nil)
	c.RunE = v.run
	c.Long = `Check a proof that hamt prove wrote, of the map with the root ROOT, a CID, and of these
keys, in any order. No store is asked, and no other machine. Prints the value, or,
where there are several keys or a --hash-prefix, the entries, as hamt entries does.

With --from and --to, checks that the changes in --changes, and no others, make the
one map of the other, or that each KEY is the same in both. Prints nothing then.

Exit status: 0 proven, and each KEY is there; 1 proven that a KEY is not there; 3 not
proven.`
	flags := c.Flags()
	v.add(flags, "CID")
	flags.IntVar(&v.maxBlocks, "max-blocks", v.maxBlocks, "refuse a proof with more blocks")
	flags.Var(&v.maxBytes, "max-bytes", "refuse a proof above this `SIZE`")
	return v.layout.reading(c)
}

func (v *check) run(c *cobra.Command, args []string) error {
	checker, err := v.checker()
	if err != nil {
		return err
	}
	file := args[0]
	what, err := v.claim(c, args[1:])
	if err != nil {
		return err
	}
	roots := make([]cid.Cid, len(what.roots))
	for i, text := range what.roots {
		if roots[i], err = cidArgument(text); err != nil {
			return err
		}
	}
	var changes []proof.Change
	if len(roots) == 2 && len(what.keys) == 0 {
		if changes, err = v.readChanges(c, file); err != nil {
			return err
		}
	}
	files, err := fileArguments([]string{file})
	if err != nil {
		return err
	}
	return v.app.reading(c.Context(), files, func(readers []io.Reader, _ *progress) error {
		r := readers[0]
		switch {
		case changes != nil:
			return checker.CheckChange(r, roots[0], roots[1], changes)
		case len(roots) == 2:
			return checker.CheckSame(r, roots[0], roots[1], what.keys...)
		}
		var results []proof.Result
		var err error
		if what.bits >= 0 {
			results, err = checker.CheckPrefix(r, roots[0], what.prefix, what.bits)
		} else {
			results, err = checker.Check(r, roots[0], what.keys...)
		}
		if err != nil {
			return err
		}
		return v.print(results, what.bits >= 0 || len(what.keys) > 1)
	})
}

func (v *check) checker() (proof.Checker, error) {
	if v.maxBlocks < 1 || v.maxBytes < 1 {
		return proof.Checker{}, usage("--max-blocks and --max-bytes have to be 1 or more")
	}
	given, err := v.layout.params()
	return proof.Checker{Params: given, MaxBlocks: v.maxBlocks, MaxBytes: int64(v.maxBytes)}, err
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

// readChanges reads the changes that the proof in a file should be of.
func (v *check) readChanges(c *cobra.Command, file string) ([]proof.Change, error) {
	switch {
	case v.changes == "":
		return nil, usage("what has changed is missing: --changes FILE, or a KEY that has not")
	case file == "-" && v.changes == "-":
		return nil, usage("standard input cannot be read twice")
	}
	return v.app.readChanges(c.Context(), v.changes)
}

// print prints what is proven: entries, or the value of the only key.
func (v *check) print(results []proof.Result, entries bool) error {
	var missing []string
	for _, r := range results {
		if !r.Present() {
			missing = append(missing, v.show(r.Key))
			continue
		}
		var line []byte
		if entries {
			line = append(dagjson.AppendKey(append(line, `{"key":`...), r.Key), `,"value":`...)
		}
		line, err := dagjson.FromCBOR(line, r.Value)
		if err != nil {
			return fmt.Errorf("key %s: %w", v.show(r.Key), err)
		}
		if entries {
			line = append(line, '}')
		}
		if _, err := v.app.out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return absent("proven not to be there: %s", strings.Join(slices.Compact(missing), ", "))
	}
	return nil
}
