package boxo

import (
	"context"

	"github.com/ipfs/boxo/fetcher"
	bsfetcher "github.com/ipfs/boxo/fetcher/impl/blockservice"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
)

// Fetcher returns a Factory whose fetchers do what those of config do, and for
// which the root of a HAMT is a map. Every other block goes to the NodeReifier
// of config.
//
// Where a block on a path through a HAMT cannot be loaded or read, its fetchers
// return an [*Error]. A traversal alone takes such a block for a key that is
// not there (https://github.com/ipld/go-ipld-prime/pull/524).
func Fetcher(config bsfetcher.FetcherConfig) fetcher.Factory { return factory{config} }

type factory struct{ config bsfetcher.FetcherConfig }

// NewSession returns a Fetcher with a session of its own, which ends with ctx.
func (f factory) NewSession(ctx context.Context) fetcher.Fetcher {
	s := new(session)
	config, reify := f.config, hamt.RootsOr(f.config.NodeReifier)
	config.NodeReifier = func(lctx linking.LinkContext, node datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
		if hamt.IsRoot(node) {
			s.through = true
			lctx.Ctx = s.errs.Context(ctx)
		}
		return reify(lctx, node, lsys)
	}
	s.Fetcher = config.NewSession(ctx)
	return s
}

// session is a fetcher and what it has seen. As the others, it is for one
// goroutine.
type session struct {
	fetcher.Fetcher
	through bool            // a HAMT
	errs    hamt.LoadErrors // of lookups in HAMTs, which traversals pass over
}

// NodeMatching implements [fetcher.Fetcher].
func (s *session) NodeMatching(ctx context.Context, root, selector datamodel.Node, cb fetcher.FetchCallback) error {
	return s.result(s.Fetcher.NodeMatching(ctx, root, selector, cb))
}

// BlockOfType implements [fetcher.Fetcher].
func (s *session) BlockOfType(ctx context.Context, link datamodel.Link, prototype datamodel.NodePrototype) (datamodel.Node, error) {
	node, err := s.Fetcher.BlockOfType(ctx, link, prototype)
	return node, s.result(err)
}

// BlockMatchingOfType implements [fetcher.Fetcher].
func (s *session) BlockMatchingOfType(ctx context.Context, root datamodel.Link, selector datamodel.Node, prototype datamodel.NodePrototype, cb fetcher.FetchCallback) error {
	return s.result(s.Fetcher.BlockMatchingOfType(ctx, root, selector, prototype, cb))
}

// result returns what a traversal should have returned that returned err.
func (s *session) result(err error) error {
	if failed := s.errs.Err(); failed != nil {
		return unavailable(failed)
	}
	if err != nil && s.through {
		return unavailable(err)
	}
	return err
}
