package embedded

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// Lookup returns the root that a name stands for.
func (s *Store) Lookup(_ context.Context, name string) (root cid.Cid, found bool, err error) {
	if !s.reads.Enter() {
		return cid.Undef, false, s.closed()
	}
	defer s.reads.Leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lookup(name)
}

// lookup is Lookup. s.mu is locked.
func (s *Store) lookup(name string) (root cid.Cid, found bool, err error) {
	root, found, err = s.state.root(name)
	if err != nil {
		return cid.Undef, false, fmt.Errorf("store %s: name %q: %w", s.dir, name, err)
	}
	return root, found, nil
}

// Names visits all names in their order.
func (s *Store) Names(context.Context) iter.Seq2[stores.Name, error] {
	return func(yield func(stores.Name, error) bool) {
		if !s.reads.Enter() {
			yield(stores.Name{}, s.closed())
			return
		}
		s.mu.RLock()
		names, err := s.state.names()
		s.mu.RUnlock()
		s.reads.Leave()
		if err != nil {
			yield(stores.Name{}, fmt.Errorf("store %s: %w", s.dir, err))
			return
		}
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// History returns what a name has stood for, the oldest first: the last 1,000 steps
// of it and more, where there are not so many names that moved so often that it
// would be 100,000 in all. [Store.Collect] has names forget. The order is that in
// which the steps were made, whatever the clocks said.
func (s *Store) History(_ context.Context, name string) (moves []stores.Move, err error) {
	if !s.reads.Enter() {
		return nil, s.closed()
	}
	defer s.reads.Leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, step := range s.state.Names[name] {
		m := stores.Move{Time: step.Time, By: step.By}
		if step.Root != "" {
			if m.Root, err = cid.Decode(step.Root); err != nil {
				return nil, fmt.Errorf("store %s: name %q: %w", s.dir, name, err)
			}
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// SetName lets a name stand for a root, whatever it stood for. All blocks that
// were put are on the disk before the name is.
func (s *Store) SetName(ctx context.Context, name string, root cid.Cid) error {
	return s.SetNameParams(ctx, name, root, params.Params{})
}

// SetNameParams is SetName of a name that remembers the parameters of a map in one of
// Filecoin's layouts.
func (s *Store) SetNameParams(_ context.Context, name string, root cid.Cid, p params.Params) error {
	if err := stores.CheckName(name); err != nil {
		return err
	}
	return s.change(func() error {
		line := nameLine{name, root.String(), paramsText(p)}
		now, _, err := s.lookup(name)
		if err == nil && now == root && reflect.DeepEqual(line.Params, s.state.params(name)) {
			return s.commit(root) // there is nothing to remember
		}
		return s.commit(root, line)
	})
}

// NameParams returns the parameters that a name remembers, and whether it does.
func (s *Store) NameParams(_ context.Context, name string) (p params.Params, ok bool, err error) {
	if !s.reads.Enter() {
		return params.Params{}, false, s.closed()
	}
	defer s.reads.Leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok = s.state.params(name).params()
	return p, ok, nil
}

// MoveName is SetName of a name that has to stand for the root from, and
// stores.ErrMoved where it does not. An undefined from means a name that has to stand
// for nothing, an undefined to one that will.
func (s *Store) MoveName(_ context.Context, name string, from, to cid.Cid) error {
	if err := stores.CheckName(name); err != nil {
		return err
	}
	return s.change(func() error {
		now, _, err := s.lookup(name)
		switch {
		case err != nil:
			return err
		case now != from:
			return fmt.Errorf("name %q: %w", name, stores.ErrMoved)
		case now == to:
			return s.commit(to)
		}
		line := nameLine{Name: name, Root: rootText(to)}
		if to.Defined() {
			line.Params = s.state.paramsMoved(name, line.Root)
		}
		return s.commit(to, line)
	})
}

// rootText returns a root as the log has it.
func rootText(root cid.Cid) string {
	if !root.Defined() {
		return ""
	}
	return root.String()
}

// RenameName lets the name to stand for what the name from does, which is then
// forgotten, in one step. It reports whether from was there; stores.ErrNameTaken means
// that to is.
func (s *Store) RenameName(_ context.Context, from, to string) (found bool, err error) {
	if err := stores.CheckName(to); err != nil {
		return false, err
	}
	err = s.change(func() (err error) {
		var root cid.Cid
		if root, found, err = s.lookup(from); err != nil || !found {
			return err
		}
		if _, taken, err := s.lookup(to); err != nil {
			return err
		} else if taken {
			return fmt.Errorf("name %q: %w", to, stores.ErrNameTaken)
		}
		return s.commit(root, nameLine{to, root.String(), s.state.params(from)}, nameLine{Name: from})
	})
	return found, err
}

// RemoveName forgets a name, and reports whether it was there. The blocks stay.
func (s *Store) RemoveName(_ context.Context, name string) (found bool, err error) {
	err = s.change(func() (err error) {
		if _, found, err = s.lookup(name); err != nil || !found {
			return err
		}
		return s.commit(cid.Undef, nameLine{Name: name})
	})
	return found && err == nil, err
}
