package adl

import (
	"context"
	"iter"
	"math"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// Block is one of a map's own blocks.
type Block struct {
	Link datamodel.Link
	// Bytes are the block as it is stored. They are shared: do not change them.
	Bytes []byte
}

// RawBlocks visits all the map's blocks in the order of Blocks, and returns their
// bytes too: what a copy, or a CAR, is made of. The blocks are those that the
// walk has loaded ahead; only blocks that are not in DAG-CBOR and not written
// the canonical way, or of a node in several blocks, are asked for once more. It is
// over after an error.
func (n *Node) RawBlocks(ctx context.Context) iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		root, err := n.Link()
		if err != nil {
			yield(Block{}, err)
			return
		}
		writer, err := blockio.NewWriter(n.tree.Loader().LinkSystem(), n.LinkPrototype(), math.MaxInt)
		if err != nil {
			yield(Block{}, err)
			return
		}
		for visit, err := range n.nodes(ctx, n.settings.ReadAhead) {
			if err != nil {
				yield(Block{}, err)
				return
			}
			b := Block{Link: root}
			if visit.CID() != nil {
				b.Link, err = blockio.Link(visit.CID())
			}
			if err == nil {
				b.Bytes, err = writer.Stored(ctx, b.Link, visit.Node())
				if f, ok := err.(*fault.Error); ok {
					err = faults.At(f, nil, b.Link, visit.Path())
				}
			}
			if !yield(b, err) || err != nil {
				return
			}
			for part := range visit.Node().Parts {
				if b.Link, err = blockio.Link(part); err == nil {
					b.Bytes, err = writer.Load(ctx, b.Link)
				}
				if f, ok := err.(*fault.Error); ok {
					err = faults.At(f, nil, b.Link, visit.Path())
				}
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}
}

// BlockLinks returns the links in one of the map's own blocks: to the map's blocks
// below it, and in the values of its entries, each in their order. The block may
// have come from anywhere: it is parsed as the root where its link is the map's,
// else as a block below it, and its bytes are not checked against its link. With
// it, whoever is sent blocks knows which of those to come are the map's.
func (n *Node) BlockLinks(b Block) (below, inValues []datamodel.Link, err error) {
	link, ok := b.Link.(cidlink.Link)
	if !ok || !link.Defined() {
		return nil, nil, faults.New(fault.ErrMalformed, "link %v is not a CID", b.Link)
	}
	root, err := n.Link()
	if err != nil {
		return nil, nil, err
	}
	node, err := n.tree.Loader().ParseForeign(link, b.Bytes, n.Params(), link == root)
	if err != nil {
		return nil, nil, faults.At(err, fault.ErrMalformed, link, nil)
	}
	add := func(links *[]datamodel.Link, binaryCID []byte) {
		link, linkErr := blockio.Link(binaryCID)
		if linkErr != nil {
			err = faults.At(linkErr, fault.ErrMalformed, b.Link, nil)
			return
		}
		*links = append(*links, link)
	}
	for position := range node.Len() {
		if node.IsLink(position) {
			add(&below, node.Link(position))
			continue
		}
		for bucket := node.Bucket(position); bucket.Next(); {
			for binaryCID := range cbor.Links(bucket.Value()) {
				add(&inValues, binaryCID)
			}
		}
	}
	return below, inValues, err
}
