package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

const (
	// maxPacks is how many there may be before some are merged while the store
	// is being written to, and not when it is closed.
	maxPacks = 30
	// growth is how much larger a pack is than the next smaller one and all
	// below it together: as in git's geometric repacking, so that there are few
	// packs, and a block is copied about as often as there are.
	growth = 2
	// largeBytes is the size from which a pack is left alone, but by Compact.
	largeBytes = maxPackBytes / 2
)

// mergeable returns which packs to merge into one, so that the rest are each
// larger than all below it. Nil if all are.
func mergeable(packs []packLine) []packLine {
	packs = slices.DeleteFunc(slices.Clone(packs), func(p packLine) bool { return p.Bytes >= largeBytes })
	slices.SortFunc(packs, func(a, b packLine) int { return cmp.Compare(a.Bytes, b.Bytes) })
	split := 0
	for i := len(packs) - 1; i > 0; i-- {
		if packs[i].Bytes < growth*packs[i-1].Bytes {
			split = i + 1
			break
		}
	}
	if split == 0 {
		return nil
	}
	var sum int64
	for _, p := range packs[:split] {
		sum += p.Bytes
	}
	for split < len(packs) && packs[split].Bytes < growth*sum {
		sum += packs[split].Bytes
		split++
	}
	return packs[:split]
}

// mergeSmall merges packs of like sizes. What goes wrong is a warning: all is as
// it was. s.changes is locked.
func (s *Store) mergeSmall(ctx context.Context) {
	packs := mergeable(s.state.Packs)
	if len(packs) < 2 || s.unmerged {
		return
	}
	if err := s.merge(ctx, packs); err != nil {
		s.unmerged = true // it would fail again
		s.warn(fmt.Sprintf("store %s: packs could not be merged: %v", s.dir, err))
	}
}

// Usage is what a store takes on the disk.
type Usage struct {
	Packs  int
	Bytes  int64 // of the packs
	Blocks int   // in them: one that is in two packs counts twice
}

// Usage returns what the store takes. What was put and not synced does not count.
func (s *Store) Usage() Usage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.usage()
}

func (st *state) usage() (u Usage) {
	for _, p := range st.Packs {
		u.Packs++
		u.Bytes += p.Bytes
		u.Blocks += p.Blocks
	}
	return u
}

