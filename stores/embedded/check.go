package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// PackError reports damage to a pack that is not to one of its blocks: to its
// header or index, which are replaced in memory by a scan.
type PackError struct {
	Dir  string // of the store
	Pack string // its name
	Err  error
}

func (e *PackError) Error() string { return fmt.Sprintf("store %s: %s: %v", e.Dir, e.Pack, e.Err) }

func (e *PackError) Unwrap() error { return e.Err }

// Check reads all that the store has, and visits what is damaged: a *LogError, a
// *PackError, or a *DamageError, whose CID has the codec raw where the block's own
// cannot be read, and is undefined where nothing says what has been there. A block
// that is damaged in one pack and whole in another is visited too. Any other error
// is one of the file system or the context, and the last.
func (s *Store) Check(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		if !s.reads.Enter() {
			yield(s.closed())
			return
		}
		defer s.reads.Leave()
		read, err := readLog(s.fs, s.dir)
		if err != nil {
			yield(err)
			return
		}
		for _, damage := range append(read.damaged, read.gap) {
			if damage != nil && !yield(&LogError{s.dir, damage}) {
				return
			}
		}
		s.mu.RLock()
		packs := s.state.Packs
		s.mu.RUnlock()
		for _, line := range packs {
			for _, err := range s.checkPack(ctx, line.Name) {
				if !yield(err) || ctx.Err() != nil {
					return
				}
			}
		}
	}
}

// checkPack returns the damage of a pack; none if it was merged meanwhile. Nobody
// is called while the pack must stay open.
func (s *Store) checkPack(ctx context.Context, name string) (all []error) {
	s.files.RLock()
	defer s.files.RUnlock()
	p := s.opened(name)
	switch {
	case p == nil:
		return nil
	case p.Pack == nil:
		return []error{&PackError{s.dir, p.Name, pack.ErrFormat}}
	}
	for err := range p.Check(ctx) {
		var damage *pack.DamageError
		switch {
		case ctx.Err() != nil:
			return append(all, ctx.Err())
		case errors.As(err, &damage):
			c := cid.Undef
			if damage.Hash != nil {
				c = cid.NewCidV1(cid.Raw, damage.Hash)
			}
			err = &DamageError{s.dir, p.Name, c, err}
		default:
			err = &PackError{s.dir, p.Name, err}
		}
		all = append(all, err)
	}
	return all
}

// Repair mends what is damaged. A block is taken from another pack, or from get,
// which is asked for the CIDs that Check visits and whose blocks are checked; nil
// means nowhere. Packs of which everything can be read again are written anew. It
// returns the damage that is left: packs that have it stay as they are. The log is
// mended by opening the store with Options.Repair.
func (s *Store) Repair(ctx context.Context, get func(ctx context.Context, c cid.Cid) ([]byte, error)) (left []error, err error) {
	damaged := map[string]bool{} // packs, and whether something of them is lost
	for _, err := range slices.Collect(s.Check(ctx)) {
		var of *PackError
		var damage *DamageError
		switch {
		case errors.As(err, &damage):
			mended, getErr := s.mend(ctx, damage.CID, get)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if !mended {
				left = append(left, errors.Join(damage, getErr))
			}
			damaged[damage.Pack] = damaged[damage.Pack] || !mended
		case errors.As(err, &of):
			lost := errors.Is(err, pack.ErrFormat)
			if lost {
				left = append(left, err)
			}
			damaged[of.Pack] = damaged[of.Pack] || lost
		case errors.As(err, new(*LogError)):
			left = append(left, err)
		default:
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.commit(cid.Undef); err != nil {
		return nil, err
	}
	for _, line := range s.state.Packs {
		if lost, ok := damaged[line.Name]; ok && !lost {
			if err := s.merge(ctx, []packLine{line}, nil); err != nil {
				return nil, fmt.Errorf("store %s: %w", s.dir, err)
			}
		}
	}
	return left, nil
}

// mend puts a block again that is damaged, and reports whether it can be read now.
func (s *Store) mend(ctx context.Context, c cid.Cid, get func(ctx context.Context, c cid.Cid) ([]byte, error)) (bool, error) {
	if !c.Defined() {
		return false, nil
	}
	if _, err := s.Get(ctx, c); err == nil {
		return true, nil
	}
	if get == nil {
		return false, nil
	}
	block, err := get(ctx, c)
	if err == nil {
		err = stores.Check(c, block)
	}
	if err != nil {
		return false, err
	}
	return true, s.Put(ctx, c, block)
}
