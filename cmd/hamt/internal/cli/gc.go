package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

// gc gives back what nobody wants.
type gc struct {
	app       *app
	keepNames bool
	keep      []string
	olderThan age
	dryRun    bool
	force     bool
	layout    layoutFlags
}

func (a *app) gcVerb() *cobra.Command {
	g := &gc{app: a}
	c := verb(groupStore, "gc", "Give back the room of blocks that nothing reaches", `
hamt gc --dry-run
hamt gc --keep-names --older-than 30d
hamt gc --keep bafyrei…`, exactly(0), func(ctx context.Context, _ []string) error {
		p, err := a.ownStore(open.Edit)
		if err != nil {
			return err
		}
		return a.keepingStore(ctx, p, func(s *embedded.Store) error { return g.collect(ctx, s) })
	})
	c.Long = `Give back the room of the blocks in the embedded store that no name reaches, and
nothing that a name stood for, as hamt names log has it. What a name stood for that
was removed is given back, and so are maps that have no name.

--keep-names keeps what names stand for, and not what they stood for before, which
they forget. --keep keeps a root that has no name. --older-than keeps what is younger:
blocks that were written since, all that they link to, and what names stood for.

Links in values are followed as well, in all codecs that are known here. A block that
is in use and damaged, a pack that is lost, or a block in another codec, whose links
are not known, is an error, and nothing is given back, but with --force. So is a store in which no
name stands for anything, without --keep: all of it would be given back.

Packs are written anew without the blocks: at most a GiB at a time, and the old ones
stand until the new ones count, so that it may be interrupted or killed at any time,
and goes on from there the next time. It takes no room to give back packs of which
nothing is kept, which is done first. Who reads meanwhile is not disturbed.`
	flags := c.Flags()
	flags.BoolVar(&g.keepNames, "keep-names", false, "keep what names stand for, and not what they stood for")
	flags.StringSliceVar(&g.keep, "keep", nil, "keep this `ROOT`, too; may come again")
	flags.Var(&g.olderThan, "older-than", "keep what is younger than this `AGE`, such as 12h, 30d or 4w")
	flags.BoolVar(&g.dryRun, "dry-run", false, "say what would be given back, and do nothing")
	flags.BoolVar(&g.force, "force", false, "go on where it cannot be known what is in use, and where nothing is")
	return g.layout.reading(c)
}

func (g *gc) collect(ctx context.Context, s *embedded.Store) error {
	p := g.app.progress("finding blocks in use", int64(s.Usage().Blocks), false)
	defer p.end()
	o := embedded.CollectOptions{
		Forget: g.keepNames, Grace: time.Duration(g.olderThan), DryRun: g.dryRun, Force: g.force,
		Progress: showing(p),
	}
	for _, text := range g.keep {
		root, err := g.app.resolve(ctx, s, &g.layout, text)
		if err != nil {
			return err
		}
		o.Keep = append(o.Keep, root.cid)
	}
	if err := g.keepsSomething(ctx, s); err != nil {
		return err
	}
	done, err := s.Collect(ctx, o)
	p.end()
	if err != nil {
		return explained(err)
	}
	verb := "given back"
	if g.dryRun {
		verb = "would be given back"
	}
	text := fmt.Sprintf("%d blocks, %s %s; %d blocks are kept", done.Blocks, units.BytesSize(float64(done.Bytes)), verb, done.Live)
	if !g.dryRun {
		text += ", in " + usageText(s.Usage())
	}
	g.app.say(text)
	return nil
}

// keepsSomething refuses to give back all that a store has, unless that is insisted
// on or would not be done: people keep maps by their roots alone, too.
func (g *gc) keepsSomething(ctx context.Context, s *embedded.Store) error {
	if len(g.keep) > 0 || g.force || g.dryRun || s.Usage().Blocks == 0 {
		return nil
	}
	for _, err := range s.Names(ctx) {
		return err // there is one
	}
	return usage("no name stands for anything, so that all %d blocks would be given back: give the roots that are to stay with --keep, or --force", s.Usage().Blocks)
}

// showing shows how far a collection is: first the blocks that are in use, then the
// bytes that are copied.
func showing(p *progress) func(at embedded.CollectProgress) {
	copying := false
	return func(at embedded.CollectProgress) {
		if at.Bytes > 0 && !copying {
			copying = true
			p.nextBytes("writing packs", at.Bytes)
		}
		if copying {
			p.set(at.Copied)
		} else {
			p.set(int64(at.Marked))
		}
	}
}

// explained says what to do about an error of Collect.
func explained(err error) error {
	switch {
	case errors.As(err, new(*embedded.OpaqueError)):
		return fmt.Errorf("%w; --force gives back what only it links to", err)
	case errors.As(err, new(*embedded.NameError)), errors.As(err, new(*embedded.DamageError)), errors.As(err, new(*embedded.FileError)):
		return fmt.Errorf("%w; hamt fsck --repair mends what can be mended, and --force gives back what cannot be reached any more", err)
	}
	return err
}

// age is a flag for a duration of at least 0, in units up to weeks.
type age time.Duration

func (a *age) Type() string { return "age" }

func (a *age) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

func (a *age) Set(text string) error {
	d, err := time.ParseDuration(text)
	for unit, of := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		digits, ok := strings.CutSuffix(text, unit)
		if !ok {
			continue
		}
		var n uint64
		if n, err = strconv.ParseUint(digits, 10, 32); err == nil && n > uint64(math.MaxInt64/of) {
			return errors.New("it is too long")
		}
		d = time.Duration(n) * of
	}
	if err != nil || d < 0 {
		return errors.New("it is no age such as 12h, 30d or 4w")
	}
	*a = age(d)
	return nil
}
