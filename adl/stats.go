package adl

import (
	"context"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

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
	return n.countAhead(ctx, n.settings.ReadAhead)
}

// countAhead is Count with up to ahead loads under way.
func (n *Node) countAhead(ctx context.Context, ahead int) (int64, error) {
	if known, ok := n.KnownCount(); ok {
		return known, nil
	}
	var count int64
	for visit, err := range n.nodes(ctx, ahead) {
		if err != nil {
			return 0, err
		}
		count += int64(visit.Node().Entries())
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

// Stats describes the map and its tree, by loading all blocks. The answer is
// kept; a Verify that found no fault knows it too.
func (n *Node) Stats(ctx context.Context) (Stats, error) {
	n.mu.Lock()
	known := n.stats
	n.mu.Unlock()
	if known != nil {
		return known.clone(), nil
	}
	var c census
	for visit, err := range n.nodes(ctx, n.settings.ReadAhead) {
		if err != nil {
			return Stats{}, err
		}
		c.add(visit)
	}
	return n.keep(c), nil
}

// census is Stats while nodes are being counted: the sums are not made yet.
type census struct{ stats Stats }

func (c *census) add(visit *trie.Visit) {
	s, node := &c.stats, visit.Node()
	if visit.Depth() == len(s.Levels) {
		s.Levels = append(s.Levels, Level{})
	}
	level := &s.Levels[visit.Depth()]
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

// keep remembers the outcome of a walk over all nodes.
func (n *Node) keep(c census) Stats {
	s := c.stats
	for _, level := range s.Levels {
		s.Entries += level.Entries
		s.Blocks += level.Nodes
		s.Bytes += level.Bytes
	}
	n.mu.Lock()
	n.count, n.stats = s.Entries, &s
	n.mu.Unlock()
	return s.clone()
}

func (s Stats) clone() Stats {
	s.Levels, s.BucketFill = slices.Clone(s.Levels), slices.Clone(s.BucketFill)
	return s
}
