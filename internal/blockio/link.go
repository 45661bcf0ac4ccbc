package blockio

import (
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
)

// DefaultLinkPrototype is DAG-CBOR under CIDv1 and sha2-256.
var DefaultLinkPrototype = DefaultOf(&block.Layout{BlockHash: multicodec.Sha2_256})

// DefaultOf returns what names the blocks of maps in a layout unless told
// otherwise: DAG-CBOR under CIDv1 and the layout's hash.
func DefaultOf(layout *block.Layout) cidlink.LinkPrototype {
	return Normal(cidlink.LinkPrototype{Prefix: cid.Prefix{
		Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(layout.BlockHash), MhLength: -1,
	}})
}

// PrototypeOf returns the link prototype of a map's nodes by the link of one. A node
// that is a UnixFS file under CIDv1 is so because it is large, and others are not.
func PrototypeOf(link datamodel.Link) datamodel.LinkPrototype {
	lp := link.Prototype()
	if prototype, ok := lp.(cidlink.LinkPrototype); ok && prototype.Version == 1 && NamesFiles(lp) {
		prototype.Codec = uint64(multicodec.DagCbor)
		return prototype
	}
	return lp
}

// NamesFiles reports whether a link prototype names nodes as the content of UnixFS
// files: it is for dag-pb.
func NamesFiles(lp datamodel.LinkPrototype) bool {
	prototype, ok := lp.(cidlink.LinkPrototype)
	return ok && prototype.Codec == uint64(multicodec.DagPb)
}

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