// Compact writes all packs anew: as few as there can be, of a GiB each, with each
// block once, in the order in which a walk from the roots that the store knows of
// wants them, the newest first, and the others behind. Every block is kept. If the
// packs are so already it does nothing. What was put and not synced is synced first.
//
// The store may be read meanwhile; who writes waits. A store that was opened before
// goes on reading what it opened. As much room is needed as the packs take.
func (s *Store) Compact(ctx context.Context) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := s.changing(func() error { return s.commit(cid.Undef) }); err != nil {
		return err
	}
	if !slices.ContainsFunc(s.state.Packs, func(p packLine) bool { return !p.Walked }) {
		return nil
	}
	packs, letGo := s.hold()
	defer letGo()
	if err := s.compact(ctx, packs); err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) compact(ctx context.Context, packs []*openPack) error {
	roots, err := s.roots(packs)
	if err != nil {
		return err
	}
	m := s.newMerger()
	m.walked = true
	return m.replace(packs, nil, func() error {
		w := newWalker(s.dir, packs)
		w.visit = func(_ place, c cid.Cid, block []byte) error { return m.add(c, block) }
		// What is lost is for the copy of its pack to find.
		w.lost = func(cid.Cid, error) (bad bool, _ error) { return false, nil }
		for _, root := range roots {
			if _, err := w.walk(ctx, root.cid); err != nil {
				return err
			}
		}
		visited := w.visited()
		for _, p := range slices.Backward(packs) {
			err := m.copy(ctx, p, func(number int, c cid.Cid) bool {
				// It may have been visited in another pack.
				return !visited.has(place{p, number}) && !visited.hasAny(packs, c)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// merge replaces packs by new ones that have the same blocks, each once. s.changes is
// locked.
func (s *Store) merge(ctx context.Context, lines []packLine) error {
	all, letGo := s.hold()
	defer letGo()
	packs := slices.DeleteFunc(slices.Clone(all), func(p *openPack) bool {
		return !slices.ContainsFunc(lines, func(line packLine) bool { return line.Name == p.Name })
	})
	m := s.newMerger()
	return m.replace(packs, nil, func() error {
		for _, p := range slices.Backward(packs) { // in the order in which they were made
			if err := m.copy(ctx, p, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// merger writes new packs with the blocks of others.
type merger struct {
	s        *Store
	roots    []cid.Cid // of the first pack that it writes
	time     time.Time // of the youngest of the others
	walked   bool
	added    func(bytes int) // is told of each block, if it is not nil
	into     *newPack
	buffer   []byte // of sections that are to be written
	buffered map[string]bool
	finished []*newPack
}

func (s *Store) newMerger() *merger { return &merger{s: s, buffered: map[string]bool{}} }

// maxRoots is how many roots the header of a pack names, 36 bytes each: the last ones.
const maxRoots = 100_000

// replace has fill write blocks of packs into new ones, and puts these in their place
// in one step of the log. Of their roots it keeps those that are wanted; nil means
// all. s.changes is locked.
func (m *merger) replace(packs []*openPack, wanted func(root cid.Cid) bool, fill func() error) (err error) {
	defer func() {
		if err != nil {
			m.discard()
		}
	}()
	known := map[cid.Cid]bool{}
	step := &step{}
	for _, p := range slices.Backward(packs) {
		if err := p.complete(m.s.dir); err != nil && wanted == nil {
			return err
		}
		step.Remove = append(step.Remove, p.Name)
		if p.Time.After(m.time) {
			m.time = p.Time
		}
		if p.Pack == nil {
			continue
		}
		roots, err := p.Roots()
		if err != nil {
			m.s.warn(fmt.Sprintf("store %s: the roots of %s are lost: %v", m.s.dir, p.Name, err))
		}
		for _, root := range roots {
			if !known[root] && (wanted == nil || wanted(root)) {
				known[root] = true
				m.roots = append(m.roots, root)
			}
		}
	}
	m.roots = m.roots[max(0, len(m.roots)-maxRoots):]
	if err := fill(); err != nil {
		return err
	}
	if err := m.finish(); err != nil {
		return err
	}
	for _, p := range m.finished { // before readers are kept waiting
		if err := p.wait(); err != nil {
			return err
		}
	}
	return m.s.changing(func() error {
		m.s.finished = append(m.s.finished, m.finished...)
		m.finished = nil
		return m.s.adopt(step)
	})
}

// copy copies the blocks of a pack that are kept and not there yet; a nil keep means
// all. keep is asked for the number of the index's entry for a block, -1 where it has
// none, and its CID. A block that is damaged has to be in another pack of the store;
// if none has it, that is an error.
func (m *merger) copy(ctx context.Context, p *openPack, keep func(number int, c cid.Cid) bool) error {
	if p.Pack == nil {
		return &FileError{m.s.dir, p.path(), p.lost}
	}
	for section, err := range p.Sections(ctx) {
		c, damage := section.CID, (*pack.DamageError)(nil)
		if errors.As(err, &damage) {
			c = damage.CID
		} else if err != nil {
			return err
		}
		number := section.Number
		if keep != nil && number < 0 && c.Defined() {
			e, ok, err := p.Find(c)
			if err != nil {
				return err
			}
			if ok && e.Offset == section.Offset {
				number = e.Number
			}
		}
		switch {
		case keep != nil && !keep(number, c):
		case damage == nil:
			if err := m.add(c, section.Block); err != nil {
				return err
			}
		case !c.Defined():
			return fmt.Errorf("%s: %w", p.Name, err)
		default:
			// Where that is one of those that are replaced, it is copied from there.
			if _, err := m.s.findPacked(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *merger) add(c cid.Cid, block []byte) error {
	hash := pack.HashOf(c)
	if m.buffered[hash] || m.into != nil && m.into.writer.Has(c) {
		return nil
	}
	m.buffered[hash] = true
	if m.added != nil {
		m.added(len(block))
	}
	m.buffer = pack.AppendSection(m.buffer, c, block)
	if len(m.buffer) < 1<<20 {
		return nil
	}
	return m.flush()
}

func (m *merger) flush() (err error) {
	if m.into == nil {
		if m.into, err = m.s.newPack(len(m.roots)); err != nil {
			return err
		}
	}
	if _, err := m.into.writer.Write(m.buffer); err != nil {
		return err
	}
	m.buffer = m.buffer[:0]
	clear(m.buffered)
	if m.into.writer.Len() >= maxPackBytes || m.into.writer.Blocks() >= maxPackBlocks {
		return m.finish()
	}
	return m.into.syncBehind()
}

// finish finishes the pack that is being written.
func (m *merger) finish() error {
	if len(m.buffer) > 0 {
		if err := m.flush(); err != nil {
			return err
		}
	}
	p := m.into
	if p == nil {
		return nil
	}
	if err := p.finish(m.roots...); err != nil {
		return err
	}
	p.line.Time, p.line.Walked = m.time, m.walked
	m.into, m.roots = nil, nil
	m.finished = append(m.finished, p)
	return nil
}

// discard gives up what was written.
func (m *merger) discard() {
	if m.into != nil {
		m.s.discard(m.into)
		m.into = nil
	}
	for _, p := range m.finished {
		m.s.discard(p)
	}
	m.finished = nil
}
