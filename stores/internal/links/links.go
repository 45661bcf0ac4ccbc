// Package links finds what blocks link to.
package links

import (
	"bytes"

	"github.com/ipfs/go-cid"
	dagpb "github.com/ipld/go-codec-dagpb" // the codec of files on IPFS
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/multicodec"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/stores" // and the codecs that it knows
)

// Of returns the links in a block, in their order; known is false where its codec
// is not.
func Of(c cid.Cid, block []byte) (links []cid.Cid, known bool, err error) {
	code := c.Prefix().Codec
	switch code {
	case cid.Raw:
		return nil, true, nil
	case cid.DagCBOR:
		if err := inCBOR(block, func(c cid.Cid) { links = append(links, c) }); err != nil {
			return nil, true, err
		}
		return links, true, nil
	}
	decode, err := multicodec.LookupDecoder(code)
	if err != nil {
		return nil, false, nil
	}
	var prototype datamodel.NodePrototype = basicnode.Prototype.Any
	if code == cid.DagProtobuf {
		prototype = dagpb.Type.PBNode
	}
	b := prototype.NewBuilder()
	if err := decode(b, bytes.NewReader(block)); err != nil {
		return nil, true, err
	}
	found, err := traversal.SelectLinks(b.Build())
	if err != nil {
		return nil, true, err
	}
	for _, link := range found {
		to, err := stores.CIDOf(link)
		if err != nil {
			return nil, true, err
		}
		links = append(links, to)
	}
	return links, true, nil
}

// InDagCBOR returns the links in a value.
func InDagCBOR(value []byte) ([]cid.Cid, error) {
	links, _, err := Of(cid.NewCidV1(cid.DagCBOR, nil), value)
	return links, err
}
