package blockio

import (
	"crypto/sha256"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"
)

// DefaultLinkPrototype is DAG-CBOR under CIDv1 and sha2-256.
var DefaultLinkPrototype = cidlink.LinkPrototype{Prefix: cid.Prefix{
	Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(multicodec.Sha2_256), MhLength: sha256.Size,
}}

// Normal returns the form of a link prototype that can be compared: the length
// of the digest is given, except for the identity hash, where every block has
// its own.
func Normal(lp cidlink.LinkPrototype) cidlink.LinkPrototype {
	if lp.MhType == uint64(multicodec.Identity) {
		lp.MhLength = -1
	} else if length, ok := multihash.DefaultLengths[lp.MhType]; ok && lp.MhLength < 0 {
		lp.MhLength = length
	}
	return lp
}

// Link returns the link of a binary CID.
func Link(binaryCID []byte) (datamodel.Link, error) {
	c, err := cid.Cast(binaryCID)
	if err != nil {
		return nil, fmt.Errorf("hamt: %w", err)
	}
	return cidlink.Link{Cid: c}, nil
}
