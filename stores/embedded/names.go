package embedded

import (
	"context"
	"fmt"
	"iter"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func nameKey(name string) []byte { return append([]byte{namePrefix}, name...) }

// Lookup finds the root that a name stands for.
func (s *Store) Lookup(_ context.Context, name string) (root cid.Cid, found bool, err error) {
	value, found, err := s.get(nameKey(name))
	if err != nil || !found {
		return cid.Undef, false, err
	}
	if root, err = cid.Cast(value); err != nil {
		return cid.Undef, false, fmt.Errorf("store %s: name %q: %w", s.dir, name, err)
	}
	return root, true, nil
}

// Names visits all names in their order.
func (s *Store) Names(context.Context) iter.Seq2[stores.Name, error] {
	return func(yield func(stores.Name, error) bool) {
		if !s.reads.Enter() {
			yield(stores.Name{}, fmt.Errorf("store %s: %w", s.dir, os.ErrClosed))
			return
		}
		defer s.reads.Leave()
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{namePrefix}, UpperBound: []byte{namePrefix + 1}})
		if err != nil {
			yield(stores.Name{}, fmt.Errorf("store %s: %w", s.dir, err))
			return
		}
		stopped := false
		for ok := it.First(); ok && !stopped; ok = it.Next() {
			name := stores.Name{Name: string(it.Key()[1:])}
			name.Root, err = cid.Cast(it.Value())
			stopped = !yield(name, err)
		}
		if err := it.Close(); err != nil && !stopped {
			yield(stores.Name{}, fmt.Errorf("store %s: %w", s.dir, err))
		}
	}
}

// SetName lets a name stand for a root, whatever it stood for. All blocks that
// were put are on the disk before the name is.
func (s *Store) SetName(_ context.Context, name string, root cid.Cid) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(name, root)
}

// MoveName is SetName of a name that has to stand for the root from;
// stores.ErrMoved where it does not.
func (s *Store) MoveName(ctx context.Context, name string, from, to cid.Cid) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, found, err := s.Lookup(ctx, name)
	if err != nil {
		return err
	}
	if !found || !now.Equals(from) {
		return fmt.Errorf("name %q: %w", name, stores.ErrMoved)
	}
	return s.set(name, to)
}

// set writes a name behind all blocks in the log. s.mu is locked.
func (s *Store) set(name string, root cid.Cid) error {
	if err := stores.CheckName(name); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.db.Set(nameKey(name), root.Bytes(), pebble.Sync); err != nil {
		return s.cannotWrite(err)
	}
	return nil
}

// RemoveName forgets a name, and says whether it was there. The blocks stay.
func (s *Store) RemoveName(ctx context.Context, name string) (found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found, err = s.Lookup(ctx, name); err != nil || !found {
		return false, err
	}
	if err := s.db.Delete(nameKey(name), pebble.Sync); err != nil {
		return false, s.cannotWrite(err)
	}
	return true, nil
}
