package adl

import (
	"context"
	"math"
)

// Estimate is about how large a map is.
type Estimate struct {
	Entries int64
	Blocks  int64
	Exact   bool // all blocks were looked at
}

// sampleWidth is how many nodes of a level an estimate looks at: some hundred
// entries of the lowest level, for an error of some percent.
const sampleWidth = 32

// Estimate tells about how large the map is, by loading at most 32 blocks of
// each level: keys are spread by their hashes, so that any part of a tree is
// like any other. It is good to some percent; for a map of few blocks it is
// exact. The blocks it has loaded are not loaded again by a walk soon after, as
// far as the cache has room for them.
func (n *Node) Estimate(ctx context.Context) (Estimate, error) {
	samples, err := n.tree.Samples(ctx, sampleWidth, n.settings.ReadAhead)
	if err != nil {
		return Estimate{}, err
	}
	var entries, blocks float64
	exact := true
	for _, sample := range samples {
		for _, node := range sample.Nodes {
			entries += sample.Each * float64(node.Entries())
		}
		blocks += sample.Each * float64(len(sample.Nodes))
		exact = exact && sample.Each == 1
	}
	return Estimate{int64(math.Round(entries)), int64(math.Round(blocks)), exact}, nil
}
