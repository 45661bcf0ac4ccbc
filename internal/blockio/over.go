package blockio

import (
	"bytes"
	"context"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// ReadFunc returns the block of a CID, which nobody changes afterwards.
type ReadFunc func(ctx context.Context, c cid.Cid) ([]byte, error)

// NewOver returns a loader of the blocks that read returns, with no other store. The
// codecs and hash functions are those that go-ipld-prime knows by itself.
func NewOver(read ReadFunc, cacheBytes, maxRead int64) *Loader {
	return newOver(cidlink.DefaultLinkSystem(), read, cacheBytes, maxRead)
}

// Over returns a loader with the limits, codecs and hash functions of l, of the
// blocks that read returns. Each is checked against its link, whether l trusts its
// storage or not.
func (l *Loader) Over(read ReadFunc, cacheBytes int64) *Loader {
	return newOver(l.lsys, read, cacheBytes, l.maxRead)
}

func newOver(lsys linking.LinkSystem, read ReadFunc, cacheBytes, maxRead int64) *Loader {
	lsys.TrustedStorage = false
	lsys.StorageWriteOpener = nil
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		cl, ok := link.(cidlink.Link)
		if !ok {
			return nil, faults.New(fault.ErrMissing, "link %v is not a CID", link)
		}
		raw, err := read(lctx.Ctx, cl.Cid)
		if err != nil {
			return nil, err
		}
		return bytes.NewReader(raw), nil
	}
	return NewLoader(&lsys, cacheBytes, maxRead)
}

// ReadBlock returns the bytes of a block as the store has them, not checked against
// its CID. Faults come without link and path.
func (l *Loader) ReadBlock(ctx context.Context, c cid.Cid) ([]byte, error) {
	buffer, err := l.read(ctx, cidlink.Link{Cid: c})
	if err != nil {
		return nil, err
	}
	defer putBuffer(buffer)
	return bytes.Clone(*buffer), nil
}
