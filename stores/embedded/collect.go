package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// CollectOptions say what Collect keeps.
type CollectOptions struct {
	// Keep are roots that are kept besides those of names.
	Keep []cid.Cid
	// Forget has all names forget what they stood for, so that only what they
	// stand for is kept. A name that was removed is always forgotten.
	Forget bool
	// Grace, if it is more than 0, keeps what is younger by the clock: blocks that
	// were written since, with all that they link to, and roots that names stood
	// for since. Small packs are merged, and are then as young as their youngest
	// block.
	Grace time.Duration
	// Force goes on where it is not known what is live: where a block that is
	// live is damaged, a pack is lost, or a live block is in a codec that is not
	// known here. What these may link to is given back, unless it is live for
	// another reason.
	Force bool
	// DryRun finds out what would be given back, and changes nothing.
	DryRun bool
	// Progress, if not nil, is called with how far it is for each block.
	Progress func(CollectProgress)
}

// CollectProgress is how far Collect is.
type CollectProgress struct {
	Marked int   // blocks that are known to be live
	Blocks int   // that the packs have in all
	Copied int64 // bytes of those that had to be copied
	Bytes  int64 // that have to be; 0 while blocks are marked
}

// Collected is what Collect has given back.
type Collected struct {
	Blocks    int   // given back
	Bytes     int64 // that the packs have become smaller by; with DryRun about that
	Live      int   // blocks that are left
	Forgotten int   // steps of names
}

// OpaqueError reports that a block is live whose links are not known, since its codec
// is not.
type OpaqueError struct {
	Dir string // of the store
	CID cid.Cid
}

func (e *OpaqueError) Error() string {
	return fmt.Sprintf("store %s: block %s is in use, and what it links to is not known, since its codec is not", e.Dir, e.CID)
}

// Collect gives back the room of blocks that are not live: which no name reaches, nor
// anything that a name stood for, nor one of the roots to keep. Blocks that are in
// several packs stay in one.
//
// The packs that have such blocks are written anew, some at a time, without them; the
// old ones stand until the new ones are in the log, so that a process or a machine may
// stop at any moment, and what is done by then stays done. At most a GiB of room is
// needed meanwhile, and none for packs of which nothing is live, which go first.
// Where damage, or an unknown codec, keeps Collect from knowing what is live it changes
// nothing, and the error is a *NameError, *DamageError, *FileError or *OpaqueError,
// unless Force is set.
//
// Memory is a few bits for each block of the store, and some 80 bytes for each of a
// pack, of which there are at most two million. The store may be read meanwhile; who
// writes waits. A store that was opened before goes on reading what it opened.
//
// What was put and not synced is synced first. Who has put blocks, and not made them
// reachable from a name yet, or is changing a map that was read before, has to see to
// it that nobody collects meanwhile, or to a Grace that is longer than that takes.
func (s *Store) Collect(ctx context.Context, o CollectOptions) (Collected, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := s.changing(func() error { return s.commit(cid.Undef) }); err != nil {
		return Collected{}, err
	}
	packs, letGo := s.hold()
	defer letGo()
	c := collector{Store: s, CollectOptions: o, all: packs, before: s.state.usage()}
	c.progress.Blocks = c.before.Blocks
	if o.Grace > 0 {
		c.since = s.now().Add(-o.Grace)
	}
	err := c.collect(ctx)
	if err != nil {
		err = fmt.Errorf("store %s: %w", s.dir, err)
	}
	return c.Collected, err
}

type collector struct {
	*Store
	CollectOptions
	Collected
	all      []*openPack
	since    time.Time // what is younger is kept
	live     marks
	before   Usage
	progress CollectProgress
}

func (c *collector) collect(ctx context.Context) error {
	if !c.Force {
		for _, p := range c.all {
			if err := p.complete(c.dir); err != nil {
				return err
			}
		}
	}
	names := c.names()
	if err := c.mark(ctx, names); err != nil {
		return err
	}
	sweeps, err := c.plan()
	if err = errors.Join(err, ctx.Err()); err != nil || c.DryRun {
		return err
	}
	// What is forgotten is not live any more, so that comes first.
	roots := slices.DeleteFunc(slices.Clone(c.state.Roots), func(text string) bool {
		root, err := cid.Decode(text)
		return err != nil || !c.live.hasAny(c.all, root)
	})
	if c.Forgotten > 0 || len(roots) < len(c.state.Roots) {
		err := c.changing(func() error {
			c.state.Names, c.state.Roots = names, roots
			return c.log.rewrite(&c.state, c.now())
		})
		if err != nil {
			return c.cannotWrite(err)
		}
	}
	for group := range groups(sweeps) {
		if err := c.sweep(ctx, group); err != nil {
			return err
		}
	}
	c.Bytes = c.before.Bytes - c.state.usage().Bytes
	return nil
}

// names returns what names are to remember, and counts what they are to forget.
func (c *collector) names() map[string][]nameStep {
	kept := make(map[string][]nameStep, len(c.state.Names))
	for name, steps := range c.state.Names {
		if len(steps) == 0 {
			continue
		}
		last := len(steps) - 1
		removed := steps[last].Root == ""
		from := 0
		if c.Forget || removed {
			// A root that another came to stand for lately stood until then.
			for from = last; from > 0 && c.isYoung(steps[from].Time); from-- {
			}
		}
		if !removed || from < last || c.isYoung(steps[last].Time) {
			kept[name] = slices.Clone(steps[from:])
		}
		c.Forgotten += len(steps) - len(kept[name])
	}
	return kept
}

