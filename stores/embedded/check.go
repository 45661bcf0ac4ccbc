package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// FileError reports damage to a file of the store that is not to one of its blocks:
// to the header or the index of a pack, say, which are replaced in memory by a scan.
type FileError struct {
	Dir  string // of the store
	File string // in it
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("store %s: %s: %v", e.Dir, e.File, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// NameError reports that a root reaches a block that cannot be read.
type NameError struct {
	Dir  string  // of the store
	Name string  // that the root has; empty where it has none
	Was  bool    // the name stood for the root once, and does not now
	Root cid.Cid // that is hurt
	CID  cid.Cid // of the block
	Err  error   // of reading it
}

func (e *NameError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("store %s: root %s: block %s: %v", e.Dir, e.Root, e.CID, e.Err)
	}
	return fmt.Sprintf("store %s: name %q: root %s: block %s: %v", e.Dir, e.Name, e.Root, e.CID, e.Err)
}

func (e *NameError) Unwrap() error { return e.Err }

// Check reads all that the store has, and visits what is damaged: a *LogError, a
// *FileError, or a *DamageError, whose CID has the codec raw where the block's own
// cannot be read, and is undefined where nothing says what has been there. A block
// that is damaged in one pack and whole in another is visited too. Any other error
// is one of the file system or the context, and the last.
//
// It takes 16 bytes of memory for each block of a pack. While it goes on the store
// may be used, also by who is called.
func (s *Store) Check(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		if !s.reads.Enter() {
			yield(s.closed())
			return
		}
		defer s.reads.Leave()
		packs, letGo := s.hold()
		defer letGo()
		if data, err := readMarker(s.fs, s.dir); err != nil {
			yield(err)
			return
		} else if data != marker && !yield(&FileError{s.dir, markerName, errors.New("it is damaged")}) {
			return
		}
		read, err := readLog(s.fs, s.dir)
		if err != nil {
			yield(err)
			return
		}
		for _, damage := range read.faults() {
			if !yield(&LogError{s.dir, damage}) {
				return
			}
		}
		for _, p := range slices.Backward(packs) {
			for err := range s.checkPack(ctx, p) {
				if !yield(err) || ctx.Err() != nil {
					return
				}
			}
		}
	}
}

func (s *Store) checkPack(ctx context.Context, p *openPack) iter.Seq[error] {
	return func(yield func(error) bool) {
		if err := p.complete(s.dir); err != nil && !yield(err) || p.Pack == nil {
			return
		}
		for err := range p.Check(ctx) {
			var damage *pack.DamageError
			switch {
			case ctx.Err() != nil:
				err = ctx.Err()
			case errors.As(err, &damage):
				err = &DamageError{s.dir, p.Name, damage.CID, err}
			default:
				err = &FileError{s.dir, p.path(), err}
			}
			if !yield(err) {
				return
			}
		}
	}
}

// LogFaults returns what was damaged of the log when the store was opened, each a
// *LogError. A store that is opened for writing mends it then.
func (s *Store) LogFaults() (all []error) {
	for _, fault := range s.logFound {
		all = append(all, &LogError{s.dir, fault})
	}
	return all
}

// Unnamed returns the roots that somebody has published, and that no name stands for or
// stood for.
func (s *Store) Unnamed() (roots []cid.Cid, err error) {
	if !s.reads.Enter() {
		return nil, s.closed()
	}
	defer s.reads.Leave()
	packs, letGo := s.hold()
	defer letGo()
	s.mu.RLock()
	all, err := s.roots(packs)
	s.mu.RUnlock()
	for _, root := range all {
		if root.name == "" {
			roots = append(roots, root.cid)
		}
	}
	return roots, err
}

// complete returns an error if a pack may have lost blocks and nothing says which.
func (p *openPack) complete(dir string) error {
	if p.Pack == nil {
		return &FileError{dir, p.path(), p.lost}
	}
	n, err := p.Pack.Blocks()
	if err == nil && n < p.packLine.Blocks {
		err = fmt.Errorf("%w: of %d blocks %d are there", errIncomplete, p.packLine.Blocks, n)
	}
	if err != nil {
		return &FileError{dir, p.path(), err}
	}
	return nil
}

