package store

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

// NotFound is the error for a block that is not in the store. It follows
// go-ipld-prime's convention for telling that.
type NotFound struct{ CID cid.Cid }

func (e NotFound) Error() string { return fmt.Sprintf("block %s is not in the store", e.CID) }

// NotFound is true.
func (e NotFound) NotFound() bool { return true }

// readFunc gives a block as a reader that knows its length, which spares
// whoever reads it all but one allocation.
type readFunc func(ctx context.Context, c cid.Cid) (io.Reader, error)

// newLinkSystem makes a LinkSystem that reads, and does not write yet. Blocks
// are checked against their links as they are read, whatever the store: a
// block that was damaged on disk is found, and hashing costs little.
func newLinkSystem(read readFunc) *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		c, err := cidOf(link)
		if err != nil {
			return nil, err
		}
		// The identity hash holds the block itself.
		if prefix := c.Prefix(); prefix.MhType == multihash.IDENTITY {
			decoded, err := multihash.Decode(c.Hash())
			if err != nil {
				return nil, err
			}
			return bytes.NewReader(decoded.Digest), nil
		}
		return read(lctx.Ctx, c)
	}
	return &lsys
}

// writable lets a LinkSystem write.
func writable(lsys *linking.LinkSystem, put func(c cid.Cid, block []byte) error) {
	lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		var buffer bytes.Buffer
		return &buffer, func(link datamodel.Link) error {
			c, err := cidOf(link)
			if err != nil {
				return err
			}
			return put(c, buffer.Bytes())
		}, nil
	}
}

func cidOf(link datamodel.Link) (cid.Cid, error) {
	cl, ok := link.(cidlink.Link)
	if !ok || !cl.Defined() {
		return cid.Undef, fmt.Errorf("link %v is not a CID", link)
	}
	return cl.Cid, nil
}
