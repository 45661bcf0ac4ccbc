package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/store"
)

// rootRef is what ROOT stands for.
type rootRef struct {
	cid  cid.Cid
	name string // empty where ROOT is a CID
}

// resolve finds what a ROOT argument stands for.
func resolve(s store.Store, root string) (rootRef, error) {
	if c, err := cid.Decode(root); err == nil {
		return rootRef{cid: c}, nil
	}
	embedded, ok := s.(*store.Embedded)
	if !ok {
		return rootRef{}, usage("no such name or CID: %s (a CAR has no names)", root)
	}
	c, found, err := embedded.Lookup(root)
	if err != nil {
		return rootRef{}, err
	}
	if !found {
		return rootRef{}, usage("no such name or CID: %s (hamt names lists the names)", root)
	}
	return rootRef{c, root}, nil
}

func linkOf(c cid.Cid) datamodel.Link { return cidlink.Link{Cid: c} }

func cidOf(link datamodel.Link) (cid.Cid, error) {
	if l, ok := link.(cidlink.Link); ok && l.Defined() {
		return l.Cid, nil
	}
	return cid.Undef, fmt.Errorf("root link %v is not a CID", link)
}

// readingRoot opens the store for reading and finds the root: the first
// argument, or where there are only rest arguments the one that the store is
// for. do gets the other arguments.
func (a *app) readingRoot(
	ctx context.Context, args []string, rest int,
	do func(s store.Store, root rootRef, args []string) error,
) (err error) {
	s, err := store.OpenForReading(ctx, a.location, a.storeOptions())
	if err != nil {
		return err
	}
	defer closing(s, &err)
	if len(args) == rest {
		root, ok := s.DefaultRoot()
		if !ok {
			return usage("ROOT is missing: %s has no default", a.location)
		}
		return do(s, rootRef{cid: root}, args)
	}
	root, err := resolve(s, args[0])
	if err != nil {
		return err
	}
	return do(s, root, args[1:])
}

// readingMap is readingRoot for verbs that need the map at the root.
func (a *app) readingMap(
	ctx context.Context, args []string, rest int, layout *layoutFlags,
	do func(m *adl.Node, args []string) error,
) error {
	return a.readingRoot(ctx, args, rest, func(s store.Store, root rootRef, args []string) error {
		m, err := load(ctx, s, root.cid, layout)
		if err != nil {
			return err
		}
		return do(m, args)
	})
}

func load(ctx context.Context, s store.Store, root cid.Cid, layout *layoutFlags) (*adl.Node, error) {
	given, err := layout.params()
	if err != nil {
		return nil, err
	}
	return hamt.Load(ctx, s.LinkSystem(), linkOf(root), hamt.WithParams(given))
}

// closing closes a store; its error counts where there was none before.
func closing(s io.Closer, err *error) {
	if closed := s.Close(); *err == nil {
		*err = closed
	}
}

// editing opens a store that is there for changes to the map at a root. do
// gives the new root, which is then published.
func (a *app) editing(
	ctx context.Context, root, name string,
	do func(s *store.Embedded, root cid.Cid) (*adl.Node, error),
) (err error) {
	if err := a.checkWriting(name); err != nil {
		return err
	}
	// Opening for writing would make a store where there is none.
	if err := store.CheckExists(a.location); err != nil {
		return err
	}
	s, err := store.OpenForWriting(ctx, a.location, a.storeOptions())
	if err != nil {
		return err
	}
	defer closing(s, &err)
	from, err := resolve(s, root)
	if err != nil {
		return err
	}
	m, err := do(s, from.cid)
	if err != nil {
		return err
	}
	return a.publish(s, m, from, name)
}

// checkWriting says early what is wrong with the store or the --name flag.
func (a *app) checkWriting(name string) error {
	if name != "" {
		if err := store.CheckName(name); err != nil {
			return usage("%w", err)
		}
	}
	if err := store.CheckWritable(a.location); err != nil {
		if errors.Is(err, store.ErrReadOnly) {
			return usage("%w: name a directory with --store", err)
		}
		return err
	}
	return nil
}

// publish names a map's root and prints it, in that order, and not before all
// of it is on the disk. Without a new name, the name that the old root was
// found by moves on.
func (a *app) publish(s *store.Embedded, m *adl.Node, from rootRef, name string) error {
	link, err := m.Link()
	if err != nil {
		return err
	}
	root, err := cidOf(link)
	if err != nil {
		return err
	}
	switch {
	case name != "":
		err = s.Set(name, root)
	case from.name != "":
		err = s.Move(from.name, from.cid, root)
	default:
		err = s.Sync()
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, root)
	return err
}

// lateStore is a store that is opened with the first block that is written.
// Until a build has read all its input it writes none, so that in
// `hamt entries A | … | hamt build` both can use the same store: the reader is
// done when the writer begins.
type lateStore struct {
	open  func() (*store.Embedded, error)
	store *store.Embedded
}

func (l *lateStore) get() (*store.Embedded, error) {
	if l.store != nil {
		return l.store, nil
	}
	s, err := l.open()
	l.store = s
	return s, err
}

// linkSystem is the store's, as soon as there is one. The library writes
// blocks one at a time, and reads none before it has written.
func (l *lateStore) linkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		s, err := l.get()
		if err != nil {
			return nil, nil, err
		}
		return s.LinkSystem().StorageWriteOpener(lctx)
	}
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		s, err := l.get()
		if err != nil {
			return nil, err
		}
		return s.LinkSystem().StorageReadOpener(lctx, link)
	}
	return &lsys
}

func (l *lateStore) Close() error {
	if l.store == nil {
		return nil
	}
	return l.store.Close()
}
