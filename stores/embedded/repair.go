package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// Repair mends what is damaged. A block is taken from another pack, or from get,
// whose blocks are checked; nil is for nowhere. A pack of which everything can be
// read again is written anew; one that has more damage stays as it is; one that is
// absent is forgotten if no root that the store knows of misses a block. The log was
// mended when the store was opened, with Options.Repair.
//
// Repair returns how many faults it has mended, and calls left with each other. It
// asks get for blocks by the CIDs under which roots reach them, and for others by
// CIDs with the codec raw where their own cannot be read.
func (s *Store) Repair(
	ctx context.Context, get func(ctx context.Context, c cid.Cid) ([]byte, error), left func(err error) error,
) (mended int, err error) {
	if err := s.Sync(); err != nil { // which a store that is read only refuses
		return 0, err
	}
	r := repair{Store: s, get: get, left: left, lossy: map[string]bool{}}
	for err := range s.Check(ctx) {
		if err := r.blocks(ctx, err); err != nil {
			return r.mended, err
		}
	}
	if err := s.Sync(); err != nil {
		return r.mended, err
	}
	return r.mended, r.repairFiles(ctx)
}

// repair is what is known of the damage to a store that is being mended.
type repair struct {
	*Store
	get    func(ctx context.Context, c cid.Cid) ([]byte, error)
	left   func(err error) error
	mended int
	lossy  map[string]bool // packs with damage, and whether some of it stays
	files  []*FileError
	linked map[string]cid.Cid // CIDs of damaged blocks as links have them, by multihash; nil until wanted
}

// blocks mends damage to a block, and gathers what else is damaged.
func (r *repair) blocks(ctx context.Context, fault error) error {
	var damage *DamageError
	var of *FileError
	switch {
	case errors.As(fault, &damage):
		err := r.mend(ctx, damage)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		path := packsDir + "/" + damage.Pack
		r.lossy[path] = r.lossy[path] || err != nil
		return r.done(err)
	case errors.As(fault, &of):
		r.files = append(r.files, of)
		r.lossy[of.File] = r.lossy[of.File] || errors.Is(of, errIncomplete)
		return nil
	case errors.As(fault, new(*LogError)):
		return r.left(fault)
	}
	return fault
}

// done counts a fault as mended, or tells of the error that is left.
func (r *repair) done(err error) error {
	if err == nil {
		r.mended++
		return nil
	}
	return r.left(err)
}

// mend has a block that is damaged in a pack in another one, too.
func (r *repair) mend(ctx context.Context, damage *DamageError) error {
	c := damage.CID
	if !c.Defined() {
		return damage
	}
	if _, err := r.Get(ctx, c); err == nil {
		return nil
	}
	if r.get == nil {
		return damage
	}
	if c.Prefix().Codec == cid.Raw { // perhaps because nothing says better
		if err := r.findLinked(ctx); err != nil {
			return err
		}
		if linked, ok := r.linked[string(c.Hash())]; ok {
			c = linked
		}
	}
	block, err := r.get(ctx, c)
	if err == nil {
		err = stores.Check(c, block)
	}
	if err != nil {
		return &DamageError{damage.Dir, damage.Pack, c, fmt.Errorf("%w; %w", damage.Err, err)}
	}
	return r.Put(ctx, c, block)
}

// findLinked finds the CIDs by which roots reach damaged blocks.
func (r *repair) findLinked(ctx context.Context) error {
	if r.linked != nil {
		return nil
	}
	if err := r.Sync(); err != nil { // so that the walk sees what was mended already
		return err
	}
	r.linked = map[string]cid.Cid{}
	return r.eachLost(ctx, func(c cid.Cid, err error) {
		if !stores.IsNotFound(err) {
			r.linked[string(c.Hash())] = c
		}
	})
}

// eachLost visits the links to blocks that cannot be read, in all that the roots
// reach that the store knows of.
func (s *Store) eachLost(ctx context.Context, visit func(c cid.Cid, err error)) error {
	packs, letGo := s.hold()
	defer letGo()
	s.mu.RLock()
	roots, err := s.roots(packs)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	w := newWalker(s.dir, packs)
	w.lost = func(c cid.Cid, err error) (bad bool, _ error) {
		visit(c, err)
		return true, nil
	}
	for _, root := range roots {
		if _, err := w.walk(ctx, root.cid); err != nil {
			return err
		}
	}
	return nil
}

// repairFiles writes packs anew that have lost nothing, and mends the other files.
func (r *repair) repairFiles(ctx context.Context) error {
	rewritten := map[string]bool{}
	missing := -1 // blocks, or not known
	r.mu.RLock()
	packs := r.state.Packs
	r.mu.RUnlock()
	for _, line := range packs {
		path := packsDir + "/" + line.Name
		lossy, damaged := r.lossy[path]
		if !damaged || lossy {
			continue
		}
		if p := r.opened(line.Name); p != nil && p.Pack == nil {
			if !errors.Is(p.lost, os.ErrNotExist) {
				continue
			}
			if missing < 0 {
				missing = 0
				if err := r.eachLost(ctx, func(cid.Cid, error) { missing++ }); err != nil {
					return err
				}
			}
			if missing > 0 {
				continue
			}
		}
		if err := r.replace(ctx, line); err != nil {
			return fmt.Errorf("store %s: %w", r.dir, err)
		}
		rewritten[path] = true
	}
	for _, fault := range r.files {
		var err error
		if fault.File == markerName {
			err = r.create()
		} else if !rewritten[fault.File] {
			err = fault
		}
		if err := r.done(err); err != nil {
			return err
		}
	}
	return nil
}

// replace writes a pack anew, with all of it that can be read.
func (s *Store) replace(ctx context.Context, line packLine) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	p := s.opened(line.Name)
	if p == nil { // merged meanwhile
		return nil
	}
	if p.Pack == nil {
		return s.changing(func() error { return s.adopt(&step{Remove: []string{line.Name}}) })
	}
	return s.merge(ctx, []packLine{line})
}

// opened returns the pack of a name, or nil.
func (s *Store) opened(name string) *openPack {
	s.files.RLock()
	defer s.files.RUnlock()
	for _, p := range s.packs {
		if p.Name == name {
			return p
		}
	}
	return nil
}
