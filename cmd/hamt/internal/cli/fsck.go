package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
	"github.com/ipld-hamt/go-ipld-hamt/stores/transfer"
)

// fsck looks for damage in a store.
type fsck struct {
	app    *app
	repair bool
	faults int // that were printed
}

func (a *app) fsckVerb() *cobra.Command {
	f := &fsck{app: a}
	c := verb(groupStore, "fsck [--repair [STORE…]]", "Look for damage in the store, and repair it", `
hamt fsck
hamt fsck --repair
hamt fsck --repair backup.car gateway:https://example.org`, counts{0, many}, f.run)
	c.Long = `Read every block of the embedded store, check it by its hash, and print all that
is damaged, a line each: which block, in which pack, at which byte; then which
names, and roots without a name, reach a block that cannot be read. A name's
earlier roots count too. The blocks of a CAR are checked as well. In a store of
another kind, hamt verify checks a map.

--repair mends what can be mended: a log that is damaged in one copy, from the
other; one that is damaged in both, from the packs, whose roots are then printed
that have no name; blocks, from other packs that have them, or from the STOREs,
asked in turn. Nothing is removed but packs that were written anew, whole. What is
printed then is left.

Exit status: 0 nothing is damaged, or all of it was mended; 3 something is.`
	c.Flags().BoolVar(&f.repair, "repair", false, "mend what is damaged, with blocks from other STOREs where it needs any")
	return c
}

func (f *fsck) run(ctx context.Context, args []string) error {
	if len(args) > 0 && !f.repair {
		return usage("stores to take blocks from go with --repair")
	}
	p, err := f.app.store.chosen()
	if err != nil {
		return err
	}
	switch {
	case p.Kind == open.CAR && f.repair:
		return usage("a CAR is not changed: copy its maps to another, from where they are whole")
	case p.Kind == open.CAR:
		return f.car(ctx, p)
	case p.Kind != open.Embedded:
		return usage("fsck is for a store in a directory or a CAR, and %s is another kind: hamt verify checks a map in it", p.Location)
	}
	p.options.Embedded.Repair = true
	if f.repair {
		return f.mend(ctx, p, args)
	}
	return f.check(ctx, p)
}

// found prints something that is damaged.
func (f *fsck) found(err error) error {
	f.faults++
	_, failed := fmt.Fprintln(f.app.out, describeFault(err))
	return failed
}

// outcome returns how it went, once all is printed.
func (f *fsck) outcome(ok string) error {
	switch f.faults {
	case 0:
		f.app.say(ok)
		return nil
	case 1:
		return &outcome{statusFault, errors.New("1 fault")}
	}
	return &outcome{statusFault, fmt.Errorf("%d faults", f.faults)}
}

// isFault reports whether an error is one of those that Check and CheckNames visit.
func isFault(err error) bool {
	return errors.As(err, new(*embedded.DamageError)) || errors.As(err, new(*embedded.FileError)) ||
		errors.As(err, new(*embedded.LogError)) || errors.As(err, new(*embedded.NameError)) ||
		errors.As(err, new(*carfile.DamageError))
}

// describeFault says what is damaged, without the store's name.
func describeFault(err error) string {
	var name *embedded.NameError
	var block *embedded.DamageError
	var file *embedded.FileError
	var log *embedded.LogError
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("%s: block %s: %s", whatIsHurt(name), name.CID, reasonOf(name.Err))
	case errors.As(err, &block):
		what := "a block, nothing says which"
		if block.CID.Defined() {
			what = "block " + block.CID.String()
		}
		return fmt.Sprintf("packs/%s: %s: %s", block.Pack, what, block.Err)
	case errors.As(err, &file):
		return fmt.Sprintf("%s: %v", file.File, file.Err)
	case errors.As(err, &log):
		return fmt.Sprintf("log: %v", log.Err)
	}
	return err.Error()
}

func whatIsHurt(e *embedded.NameError) string {
	switch {
	case e.Name == "":
		return fmt.Sprintf("root %s, which has no name", e.Root)
	case e.Was:
		return fmt.Sprintf("root %s, for which %q stood", e.Root, e.Name)
	}
	return fmt.Sprintf("root %s, for which %q stands", e.Root, e.Name)
}

// reasonOf says why a block cannot be read.
func reasonOf(err error) string {
	if stores.IsNotFound(err) {
		return "not in the store"
	}
	if damage := (*pack.DamageError)(nil); errors.As(err, &damage) {
		return damage.Error()
	}
	return err.Error()
}

