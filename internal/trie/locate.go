package trie

import (
	"bytes"
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// Route is the way that the lookup of a key takes through a tree.
type Route struct {
	Way      []block.Step // the element taken in each node, from the root down
	Children [][]byte     // binary CIDs of the nodes visited below the root
	Entry    int          // position of the key's entry in the last element, -1 for none
}

// Locate returns the way that Lookup of a key takes, loading the same nodes.
//
// There is one step less than nodes where the last node has no element at the
// key's index, or a link and the key's digest is used up. On an error the Route
// is the way so far: its last element is the link to the node that could not be
// loaded.
func (t *Tree) Locate(ctx context.Context, key []byte) (Route, error) {
	var buf keyhash.Buffer
	digest := t.hasher.Sum(&buf, key)
	route, node := Route{Entry: -1}, t.root
	for depth := 0; hasBits(8*len(digest), depth, t.params.BitWidth); depth++ {
		index := keyhash.Index(digest, depth, t.params.BitWidth)
		position, there := node.Find(index)
		if !there {
			break
		}
		isLink := node.IsLink(position)
		if isLink && !hasBits(8*len(digest), depth+1, t.params.BitWidth) {
			break
		}
		route.Way = append(route.Way, block.Step{Position: position, Index: index, Bucket: !isLink})
		if !isLink {
			bucket := node.Bucket(position)
			for entry := 0; bucket.Next(); entry++ {
				if bytes.Equal(bucket.Key(), key) {
					route.Entry = entry
					break
				}
			}
			break
		}
		child, err := t.child(ctx, node, position, depth+1, blockio.Keep)
		if err != nil {
			return route, locatedCID(err, node.Link(position), t.pathOf(digest, depth+1))
		}
		route.Children = append(route.Children, node.Link(position))
		node = child
	}
	return route, nil
}
