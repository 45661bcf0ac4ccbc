package trie

import (
	"bytes"
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// Route is the way that the lookup of a key takes through a tree.
type Route struct {
	Positions []int    // of the element taken in each node, from the root down
	Children  [][]byte // binary CIDs of the nodes visited below the root
	Bucket    bool     // the last element is a bucket, not a link
	Entry     int      // position of the key's entry in that bucket, -1 for none
}

// Locate returns the way that Lookup of a key takes, loading the same nodes.
//
// There is one position less than nodes where the last node has no element at
// the key's index, or a link and the key's digest is used up. On an error the Route is the way so far: its last element is
// the link to the node that could not be loaded.
func (t *Tree) Locate(ctx context.Context, key []byte) (Route, error) {
	var buf keyhash.Buffer
	digest := t.hasher.Sum(&buf, key)
	route, node := Route{Entry: -1}, t.root
	for depth := 0; hasBits(8*len(digest), depth, t.params.BitWidth); depth++ {
		position, there := node.Find(keyhash.Index(digest, depth, t.params.BitWidth))
		if !there || node.IsLink(position) && !hasBits(8*len(digest), depth+1, t.params.BitWidth) {
			break
		}
		route.Positions = append(route.Positions, position)
		if !node.IsLink(position) {
			route.Bucket = true
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