func (f *fsck) check(ctx context.Context, p location) (err error) {
	s, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	store := s.(*embedded.Store)
	if err := f.all(store.Check(ctx)); err != nil {
		return err
	}
	return f.finish(ctx, store)
}

// all prints faults.
func (f *fsck) all(faults func(yield func(error) bool)) error {
	for err := range faults {
		if !isFault(err) {
			return err
		}
		if err := f.found(err); err != nil {
			return err
		}
	}
	return nil
}

// finish says what is hurt by damage that is there, and how it went.
func (f *fsck) finish(ctx context.Context, s *embedded.Store) error {
	if err := f.all(s.CheckNames(ctx)); err != nil {
		return err
	}
	u := s.Usage()
	return f.outcome(fmt.Sprintf("ok: %s, %d blocks", usageText(u), u.Blocks))
}

func (f *fsck) car(ctx context.Context, p location) error {
	blocks := 0
	for _, err := range carfile.Check(ctx, p.Place) {
		switch {
		case err == nil:
			blocks++
		case !isFault(err):
			return err
		default:
			if err := f.found(err); err != nil {
				return err
			}
		}
	}
	return f.outcome(fmt.Sprintf("ok: %d blocks", blocks))
}

// mend repairs a store, and prints what is left.
func (f *fsck) mend(ctx context.Context, p location, from []string) (err error) {
	sources, err := f.sources(ctx, p, from)
	defer func() {
		for _, s := range sources {
			closing(s, &err)
		}
	}()
	if err != nil {
		return err
	}
	s, err := p.writing(ctx, open.Edit)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	store := s.(*embedded.Store)
	mended := len(store.LogFaults())
	for _, fault := range store.LogFaults() {
		f.app.warn("%s: names may have been lost", describeFault(fault))
	}
	var get func(ctx context.Context, c cid.Cid) ([]byte, error)
	if len(sources) > 0 {
		get = func(ctx context.Context, c cid.Cid) ([]byte, error) { return getFirst(ctx, sources, c) }
	}
	if len(sources) > 0 {
		if err := f.copyMissing(ctx, sources, store); err != nil {
			return err
		}
	}
	n, err := store.Repair(ctx, get, f.found)
	mended += n
	if err != nil {
		return err
	}
	if mended > 0 {
		f.app.say(fmt.Sprintf("%d mended", mended))
	}
	if len(store.LogFaults()) > 0 {
		if err := f.printUnnamed(store); err != nil {
			return err
		}
	}
	return f.finish(ctx, store)
}

// copyMissing copies what maps lack since packs are lost, so that nothing says which
// blocks were in them. What no source has is printed later.
func (f *fsck) copyMissing(ctx context.Context, from []stores.Store, to *embedded.Store) error {
	var roots []cid.Cid
	for err := range to.CheckNames(ctx) {
		var name *embedded.NameError
		switch {
		case !errors.As(err, &name):
			return err
		case stores.IsNotFound(name.Err) && (len(roots) == 0 || roots[len(roots)-1] != name.Root):
			roots = append(roots, name.Root)
		}
	}
	for _, root := range roots {
		for _, s := range from {
			_, err := transfer.Copy(ctx, root, s, to, transfer.Options{AtOnce: f.app.store.remote.AtOnce})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				break
			}
		}
	}
	return to.Sync()
}

// printUnnamed prints the roots that may have had a name that was lost.
func (f *fsck) printUnnamed(s *embedded.Store) error {
	roots, err := s.Unnamed()
	for _, root := range roots {
		if _, err := fmt.Fprintf(f.app.out, "root %s has no name\n", root); err != nil {
			return err
		}
	}
	return err
}

// sources opens the stores to take blocks from.
func (f *fsck) sources(ctx context.Context, to location, from []string) (all []stores.Store, err error) {
	for _, text := range from {
		p, err := f.app.store.at(text)
		if err != nil {
			return all, err
		}
		if p.Same(to.Location) {
			return all, usage("%s is the store that is to be repaired", text)
		}
		s, err := p.reading(ctx)
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

// getFirst gets a block from the first store that has it.
func getFirst(ctx context.Context, from []stores.Store, c cid.Cid) (block []byte, err error) {
	for _, s := range from {
		block, failed := stores.GetChecked(ctx, s, c)
		if failed == nil {
			return block, nil
		}
		if err == nil || !stores.IsNotFound(failed) {
			err = failed
		}
	}
	return nil, err
}
