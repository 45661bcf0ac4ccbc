package hamt

import (
	"context"
	"io"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/internal/capture"
)

// LoadErrors are the errors that loads through a LinkSystem have had. It is safe
// for concurrent use, also while loads go on.
type LoadErrors struct{ list capture.List }

// Err returns all errors, joined, or nil where every load has succeeded.
func (e *LoadErrors) Err() error { return e.list.Err() }

// Errors returns the errors one by one, in the order in which they came up. One
// of a block names it and wraps its kind, fault.ErrMissing say; where a map has
// looked for the block it is a *fault.Error, which knows where in the map that
// was. The error of a context stays as it is. The same fault of the same block is
// there once. After the first thousand, errors are only counted, which Err tells.
func (e *LoadErrors) Errors() []error { return e.list.Errors() }

// Links returns the links of the blocks that the errors concern, each once: what
// to fetch, or to repair, before the next try.
func (e *LoadErrors) Links() []datamodel.Link { return e.list.Links() }

// Context returns a context for [Load], so that the map that it opens reports
// its errors here as maps do that CaptureErrors's LinkSystem has reified.
func (e *LoadErrors) Context(ctx context.Context) context.Context { return e.list.Context(ctx) }

// CaptureErrors returns a copy of a LinkSystem that keeps the errors of its
// loads, for traversals that must know whether they have seen everything:
// package traversal takes every error of a lookup for "there is no such entry"
// where a selector has ExploreFields or ExploreIndex. With a map, or any other
// ADL, a lookup loads blocks, and so a traversal with [KeySelector] succeeds and
// matches nothing if one of them is missing.
//
//	lsys, errs := hamt.CaptureErrors(lsys)
//	progress.Cfg.LinkSystem = *lsys
//	err := progress.WalkMatching(root, selector, visit)
//	if err == nil {
//		err = errs.Err() // not nil: the traversal was incomplete
//	}
//
// It has the errors of everything that is loaded through the copy: blocks that
// storage does not have or cannot read, whoever asks for them; and from lookups
// by path segment in maps that were reified through the copy also what is wrong
// with a block's hash or content. The reifiers that count are those that lsys
// has now, so [Register] first. A map that was reified through lsys goes on
// loading through lsys, past the copy.
//
// A load that storage refused with traversal.SkipMe is no error, and neither is
// a key that is not there. lsys stays as it is; the copy may be used as
// concurrently as lsys.
func CaptureErrors(lsys *linking.LinkSystem) (*linking.LinkSystem, *LoadErrors) {
	watched, errs := *lsys, new(LoadErrors)
	if open := lsys.StorageReadOpener; open != nil {
		watched.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
			add := func(err error) {
				if lctx.Ctx != nil && lctx.Ctx.Err() != nil {
					errs.list.Add(lctx.Ctx.Err())
					return
				}
				errs.list.AddLoad(link, err)
			}
			reader, err := open(lctx, link)
			if err != nil {
				add(err)
				return reader, err
			}
			if _, inMemory := reader.(interface{ Len() int }); inMemory {
				return reader, nil // bytes.Reader and the like: no read fails
			}
			return &watchedReader{reader, add}, nil
		}
	}
	watch := func(reify linking.NodeReifier) linking.NodeReifier {
		return func(lctx linking.LinkContext, node datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
			if lctx.Ctx == nil {
				lctx.Ctx = context.Background()
			}
			lctx.Ctx = errs.Context(lctx.Ctx)
			return reify(lctx, node, lsys)
		}
	}
	if lsys.NodeReifier != nil {
		watched.NodeReifier = watch(lsys.NodeReifier)
	}
	if lsys.KnownReifiers != nil {
		watched.KnownReifiers = map[string]linking.NodeReifier{}
		for name, reify := range lsys.KnownReifiers {
			watched.KnownReifiers[name] = watch(reify)
		}
	}
	return &watched, errs
}

// watchedReader reports the error that a read has.
type watchedReader struct {
	io.Reader
	add func(error)
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.add(err)
	}
	return n, err
}

// Close closes the reader below if it has to be closed.
func (r *watchedReader) Close() error {
	if closer, ok := r.Reader.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
