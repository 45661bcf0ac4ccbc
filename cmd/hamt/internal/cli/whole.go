package cli

import (
	"context"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// wholeMap is readingMap for verbs that go through all blocks of a map. Those
// that are read make the progress.
func (a *app) wholeMap(ctx context.Context, args []string, layout *layoutFlags, do func(m *adl.Node) error) error {
	return a.readingRoot(ctx, args, 0, layout, func(s stores.Store, root rootRef, _ []string) error {
		return a.whole(ctx, s, root.cid, layout, do)
	})
}

// whole loads a map whose blocks will all be read.
func (a *app) whole(ctx context.Context, s stores.Store, root cid.Cid, layout *layoutFlags, do func(m *adl.Node) error) error {
	p := a.progress("blocks", -1, false)
	defer p.end()
	m, err := a.load(ctx, watched(s.LinkSystem(), p), root, layout)
	if err != nil {
		return err
	}
	p.expect(ctx, m)
	return do(m)
}

// watched is a LinkSystem whose reads are counted.
func watched(lsys *linking.LinkSystem, p *progress) *linking.LinkSystem {
	counting := *lsys
	counting.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		reader, err := lsys.StorageReadOpener(lctx, link)
		p.add(1)
		return reader, err
	}
	return &counting
}

// expect shows how many blocks there will be, about. What is
// loaded to find out is not loaded again, and what is wrong with it is for the
// verb to say.
func (p *progress) expect(ctx context.Context, m *adl.Node) {
	if !p.drawn() {
		return
	}
	if estimate, err := m.Estimate(ctx); err == nil {
		p.of(estimate.Blocks)
	}
}
