package gateway

import (
	"bytes"

	"github.com/ipfs/go-cid"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime/codec"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/multicodec"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// maxInlined is how deep blocks are followed that stand within the CIDs of
// others: each level is read anew by all those around it.
const maxInlined = 16

// linksOf gives the blocks that a block links to. Where its codec is not known,
// or the block is not of its codec, it links to none: whoever reads it will say
// so.
func linksOf(c cid.Cid, block []byte) []cid.Cid { return linksWithin(c, block, maxInlined) }

func linksWithin(c cid.Cid, block []byte, depth int) (linked []cid.Cid) {
	decode, err := multicodec.LookupDecoder(c.Prefix().Codec)
	if err != nil || c.Prefix().Codec == cid.Raw {
		return nil
	}
	node, err := decoded(c, block, decode)
	if err != nil {
		return nil
	}
	links, err := traversal.SelectLinks(node)
	if err != nil {
		return nil
	}
	for _, link := range links {
		to, err := stores.CIDOf(link)
		if err != nil {
			continue
		}
		inlined, ok := stores.Inlined(to)
		switch {
		case !ok:
			linked = append(linked, to)
		case depth > 0:
			linked = append(linked, linksWithin(to, inlined, depth-1)...)
		}
	}
	return linked
}

func decoded(c cid.Cid, block []byte, decode codec.Decoder) (datamodel.Node, error) {
	var prototype datamodel.NodePrototype = basicnode.Prototype.Any
	if c.Prefix().Codec == cid.DagProtobuf {
		prototype = dagpb.Type.PBNode
	}
	b := prototype.NewBuilder()
	if err := decode(b, bytes.NewReader(block)); err != nil {
		return nil, err
	}
	return b.Build(), nil
}
