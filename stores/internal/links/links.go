// Package links finds what blocks link to.
package links

import (
	"bytes"

	"github.com/ipfs/go-cid"
	_ "github.com/ipld/go-codec-dagpb"         // the codec of files on IPFS
	"github.com/ipld/go-ipld-prime/multicodec" // and the codecs that package stores knows
)

// Of returns the links in a block, in their order; known is false where its codec
// is not.
func Of(c cid.Cid, block []byte) (links []cid.Cid, known bool, err error) {
	const cbor = 0x51 // links are those of DAG-CBOR, where it has some
	code := c.Prefix().Codec
	add := func(c cid.Cid) { links = append(links, c) }
	switch code {
	case cid.Raw:
		return nil, true, nil
	case cid.DagCBOR, cbor:
		if err := inCBOR(block, add); err != nil {
			return nil, true, err
		}
		return links, true, nil
	}
	decode, err := multicodec.LookupDecoder(code)
	if err != nil {
		return nil, false, nil
	}
	// A buffer, of which some decoders take the bytes as they are.
	if err := decode(collector{add}, bytes.NewBuffer(block)); err != nil {
		return nil, true, err
	}
	return links, true, nil
}

// InDagCBOR returns the links in a value.
func InDagCBOR(value []byte) ([]cid.Cid, error) {
	links, _, err := Of(cid.NewCidV1(cid.DagCBOR, nil), value)
	return links, err
}