var errIncomplete = errors.New("blocks are lost")

// maxNameErrors is how many blocks are named that hurt a root.
const maxNameErrors = 100

// CheckNames visits a *NameError for each root that reaches a block that cannot be
// read, and up to 100 of these blocks: the roots that names stand for, those that
// they stood for, and those that were published without a name. A block that is in
// no pack counts where the store has lost a pack, or a part of an index, and so does
// not know what it had: else it was never there, as what values link to need not be.
// Any other error is one of the file system or the context, and the last.
//
// Every block is read once, unless it is on the way to damage.
func (s *Store) CheckNames(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		if !s.reads.Enter() {
			yield(s.closed())
			return
		}
		defer s.reads.Leave()
		packs, letGo := s.hold()
		defer letGo()
		s.mu.RLock()
		roots, err := s.roots(packs)
		s.mu.RUnlock()
		if err != nil {
			yield(err)
			return
		}
		counts := countsAsLost(packs)
		all := newWalker(s.dir, packs)
		all.lost = func(_ cid.Cid, err error) (bad bool, _ error) { return counts(err), nil }
		for i := range roots {
			if roots[i].bad, err = all.walk(ctx, roots[i].cid); err != nil {
				yield(err)
				return
			}
		}
		for _, root := range roots {
			if !root.bad {
				continue
			}
			found := map[cid.Cid]bool{}
			stop := errors.New("enough")
			one := newWalker(s.dir, packs)
			one.descend = all.bad.has
			one.lost = func(c cid.Cid, err error) (bad bool, _ error) {
				if found[c] || !counts(err) {
					return false, nil
				}
				found[c] = true
				if !yield(&NameError{s.dir, root.name, root.was, root.cid, c, err}) || len(found) == maxNameErrors {
					return true, stop
				}
				return true, nil
			}
			if _, err := one.walk(ctx, root.cid); err != nil && err != stop {
				yield(err)
				return
			}
		}
	}
}

// countsAsLost returns whether an error means that a block was there once.
func countsAsLost(packs []*openPack) func(err error) bool {
	complete := !slices.ContainsFunc(packs, func(p *openPack) bool { return p.Pack == nil || !p.Complete() })
	return func(err error) bool { return !complete || !stores.IsNotFound(err) }
}

// namedRoot is a root that the store knows of.
type namedRoot struct {
	name string // empty where a pack names it
	was  bool   // what the name stood for
	cid  cid.Cid
	bad  bool
}

// roots returns the roots that the store knows of, each once under each name: those
// that names stand for, then those that they stood for, then those that were published.
// s.mu is locked.
func (s *Store) roots(packs []*openPack) (all []namedRoot, err error) {
	names := slices.Sorted(maps.Keys(s.state.Names))
	known := map[cid.Cid]bool{}
	for _, was := range []bool{false, true} {
		for _, name := range names {
			steps := s.state.Names[name]
			last := len(steps) - 1
			under := map[cid.Cid]bool{}
			for i := last; i >= 0; i-- {
				if steps[i].Root == "" {
					continue
				}
				root, err := cid.Decode(steps[i].Root)
				if err != nil {
					return nil, fmt.Errorf("store %s: name %q: %w", s.dir, name, err)
				}
				if (i < last) == was && !under[root] {
					all = append(all, namedRoot{name: name, was: was, cid: root})
				}
				under[root], known[root] = true, true
			}
		}
	}
	unnamed := func(root cid.Cid) {
		if !known[root] {
			known[root] = true
			all = append(all, namedRoot{cid: root})
		}
	}
	for _, text := range slices.Backward(s.state.Roots) {
		root, err := cid.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("store %s: root %q: %w", s.dir, text, err)
		}
		unnamed(root)
	}
	for _, p := range packs {
		if p.Pack == nil {
			continue
		}
		roots, err := p.Roots()
		if err != nil {
			continue // which Check says
		}
		for _, root := range roots {
			unnamed(root)
		}
	}
	return all, nil
}
