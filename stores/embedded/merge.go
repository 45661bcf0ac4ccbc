package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
// it was. s.mu is locked.
func (s *Store) mergeSmall(ctx context.Context) {
	packs := mergeable(s.state.Packs)
	if len(packs) < 2 || s.unmerged {
		return
	}
	if err := s.merge(ctx, packs, nil); err != nil {
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
func (s *Store) Usage() (u Usage) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.state.Packs {
		u.Packs++
		u.Bytes += p.Bytes
		u.Blocks += p.Blocks
	}
	return u
}

// Compact merges all packs into as few as there can be, of a GiB each. Every block
// that can be read is kept, once. A store that was opened before goes on reading
// what it opened.
func (s *Store) Compact(ctx context.Context) error { return s.Collect(ctx, nil) }

// Collect is Compact, and keeps only the blocks that are live; nil means all. A
// block that is stored under several CIDs is kept if live reports so for any
// CID with its multihash. What was put and not synced is synced first.
func (s *Store) Collect(ctx context.Context, live func(c cid.Cid) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.commit(cid.Undef); err != nil {
		return err
	}
	if live == nil && len(s.state.Packs) < 2 {
		return nil
	}
	if err := s.merge(ctx, slices.Clone(s.state.Packs), live); err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	return nil
}

// merge replaces packs by new ones that have the same blocks, each once, or
// those of them that are wanted. s.mu is locked.
func (s *Store) merge(ctx context.Context, packs []packLine, wanted func(c cid.Cid) bool) (err error) {
	defer func() {
		if err != nil && s.log.failed == nil {
			s.discardFinished()
		}
	}()
	var roots []cid.Cid
	remove := make([]string, 0, len(packs))
	for _, line := range packs {
		remove = append(remove, line.Name)
		p := s.opened(line.Name)
		if err := p.complete(s.dir); err != nil {
			return err
		}
		of, err := p.Roots()
		if err != nil {
			s.warn(fmt.Sprintf("store %s: the roots of %s are lost: %v", s.dir, line.Name, err))
		}
		for _, root := range of {
			if !slices.ContainsFunc(roots, root.Equals) && (wanted == nil || wanted(root)) {
				roots = append(roots, root)
			}
		}
	}
	m := merger{s: s, roots: roots}
	// The packs' order is that in which they were made, and that is kept.
	slices.SortFunc(packs, func(a, b packLine) int { return cmp.Compare(a.Name, b.Name) })
	for _, line := range packs {
		if err := m.copy(ctx, s.opened(line.Name), wanted); err != nil {
			return errors.Join(err, m.discard())
		}
	}
	if err := m.finish(); err != nil {
		return err
	}
	return s.adopt(&step{Remove: remove})
}

func (s *Store) opened(name string) *openPack {
	i := slices.IndexFunc(s.packs, func(p *openPack) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return s.packs[i]
}

// merger writes the blocks of several packs.
type merger struct {
	s      *Store
	roots  []cid.Cid // of the first pack that it writes
	into   *newPack
	buffer []byte
}

// copy copies the blocks of a pack that are not there yet. A block that is
// damaged has to be in another pack of the store; if none has it the pack stays as
// it is.
func (m *merger) copy(ctx context.Context, p *openPack, wanted func(c cid.Cid) bool) error {
	for section, err := range p.Sections(ctx) {
		if err == nil {
			if wanted != nil && !wanted(section.CID) {
				continue
			}
			if err := m.add(section.CID, section.Block); err != nil {
				return err
			}
			continue
		}
		var damage *pack.DamageError
		if !errors.As(err, &damage) {
			return err
		}
		if !damage.CID.Defined() {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if wanted != nil && !wanted(damage.CID) {
			continue
		}
		// Where that is one of those that are merged, it is copied from there.
		if _, err := m.s.findPacked(damage.CID); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) add(c cid.Cid, block []byte) error {
	if m.into != nil && m.into.writer.Has(c) {
		return nil
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
	if m.into.writer.Len() >= maxPackBytes || m.into.writer.Blocks() >= maxPackBlocks {
		return m.finish()
	}
	return m.into.syncBehind()
}

// finish finishes the pack that is being written.
func (m *merger) finish() error {
	if len(m.buffer) > 0 {
		if err := m.flush(); err != nil {
			return errors.Join(err, m.discard())
		}
	}
	p := m.into
	if p == nil {
		return nil
	}
	m.into = nil
	if err := p.finish(m.roots...); err != nil {
		m.s.discard(p)
		return err
	}
	m.roots = nil
	m.s.finished = append(m.s.finished, p)
	return nil
}

func (m *merger) discard() error {
	if m.into != nil {
		m.s.discard(m.into)
		m.into = nil
	}
	return nil
}
