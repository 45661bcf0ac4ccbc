package stores

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	// The codecs that blocks may be in.
	_ "github.com/ipld/go-ipld-prime/codec/cbor"
	_ "github.com/ipld/go-ipld-prime/codec/dagcbor"
	_ "github.com/ipld/go-ipld-prime/codec/dagjson"
	_ "github.com/ipld/go-ipld-prime/codec/json"
	_ "github.com/ipld/go-ipld-prime/codec/raw"
)

// Reading returns the LinkSystem of a store that opens blocks in its own way. A
// reader that has Len spares its reader all but one allocation; one that has
// Close is closed. Blocks whose CID holds them are not asked for, nor are those that
// a CID does not tell from others (CheckDigest).
func Reading(open func(ctx context.Context, c cid.Cid) (io.Reader, error)) *linking.LinkSystem {
	return reading(&digests{}, open)
}

// reading is Reading of blocks whose CIDs have certain digests.
func reading(d *digests, open func(ctx context.Context, c cid.Cid) (io.Reader, error)) *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		c, err := CIDOf(link)
		if err != nil {
			return nil, err
		}
		if err := d.check(c); err != nil {
			return nil, err
		}
		if block, ok := Inlined(c); ok {
			return bytes.NewReader(block), nil
		}
		return open(contextOf(lctx), c)
	}
	return &lsys
}

// ReadingBlocks is Reading of a store that returns whole blocks.
func ReadingBlocks(get func(ctx context.Context, c cid.Cid) ([]byte, error)) *linking.LinkSystem {
	return Reading(openBlocks(get))
}

// openBlocks opens blocks that come whole.
func openBlocks(get func(ctx context.Context, c cid.Cid) ([]byte, error)) func(ctx context.Context, c cid.Cid) (io.Reader, error) {
	return func(ctx context.Context, c cid.Cid) (io.Reader, error) {
		block, err := get(ctx, c)
		if err != nil {
			return nil, err
		}
		return bytes.NewReader(block), nil
	}
}

// Writing lets a LinkSystem write with put, and returns it.
func Writing(lsys *linking.LinkSystem, put func(ctx context.Context, c cid.Cid, block []byte) error) *linking.LinkSystem {
	lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		var buffer bytes.Buffer
		return &buffer, func(link datamodel.Link) error {
			c, err := CIDOf(link)
			if err != nil {
				return err
			}
			return put(contextOf(lctx), c, buffer.Bytes())
		}, nil
	}
	return lsys
}

// contextOf is the context of an access; LinkSystems may be used without one.
func contextOf(lctx linking.LinkContext) context.Context {
	if lctx.Ctx == nil {
		return context.Background()
	}
	return lctx.Ctx
}

// CIDOf is the CID of a link.
func CIDOf(link datamodel.Link) (cid.Cid, error) {
	cl, ok := link.(cidlink.Link)
	if !ok || !cl.Defined() {
		return cid.Undef, fmt.Errorf("link %v is not a CID", link)
	}
	return cl.Cid, nil
}

// Inlined returns a block that its own CID holds: the hash is the identity.
func Inlined(c cid.Cid) (block []byte, ok bool) {
	if c.Prefix().MhType != multihash.IDENTITY {
		return nil, false
	}
	decoded, err := multihash.Decode(c.Hash())
	if err != nil {
		return nil, false
	}
	return decoded.Digest, true
}

// Check returns an error, which wraps ErrWrongBytes, unless bytes are those of a CID.
func Check(c cid.Cid, block []byte) error {
	prefix := c.Prefix()
	sum, err := multihash.Sum(block, prefix.MhType, prefix.MhLength)
	if err != nil {
		return fmt.Errorf("block %s cannot be checked: %w", c, err)
	}
	if !bytes.Equal(sum, c.Hash()) {
		return fmt.Errorf("block %s: %w: %d bytes with another hash", c, ErrWrongBytes, len(block))
	}
	return nil
}
