package kubo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// ErrOtherName means that a root is pinned under another name. A node holds one
// name for a root.
var ErrOtherName = errors.New("is pinned under another name")

// Lookup finds the root that is pinned under a name. Two of them are an error,
// which SetName resolves.
func (s *Store) Lookup(ctx context.Context, name string) (root cid.Cid, found bool, err error) {
	roots, err := s.rootsOf(ctx, name)
	switch {
	case err != nil || len(roots) == 0:
		return cid.Undef, false, err
	case len(roots) > 1:
		return cid.Undef, false, s.failed(fmt.Errorf("%d roots are pinned under the name %q: %s; set the name to the one that is meant", len(roots), name, roots))
	}
	return roots[0], true, nil
}

// rootsOf finds what is pinned under a name.
func (s *Store) rootsOf(ctx context.Context, name string) (roots []cid.Cid, err error) {
	if name == "" {
		return nil, nil // which pins without a name have
	}
	all, err := s.namedPins(ctx, name)
	for _, n := range all {
		if n.Name == name {
			roots = append(roots, n.Root)
		}
	}
	return roots, err
}

// namedPins lists the pins with a name that has a text in it, in order.
func (s *Store) namedPins(ctx context.Context, part string) (all []stores.Name, err error) {
	err = s.pins(ctx, func() *request {
		all = nil // what an earlier attempt gave
		return newRequest("pin/ls").option("name", part)
	}, func(p pinned) error {
		if p.Name == "" {
			return nil
		}
		root, err := cid.Decode(p.Cid)
		if err != nil {
			return fmt.Errorf("pin %q: %w", p.Name, err)
		}
		all = append(all, stores.Name{Name: p.Name, Root: root})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b stores.Name) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Root.KeyString(), b.Root.KeyString()))
	})
	return all, nil
}

// Names visits the names of all recursive pins, in their order; a name under
// which two roots are pinned comes twice.
func (s *Store) Names(ctx context.Context) iter.Seq2[stores.Name, error] {
	return func(yield func(stores.Name, error) bool) {
		all, err := s.namedPins(ctx, "")
		if err != nil {
			yield(stores.Name{}, err)
			return
		}
		for _, name := range all {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// SetName publishes a root and pins it under a name. What was pinned under the
// name stays pinned, without a name. A root that is pinned under another name is
// ErrOtherName.
func (s *Store) SetName(ctx context.Context, name string, root cid.Cid) error {
	if err := s.ready(ctx, name, root); err != nil {
		return err
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	before, err := s.rootsOf(ctx, name)
	if err != nil {
		return err
	}
	return s.move(ctx, name, before, root)
}

// MoveName is SetName of a name that has to stand for the root from;
// stores.ErrMoved where it does not. An undefined from means a name that has to stand
// for nothing, an undefined to one that will: as after RemoveName, the root stays
// pinned. If it ends before its time, both roots may be pinned under the name; then it
// can be done again.
func (s *Store) MoveName(ctx context.Context, name string, from, to cid.Cid) error {
	if to.Defined() {
		if err := s.ready(ctx, name, to); err != nil {
			return err
		}
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	before, err := s.rootsOf(ctx, name)
	if err != nil {
		return err
	}
	elsewhere := func(root cid.Cid) bool { return !root.Equals(from) && !root.Equals(to) }
	if from.Defined() && !slices.ContainsFunc(before, from.Equals) || slices.ContainsFunc(before, elsewhere) {
		return fmt.Errorf("name %q: %w", name, stores.ErrMoved)
	}
	if !to.Defined() {
		return s.unname(ctx, name, before)
	}
	return s.move(ctx, name, before, to)
}

// ready publishes what a name is to stand for.
func (s *Store) ready(ctx context.Context, name string, root cid.Cid) error {
	if err := stores.CheckName(name); err != nil {
		return err
	}
	return s.publish(ctx, root)
}

// move pins a root under a name, and then takes the name from the others. s.naming
// is locked.
func (s *Store) move(ctx context.Context, name string, from []cid.Cid, to cid.Cid) error {
	if err := s.pinUnder(ctx, name, to); err != nil {
		return err
	}
	for _, root := range from {
		if root.Equals(to) {
			continue
		}
		if err := s.renamePin(ctx, root, ""); err != nil {
			return fmt.Errorf("name %q, which %s has now, too: %w", name, to, err)
		}
	}
	return nil
}

func (s *Store) pinUnder(ctx context.Context, name string, root cid.Cid) error {
	p, found, err := s.pinOf(ctx, root)
	switch {
	case err != nil:
		return err
	case !found:
		return s.addPin(ctx, root, name)
	case p.Name == name:
		return nil
	case p.Name != "":
		return s.failed(fmt.Errorf("name %q: %s %w: %q", name, root, ErrOtherName, p.Name))
	}
	return s.renamePin(ctx, root, name)
}

// RenameName lets the name to stand for what is pinned under the name from, and reports
// whether anything is; stores.ErrNameTaken means that something is pinned under to.
// Two roots under the name from are an error, as with Lookup.
func (s *Store) RenameName(ctx context.Context, from, to string) (found bool, err error) {
	if err := stores.CheckName(to); err != nil {
		return false, err
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	root, found, err := s.Lookup(ctx, from)
	if err != nil || !found {
		return false, err
	}
	taken, err := s.rootsOf(ctx, to)
	if err != nil {
		return true, err
	}
	if len(taken) > 0 {
		return true, fmt.Errorf("name %q: %w", to, stores.ErrNameTaken)
	}
	return true, s.renamePin(ctx, root, to)
}

// RemoveName forgets a name, and reports whether it was there. What was pinned under
// it stays pinned: "ipfs pin rm" lets go of it.
func (s *Store) RemoveName(ctx context.Context, name string) (found bool, err error) {
	s.naming.Lock()
	defer s.naming.Unlock()
	roots, err := s.rootsOf(ctx, name)
	if err != nil {
		return false, err
	}
	if err := s.unname(ctx, name, roots); err != nil {
		return false, err
	}
	return len(roots) > 0, nil
}

// unname takes a name from what is pinned under it. s.naming is locked.
func (s *Store) unname(ctx context.Context, name string, roots []cid.Cid) error {
	for _, root := range roots {
		if err := s.renamePin(ctx, root, ""); err != nil {
			return fmt.Errorf("name %q: %w", name, err)
		}
	}
	return nil
}
