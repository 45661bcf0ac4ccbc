package cli

import (
	"context"
	"fmt"
	"io"
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
	toProve
}

func (a *app) checkVerb() *cobra.Command {
	v := &check{app: a, maxBlocks: proof.DefaultMaxBlocks, maxBytes: proof.DefaultMaxBytes}
	c := verb(groupRead, "check FILE.car ROOT KEY…", "Check a proof, and print what it proves", `
hamt check alice.car $ROOT Alice
hamt check both.car $ROOT Alice Bob
hamt check --from $OLD --to $ROOT --changes changes.ndjson change.car`, counts{1, many}, nil)
	c.RunE = func(c *cobra.Command, args []string) error { return v.run(c, args) }
	c.Long = `Check a proof that hamt prove wrote, of the map with the root ROOT, a CID, and of these
keys, in any order. No store is asked, and no other machine. Prints the value, or
where there are several keys the entries that are there, as hamt entries does.

With --from and --to, checks that the changes in --changes, and no others, make the
one map of the other.

Exit status: 0 all keys are proven to be there, or the changes to be all; 1 a key is
proven not to be there; 3 the proof does not prove what it should.`
	flags := c.Flags()
	v.add(flags, "CID")
	flags.IntVar(&v.maxBlocks, "max-blocks", v.maxBlocks, "refuse a proof with more blocks")
	flags.Var(&v.maxBytes, "max-bytes", "refuse a proof above this `SIZE`")
	return v.layout.reading(c)
}

func (v *check) run(c *cobra.Command, args []string) error {
	ctx := c.Context()
	checker, err := v.checker()
	if err != nil {
		return err
	}
	if v.isChange() {
		if err := v.checkChange(c, args, 1); err != nil {
			return err
		}
		if args[0] == "-" && v.changes == "-" {
			return usage("standard input cannot be read twice")
		}
		return v.app.readChanges(ctx, v.changes, func(changes []proof.Change) error {
			return v.checkChanges(ctx, checker, args[0], changes)
		})
	}
	if len(args) < 3 {
		return usage("usage: %s", c.UseLine())
	}
	root, err := cidArgument(args[1])
	if err != nil {
		return err
	}
	keys, err := v.keysOf(args[2:])
	if err != nil {
		return err
	}
	return v.reading(ctx, args[0], func(r io.Reader) error {
		results, err := checker.Check(r, root, keys...)
		if err != nil {
			return err
		}
		return v.print(results)
	})
}

func (v *check) checker() (proof.Checker, error) {
	if v.maxBlocks < 1 || v.maxBytes < 1 {
		return proof.Checker{}, usage("--max-blocks and --max-bytes have to be 1 or more")
	}
	given, err := v.layout.params()
	return proof.Checker{Params: given, MaxBlocks: v.maxBlocks, MaxBytes: int64(v.maxBytes)}, err
}

// reading opens the file of a proof.
func (v *check) reading(ctx context.Context, file string, use func(io.Reader) error) error {
	files, err := fileArguments([]string{file})
	if err != nil {
		return err
	}
	return v.app.reading(ctx, files, func(readers []io.Reader, _ *progress) error { return use(readers[0]) })
}

func (v *check) checkChanges(ctx context.Context, checker proof.Checker, file string, changes []proof.Change) error {
	var roots [2]cid.Cid
	for i, text := range []string{v.from, v.to} {
		var err error
		if roots[i], err = cidArgument(text); err != nil {
			return err
		}
	}
	return v.reading(ctx, file, func(r io.Reader) error {
		return checker.CheckChange(r, roots[0], roots[1], changes)
	})
}

// print prints what is proven.
func (v *check) print(results []proof.Result) error {
	var absentKeys [][]byte
	for _, r := range results {
		if !r.Present() {
			absentKeys = append(absentKeys, r.Key)
			continue
		}
		var line []byte
		if len(results) > 1 {
			line = append(dagjson.AppendKey(append(line, `{"key":`...), r.Key), `,"value":`...)
		}
		line, err := dagjson.FromCBOR(line, r.Value)
		if err != nil {
			return fmt.Errorf("key %s: %w", v.keys.show(r.Key), err)
		}
		if len(results) > 1 {
			line = append(line, '}')
		}
		if _, err := v.app.out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if len(absentKeys) > 0 {
		return absent("proven not to be there: %s", strings.Join(v.shown(absentKeys), ", "))
	}
	return nil
}
