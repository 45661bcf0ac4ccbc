package adl

import (
	"context"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
)

// Location is where the entry of a key stands in the blocks of a map, as code
// sees them that knows nothing of HAMTs.
type Location struct {
	// Blocks are the links of the blocks from the root to the one that holds
	// the entry, in that order: they prove that the entry is in the map.
	Blocks []datamodel.Link
	// Path leads to the value from the data model form of the root block,
	// through the links to the other blocks:
	//
	//	hamt/1/9/1/12/0/1
	//	│    │ │ │ │  │ └ value of the entry
	//	│    │ │ │ │  └ entry of the bucket
	//	│    │ │ │ └ element of the node's data: a bucket
	//	│    │ │ └ data of the node
	//	│    │ └ element of the node's data: a link to a child node
	//	│    └ data of the node
	//	└ node in the root block
	//
	// In Filecoin's layouts the root block is a node itself; in the older one
	// each element is a keyed union, so that "0" (link) or "1" (bucket) follows
	// on each element's number. In that of py-hamt the index of an element leads
	// to it, and from a bucket the key to the value: 9/0/12/zarr.json. No path
	// leads through nodes that are UnixFS files.
	Path datamodel.Path
}

// Block returns the link of the block that holds the entry, which is the last
// of Blocks.
func (l Location) Block() datamodel.Link { return l.Blocks[len(l.Blocks)-1] }

// Locate returns where the entry of a key stands. Any IPLD implementation
// resolves Location.Path, with or without this package; one request to a
// trustless gateway for that path under the root, with dag-scope=block, returns
// exactly Location.Blocks where the value is no link.
//
// It loads the blocks that Get loads. A key that is not there is
// datamodel.ErrNotExists, and the Location is still returned: Blocks are those
// that prove the absence, and Path leads to where the entry would stand, a node
// without an element at the key's index (or with a link there, where the key's digest
// is used up) or a bucket without the key. A block
// that cannot be loaded or read is a *fault.Error; Blocks are those before it
// then, and Path leads to its link.
//
// Locate is safe for concurrent use as far as the LinkSystem is.
func (n *Node) Locate(ctx context.Context, key []byte) (Location, error) {
	root, err := n.Link()
	if err != nil {
		return Location{}, err
	}
	route, err := n.tree.Locate(ctx, key)
	l := Location{Blocks: []datamodel.Link{root}, Path: block.LayoutOf(n.Params().Layout).Path(route.Way, key, route.Entry)}
	for _, binaryCID := range route.Children {
		link, err := blockio.Link(binaryCID)
		if err != nil {
			return l, err // the block came by it, so this cannot be
		}
		l.Blocks = append(l.Blocks, link)
	}
	if err == nil && route.Entry < 0 {
		err = datamodel.ErrNotExists{Segment: datamodel.PathSegmentOfString(string(key))}
	}
	return l, err
}

// LocateString is Locate by the bytes of a string.
func (n *Node) LocateString(ctx context.Context, key string) (Location, error) {
	return n.Locate(ctx, bytesOf(key))
}
