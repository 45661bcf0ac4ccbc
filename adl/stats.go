package adl

import "context"

// Stats describes a map and its tree.
type Stats struct {
	// Entries is the number of entries.
	Entries int64 `json:"entries"`
	// Blocks is the number of the map's own blocks.
	Blocks int64 `json:"blocks"`
	// Bytes is the sum of their lengths, as they are stored.
	Bytes int64 `json:"bytes"`
	// Levels describes each level of the tree, the root's first.
	Levels []Level `json:"levels"`
	// BucketFill[n] is the number of buckets with n entries; n goes from 0
	// (buckets that a peer's delete left empty) to the most there is.
	BucketFill []int64 `json:"bucketFill"`
}

// Level describes the nodes at one depth.
type Level struct {
	Nodes   int64 `json:"nodes"`
	Entries int64 `json:"entries"` // in the nodes' own buckets: the histogram of depths
	Links   int64 `json:"links"`   // to child nodes
	Buckets int64 `json:"buckets"`
	Bytes   int64 `json:"bytes"`
}

// Count counts the entries, by loading all blocks. The answer is kept; a Node
// made by building knows it already.
func (n *Node) Count(ctx context.Context) (int64, error) {
	n.mu.Lock()
	known := n.count
	n.mu.Unlock()
	if known >= 0 {
		return known, nil
	}
	var count int64
	for place, err := range n.nodes(ctx) {
		if err != nil {
			return 0, err
		}
		count += int64(place.Node().Entries())
	}
	n.mu.Lock()
	n.count = count
	n.mu.Unlock()
	return count, nil
}

// KnownCount is the number of entries if it is known without loading blocks.
func (n *Node) KnownCount() (count int64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count, n.count >= 0
}

// Stats describes the map and its tree, by loading all blocks.
func (n *Node) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	for place, err := range n.nodes(ctx) {
		if err != nil {
			return Stats{}, err
		}
		node := place.Node()
		if place.Depth() == len(s.Levels) {
			s.Levels = append(s.Levels, Level{})
		}
		level := &s.Levels[place.Depth()]
		level.Nodes++
		level.Entries += int64(node.Entries())
		level.Links += int64(node.Links())
		level.Buckets += int64(node.Len() - node.Links())
		level.Bytes += int64(node.Stored())
		for position := range node.Len() {
			if node.IsLink(position) {
				continue
			}
			fill := node.BucketLen(position)
			for fill >= len(s.BucketFill) {
				s.BucketFill = append(s.BucketFill, 0)
			}
			s.BucketFill[fill]++
		}
	}
	for _, level := range s.Levels {
		s.Entries += level.Entries
		s.Blocks += level.Nodes
		s.Bytes += level.Bytes
	}
	return s, nil
}
