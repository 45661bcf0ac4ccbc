package trie

import (
	"context"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
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

// Samples returns a sample of every level, the root first: of each at most width
// nodes, whose parents are in the sample of the level above. Where the store is
// slow, up to ahead of them are being loaded at the same time.
func (t *Tree) Samples(ctx context.Context, width, ahead int) ([]Sample, error) {
	l := newPreloader(ctx, t, 1, ahead)
	defer l.end()
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
		nodes, err := l.loadSample(chosen, depth+1)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{nodes, above.Each * float64(len(links)) / float64(len(chosen))})
	}
}

// evenly returns n of the links, evenly spaced, or all if there are no more.
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

// loadSample returns the nodes at a depth that some links lead to.
func (l *preloader) loadSample(links []sampleLink, depth int) ([]Sampled, error) {
	loads := make([]plannedLoad, len(links))
	for i, link := range links {
		loads[i] = plannedLoad{parent: link.parent.Node, position: link.position, depth: depth, sampled: link.path()}
	}
	p := l.plans[0]
	l.add(p, loads)
	nodes := make([]Sampled, len(links))
	for i, link := range links {
		node, _, err := l.take(p, &loads[i])
		if err != nil {
			return nil, err
		}
		nodes[i] = Sampled{node, link.path()}
	}
	return nodes, nil
}
