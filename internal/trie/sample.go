package trie

import (
	"context"
	"slices"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
)

// Sample is some of the nodes at one depth.
type Sample struct {
	Nodes []Sampled
	// Each node stands for so many at that depth, itself among them.
	Each float64
}

// Sampled is a node of a sample.
type Sampled struct {
	*block.Node
	path fault.Path
}

// sampleLink is a link that a sample may go on with.
type sampleLink struct {
	parent   Sampled
	position int
	index    int
}

func (l sampleLink) path() fault.Path { return append(slices.Clip(l.parent.path), l.index) }

// Samples gives a sample of every level, the root first: of each at most width
// nodes, whose parents are in the sample of the level above. Up to ahead of
// them are being loaded at the same time.
func (t *Tree) Samples(ctx context.Context, width, ahead int) ([]Sample, error) {
	samples := []Sample{{Nodes: []Sampled{{t.root, nil}}, Each: 1}}
	for depth := 0; ; depth++ {
		above := samples[depth]
		var links []sampleLink
		for _, node := range above.Nodes {
			node.Indexes(func(position, index int) bool {
				if node.IsLink(position) {
					links = append(links, sampleLink{node, position, index})
				}
				return true
			})
		}
		if len(links) == 0 {
			return samples, nil
		}
		chosen := evenly(links, width)
		nodes, err := t.load(ctx, chosen, depth+1, ahead)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{nodes, above.Each * float64(len(links)) / float64(len(chosen))})
	}
}

// evenly chooses n links, or all where there are no more.
func evenly(links []sampleLink, n int) []sampleLink {
	if len(links) <= n {
		return links
	}
	chosen := make([]sampleLink, n)
	for i := range chosen {
		chosen[i] = links[i*len(links)/n]
	}
	return chosen
}

// load loads nodes at depth.
func (t *Tree) load(ctx context.Context, links []sampleLink, depth, ahead int) ([]Sampled, error) {
	nodes := make([]Sampled, len(links))
	errs := make([]error, len(links))
	load := func(i int) {
		l := links[i]
		node, err := t.child(ctx, l.parent.Node, l.position, depth, blockio.Keep)
		if err != nil {
			errs[i] = locatedCID(err, l.parent.Link(l.position), l.path())
		}
		nodes[i] = Sampled{node, l.path()}
	}
	for first := 0; first < len(links); first += max(1, ahead) {
		var wait sync.WaitGroup
		for i := first; i < min(first+max(1, ahead), len(links)); i++ {
			if ahead < 2 {
				load(i)
				continue
			}
			wait.Go(func() { load(i) })
		}
		wait.Wait()
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return nodes, nil
}
