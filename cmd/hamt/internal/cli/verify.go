package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

func (a *app) verifyVerb() *cobra.Command {
	var layout layoutFlags
	c := verb(groupRead, "verify [ROOT]", "Check that a map is whole and canonical", `
hamt verify people`, rootAnd(0), func(ctx context.Context, args []string) error {
		begun := false
		err := a.wholeMap(ctx, args, &layout, func(m *adl.Node) error {
			begun = true
			return a.verify(ctx, m)
		})
		if !begun && errors.As(err, new(*fault.Error)) {
			return a.printFaults(1, err)
		}
		return err
	})
	c.Long = `Load all blocks of a map and print every fault in them, one a line, each with
the CID of its block and its place in the tree: blocks that are missing, do not
match their CID or are malformed, keys where no lookup finds them, and whatever
makes the tree another than the one canonical tree for its entries. hamt rebuild
makes that of any map that can be read. Exit status 3 where there is a fault.`
	return layout.reading(c)
}

func (a *app) verify(ctx context.Context, m *adl.Node) error {
	faults := 0
	for err := range m.Verify(ctx) {
		if !errors.As(err, new(*fault.Error)) {
			return err // interrupted, say
		}
		faults++
		if err := a.printFaults(0, err); err != nil {
			return err
		}
	}
	if faults > 0 {
		return a.printFaults(faults)
	}
	stats, err := m.Stats(ctx)
	if err != nil {
		return err
	}
	a.say(fmt.Sprintf("ok: %d entries, %d blocks", stats.Entries, stats.Blocks))
	return nil
}

// printFaults prints faults, which are the result of verify and no failure of
// it. Where it is told how many there were, it prints the outcome.
func (a *app) printFaults(total int, faults ...error) error {
	for _, f := range faults {
		if _, err := fmt.Fprintln(a.out, trimPrefix(wordsOf(f))); err != nil {
			return err
		}
	}
	switch total {
	case 0:
		return nil
	case 1:
		return &outcome{statusFault, errors.New("1 fault")}
	}
	return &outcome{statusFault, fmt.Errorf("%d faults", total)}
}