func (c *collector) isYoung(t time.Time) bool { return c.Grace > 0 && t.After(c.since) }

// mark finds the blocks that are live. Each is read, and counts where it is whole.
func (c *collector) mark(ctx context.Context, names map[string][]nameStep) error {
	w := newWalker(c.dir, c.all)
	w.visit = func(place, cid.Cid, []byte) error {
		c.progress.Marked++
		c.report()
		return nil
	}
	w.opaque = func(of cid.Cid) error {
		if c.Force {
			return nil
		}
		return &OpaqueError{c.dir, of}
	}
	var from *NameError // on the way from which root
	w.lost = func(of cid.Cid, err error) (bad bool, _ error) {
		if c.Force || stores.IsNotFound(err) { // elsewhere
			return false, nil
		}
		if from != nil {
			err = &NameError{from.Dir, from.Name, from.Was, from.Root, of, err}
		}
		return true, err
	}
	for name, steps := range names {
		for i, step := range steps {
			if step.Root == "" {
				continue
			}
			root, err := cid.Decode(step.Root)
			if err != nil {
				return fmt.Errorf("name %q: %w", name, err)
			}
			from = &NameError{Dir: c.dir, Name: name, Root: root, Was: i < len(steps)-1}
			if _, err := w.walk(ctx, root); err != nil {
				return err
			}
		}
	}
	for _, root := range c.Keep {
		if _, _, err := w.read(root); err != nil && !c.Force {
			return fmt.Errorf("root %s: %w", root, err)
		}
		from = &NameError{Dir: c.dir, Root: root}
		if _, err := w.walk(ctx, root); err != nil {
			return err
		}
	}
	from = nil
	for _, p := range c.all {
		if !c.isYoung(p.Time) || p.Pack == nil {
			continue
		}
		for section, err := range p.Sections(ctx) {
			if damage := (*pack.DamageError)(nil); errors.As(err, &damage) {
				err = &DamageError{c.dir, p.Name, damage.CID, err}
				if c.Force {
					continue
				}
			}
			if err == nil {
				_, err = w.walk(ctx, section.CID)
			}
			if err != nil {
				return err
			}
		}
	}
	c.live = w.visited()
	return nil
}

func (c *collector) report() {
	if c.Progress != nil {
		c.Progress(c.progress)
	}
}

// sweep is a pack that has blocks to be given back.
type sweep struct {
	*openPack
	live  int   // blocks
	bytes int64 // that they take
}

// plan returns the packs to be written anew, those first that take the least room.
func (c *collector) plan() (sweeps []sweep, err error) {
	for _, p := range c.all {
		s := sweep{openPack: p, live: c.live.count(p)}
		c.Live += s.live
		if c.isYoung(p.Time) {
			continue
		}
		dead, deadBytes := 0, int64(0)
		if p.Pack != nil {
			spans, err := p.Spans()
			if err != nil {
				return nil, err
			}
			for number, length := range spans {
				if c.live.has(place{p, number}) {
					s.bytes += length
				} else {
					dead++
					deadBytes += length
				}
			}
		}
		if dead == 0 && p.complete(c.dir) == nil {
			continue
		}
		c.Blocks += dead
		const entryBytes = 40 // what the index has of most blocks
		if deadBytes += int64(dead) * entryBytes; s.live == 0 {
			deadBytes = p.Bytes
		}
		c.Bytes += deadBytes
		sweeps = append(sweeps, s)
	}
	slices.SortStableFunc(sweeps, func(a, b sweep) int {
		return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.Name, b.Name))
	})
	for _, s := range sweeps {
		c.progress.Bytes += s.bytes
	}
	return sweeps, nil
}

// groups divides packs into groups, of which each becomes one.
func groups(sweeps []sweep) func(yield func([]sweep) bool) {
	return func(yield func([]sweep) bool) {
		for len(sweeps) > 0 {
			n, bytes := 0, int64(0)
			for n < len(sweeps) && (n == 0 || bytes+sweeps[n].bytes <= maxPackBytes && (sweeps[n].live > 0) == (sweeps[0].live > 0)) {
				bytes += sweeps[n].bytes
				n++
			}
			if !yield(sweeps[:n]) {
				return
			}
			sweeps = sweeps[n:]
		}
	}
}

// sweep writes what is live of a group of packs into a new one.
func (c *collector) sweep(ctx context.Context, group []sweep) error {
	var packs []*openPack // the newest first
	for _, s := range group {
		packs = append(packs, s.openPack)
	}
	slices.SortFunc(packs, func(a, b *openPack) int { return cmp.Compare(b.Name, a.Name) })
	m := c.newMerger()
	m.added = func(bytes int) {
		c.progress.Copied += int64(bytes)
		c.report()
	}
	wanted := func(root cid.Cid) bool { return c.live.hasAny(c.all, root) }
	return m.replace(packs, wanted, func() error {
		for _, p := range slices.Backward(packs) {
			if c.live.count(p) == 0 {
				continue
			}
			err := m.copy(ctx, p, func(number int, _ cid.Cid) bool { return c.live.has(place{p, number}) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}
