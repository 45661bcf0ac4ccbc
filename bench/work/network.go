package work

import (
	"context"
	"fmt"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/slowstore"
)

// Latency is how long each block takes in the works over a network.
const Latency = 20 * time.Millisecond

// DefaultAtOnce is how many blocks are asked for at the same time there.
const DefaultAtOnce = 64

// OverNetwork are the works over a simulated network, with so many requests
// at once: iterating is for every peer, the others for a peer.Walker.
func OverNetwork(atOnce int) []Work {
	over := func(name, about string, do func(context.Context, *Subject, peer.Map) error) Work {
		return Work{name, about, func(ctx context.Context, s *Subject) (Run, error) {
			return s.overNetwork(ctx, atOnce, do)
		}}
	}
	return []Work{
		over("network-iterate", "visit all entries over a network of 20 ms a block", networkIterate),
		over("network-count", "count all entries over that network", networkCount),
		over("network-verify", "verify the whole map over that network", networkVerify),
	}
}

func (s *Subject) overNetwork(ctx context.Context, atOnce int, do func(context.Context, *Subject, peer.Map) error) (Run, error) {
	store, root, err := s.stored(ctx)
	if err != nil {
		return Run{}, err
	}
	slow := slowstore.Network{Latency: Latency, AtOnce: atOnce}.Over(store)
	m, err := s.Peer.Open(ctx, slow, root, peer.Reading{Cache: peer.Nothing, AtOnce: atOnce})
	if err != nil {
		return Run{}, err
	}
	return Run{Slow: slow, Do: func(ctx context.Context) (int, error) { return s.N, do(ctx, s, m) }}, nil
}

func networkIterate(ctx context.Context, s *Subject, m peer.Map) error {
	n, err := m.Entries(ctx)
	return s.counted(n, err)
}

func networkCount(ctx context.Context, s *Subject, m peer.Map) error {
	walker, ok := m.(peer.Walker)
	if !ok {
		return peer.ErrNotOffered
	}
	n, err := walker.Count(ctx)
	return s.counted(n, err)
}

func networkVerify(ctx context.Context, s *Subject, m peer.Map) error {
	walker, ok := m.(peer.Walker)
	if !ok {
		return peer.ErrNotOffered
	}
	faults, err := walker.Verify(ctx)
	if err == nil && faults > 0 {
		err = fmt.Errorf("wrong answer: %d faults in a map that has none", faults)
	}
	return err
}

// counted checks a number of entries.
func (s *Subject) counted(n int, err error) error {
	if err == nil && n != s.N {
		err = fmt.Errorf("wrong answer: %d entries, not %d", n, s.N)
	}
	return err
}
