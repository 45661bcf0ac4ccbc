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
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

// rootRef is what ROOT stands for.
type rootRef struct {
	cid    cid.Cid
	name   string // empty where ROOT is something else than a name
	inside bool   // of another map, or of other data: ROOT has a path
}

// resolve finds what a ROOT argument stands for.
func (a *app) resolve(ctx context.Context, s stores.Store, layout *layoutFlags, root string) (rootRef, error) {
	c, path, ok, err := parseCID(root)
	if err != nil {
		return rootRef{}, err
	}
	if ok {
		return a.inside(ctx, s, layout, rootRef{cid: c}, path, root)
	}
	named, ok := s.(stores.Named)
	if !ok {
		return rootRef{}, usage("no such name or CID: %s (a store of this kind has no names)", root)
	}
	// A name may have slashes in it, and then comes before a path.
	for name, path := range beginnings(root) {
		c, found, err := named.Lookup(ctx, name)
		if err != nil {
			return rootRef{}, err
		}
		if found {
			if err := layout.remember(ctx, named, name); err != nil {
				return rootRef{}, err
			}
			return a.inside(ctx, s, layout, rootRef{cid: c, name: name}, path, root)
		}
	}
	return rootRef{}, usage("no such name or CID: %s%s (hamt names lists the names)", root, likeName(ctx, named, root))
}

// inside finds the map that a path leads to from what a CID names. text is the whole, for
// errors.
func (a *app) inside(ctx context.Context, s stores.Store, layout *layoutFlags, from rootRef, path, text string) (rootRef, error) {
	if path == "" {
		return from, nil
	}
	x, err := a.explorer(s.LinkSystem(), layout)
	if err != nil {
		return rootRef{}, err
	}
	found, err := x.find(ctx, basicnode.NewLink(linkOf(from.cid)), path)
	if errors.As(err, new(*nothingThere)) {
		return rootRef{}, usage("%s: %w", text, err)
	}
	if err != nil {
		return rootRef{}, err
	}
	link, err := found.AsLink()
	if err != nil {
		return rootRef{}, usage("%s leads to no map: what is there is no link, but of kind %s", text, found.Kind())
	}
	c, err := stores.CIDOf(link)
	return rootRef{cid: c, inside: true}, err
}

// explorer returns what goes along paths.
func (a *app) explorer(lsys *linking.LinkSystem, layout *layoutFlags) (explorer, error) {
	given, err := layout.params()
	return explorer{lsys, given, append(a.readOptions(), hamt.WithParams(given))}, err
}

// likeName asks whether one of the names is meant that a store of this machine has; what
// another machine would have to be asked for once more is not worth it.
func likeName(ctx context.Context, named stores.Named, text string) string {
	if _, ok := named.(*embedded.Store); !ok {
		return ""
	}
	var names []string
	for name, err := range named.Names(ctx) {
		if err != nil {
			return ""
		}
		names = append(names, name.Name)
	}
	return didYouMean(text, names)
}

func linkOf(c cid.Cid) datamodel.Link { return cidlink.Link{Cid: c} }

// readingRoot opens the store for reading and finds the root: the first
// argument, or where there are only rest arguments the one that the store is
// for. do gets the other arguments.
func (a *app) readingRoot(
	ctx context.Context, args []string, rest int, layout *layoutFlags,
	do func(s stores.Store, root rootRef, args []string) error,
) error {
	p, err := a.store.chosen()
	if err != nil {
		return err
	}
	return a.readingRootAt(ctx, p, args, rest, layout, do)
}

// readingRootAt is readingRoot of another store than --store.
func (a *app) readingRootAt(
	ctx context.Context, p location, args []string, rest int, layout *layoutFlags,
	do func(s stores.Store, root rootRef, args []string) error,
) (err error) {
	s, err := p.reading(ctx)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	if len(args) == rest {
		root, ok := s.DefaultRoot()
		if !ok {
			return usage("ROOT is missing: %s has no default", p.text)
		}
		return do(s, rootRef{cid: root}, args)
	}
	root, err := a.resolve(ctx, s, layout, args[0])
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
	return a.readingRoot(ctx, args, rest, layout, func(s stores.Store, root rootRef, args []string) error {
		m, err := a.load(ctx, s.LinkSystem(), root.cid, layout)
		if err != nil {
			return err
		}
		return do(m, args)
	})
}

