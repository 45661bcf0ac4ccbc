package gateway

import (
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/links"
)

// maxInlined is how deep blocks are followed that stand within the CIDs of
// others: each level is read anew by all those around it.
const maxInlined = 16

// linksOf returns the blocks that a block links to. Where its codec is not known,
// or the block is not of its codec, it links to none: whoever reads it will say
// so.
func linksOf(c cid.Cid, block []byte) []cid.Cid { return linksWithin(c, block, maxInlined) }

func linksWithin(c cid.Cid, block []byte, depth int) (linked []cid.Cid) {
	found, _, err := links.Of(c, block)
	if err != nil {
		return nil
	}
	for _, to := range found {
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
