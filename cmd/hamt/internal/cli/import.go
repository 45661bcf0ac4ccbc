package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

func (a *app) importVerb() *cobra.Command {
	var name string
	var layout layoutFlags
	var given []string
	c := verb(groupStore, "import FILE.car", "Copy a CAR into the store and print its roots", `
hamt import people.car --name people`, exactly(1), func(ctx context.Context, args []string) error {
		to, err := a.store.chosenForWriting(open.Add, name)
		if err != nil {
			return err
		}
		roots, err := decodeRoots(given)
		if err != nil {
			return err
		}
		return a.reading(ctx, args, func(readers []io.Reader, _ *progress) error {
			return a.importCAR(ctx, args[0], readers[0], to, roots, name, &layout)
		})
	})
	c.Long = `Copy all blocks of a CAR, version 1 or 2, into the store, each checked against
its CID, and print the roots that the CAR names, one a line. A root that is not
a whole map is an error, and then none is printed. --root says which roots are
meant where the CAR names none, or others.`
	c.Flags().StringSliceVar(&given, "root", nil, "the `CID` of a root, in place of those that the CAR names")
	nameFlag(c.Flags(), &name)
	a.store.pinFlag(c.Flags())
	return layout.reading(c)
}

// decodeRoots returns the CIDs that --root has.
func decodeRoots(given []string) (roots []cid.Cid, err error) {
	for _, text := range given {
		root, path, ok, err := parseCID(text)
		if err != nil {
			return nil, err
		}
		if !ok || path != "" {
			return nil, usage("--root %s: it is not a CID", text)
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// importCAR copies a CAR. Without roots, those count that it names.
func (a *app) importCAR(ctx context.Context, file string, r io.Reader, to location, roots []cid.Cid, name string,
	layout *layoutFlags,
) (err error) {
	in, err := carfile.NewReader(r, file)
	if err != nil {
		return err
	}
	if a.store.weakDigests {
		in.AllowWeakDigests()
	}
	if len(roots) == 0 {
		roots = in.Roots()
	}
	if len(roots) == 0 {
		return fmt.Errorf("%s names no root: say with --root which is meant", file)
	}
	if name != "" && len(roots) != 1 {
		return usage("%s has %d roots, and --name can name only one", file, len(roots))
	}
	s, err := to.writing(ctx, open.Add)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	for block, err := range in.Blocks() {
		if err != nil {
			return err
		}
		if err := s.Put(ctx, block.CID, block.Data); err != nil {
			return err
		}
	}
	if err := a.areWhole(ctx, s, roots, layout); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	p, err := layout.params()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := a.settle(ctx, s, root, rootRef{}, name, p); err != nil {
			return err
		}
	}
	for _, root := range roots {
		if _, err := fmt.Fprintln(a.out, root); err != nil {
			return err
		}
	}
	return nil
}

// areWhole loads all blocks of maps, as they are stored: what waits in memory to be
// written is not what will be read.
func (a *app) areWhole(ctx context.Context, s stores.Store, roots []cid.Cid, layout *layoutFlags) error {
	if syncer, ok := s.(stores.Syncer); ok {
		if err := syncer.Sync(); err != nil {
			return err
		}
	}
	for _, root := range roots {
		err := a.whole(ctx, s, root, layout, func(m *adl.Node) error {
			_, err := m.Count(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("root %s: %w", root, plain{err})
		}
	}
	return nil
}