// load loads a map, of which as many blocks may be on their way as --at-once
// says.
func (a *app) load(ctx context.Context, lsys *linking.LinkSystem, root cid.Cid, layout *layoutFlags) (*adl.Node, error) {
	given, err := layout.params()
	if err != nil {
		return nil, err
	}
	return hamt.Load(ctx, lsys, linkOf(root), append(a.readOptions(), hamt.WithParams(given))...)
}

// readOptions returns how maps are read, according to the flags of all verbs.
func (a *app) readOptions() []hamt.Option {
	options := []hamt.Option{hamt.WithReadAhead(a.store.remote.AtOnce)}
	if a.store.weakDigests {
		options = append(options, hamt.WithWeakDigests())
	}
	return options
}

// closing closes a store; its error counts where there was none before.
func closing(s io.Closer, err *error) {
	if closed := s.Close(); *err == nil {
		*err = closed
	}
}

// editing opens a store that is there for changes to the map at a root. do
// returns the map with the new root, which is then published.
func (a *app) editing(
	ctx context.Context, root, name string, layout *layoutFlags,
	do func(s stores.Writable, root cid.Cid) (*adl.Node, error),
) (err error) {
	p, err := a.store.chosenForWriting(open.Edit, name)
	if err != nil {
		return err
	}
	s, err := p.writing(ctx, open.Edit)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	from, err := a.resolve(ctx, s, layout, root)
	if err != nil {
		return err
	}
	m, err := do(s, from.cid)
	if err != nil {
		return err
	}
	if err := a.publish(ctx, s, m, from, name); err != nil {
		return err
	}
	if from.inside {
		a.say(fmt.Sprintf("what is around the map is as it was: %s is still the old root", root))
	}
	return nil
}

// publish names a map's root and prints it, in that order, and not before all
// of it is on the disk. Without a new name, the name that the old root was
// found by moves on.
func (a *app) publish(ctx context.Context, s stores.Writable, m *adl.Node, from rootRef, name string) error {
	link, err := m.Link()
	if err != nil {
		return err
	}
	root, err := stores.CIDOf(link)
	if err != nil {
		return err
	}
	if err := a.settle(ctx, s, root, from, name, m.Params()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, root)
	return err
}

// settle sees to it that the root of a map is in the store to stay, and has its name. It
// says what the name stood for, if that was another root. A new name remembers the
// parameters of a map whose blocks do not carry them, where the store can; one that
// moves does so already.
func (a *app) settle(ctx context.Context, s stores.Writable, root cid.Cid, from rootRef, name string, p params.Params) error {
	named, _ := s.(stores.Named)
	switch {
	case name != "":
		if named == nil {
			return errNoNames
		}
		return a.setName(ctx, named, name, root, p)
	case from.name != "" && named != nil:
		return named.MoveName(ctx, from.name, from.cid, root)
	}
	return s.Publish(ctx, root)
}

// setName lets a name stand for a root, and says what it stood for.
func (a *app) setName(ctx context.Context, named stores.Named, name string, root cid.Cid, p params.Params) error {
	before, found, lookup := named.Lookup(ctx, name)
	set := named.SetName
	if remembering, ok := named.(stores.Remembering); ok && p.Layout != params.Spec {
		set = func(ctx context.Context, name string, root cid.Cid) error {
			return remembering.SetNameParams(ctx, name, root, p)
		}
	}
	if err := set(ctx, name, root); err != nil {
		return err
	}
	// What Lookup does not know SetName may all the same.
	if lookup == nil && found && !before.Equals(root) {
		a.say(fmt.Sprintf("%s stood for %s before", name, before))
	}
	return nil
}

// lateStore is a store that is opened with the first block that is written.
// Until a build has read all its input it writes none, so that in
// `hamt entries A | … | hamt build` both can use the same store: the reader is
// done when the writer begins.
type lateStore struct {
	open  func() (stores.Writable, error)
	store stores.Writable
}

func (l *lateStore) get() (stores.Writable, error) {
	if l.store != nil {
		return l.store, nil
	}
	s, err := l.open()
	if err != nil {
		return nil, err
	}
	l.store = s
	return s, nil
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
