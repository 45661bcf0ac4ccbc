package work

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/bench/memstore"
	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/slowstore"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// Diffs are the works for a peer.Differ: two maps are opened, and the changes between
// them counted. An entry is a change.
var Diffs = []Work{
	{"diff-1", "find one change between two stored maps", diffOf(1)},
	{"diff-1000", "find 1,000 changes: a third each new, set to another value and deleted", diffOf(1000)},
	{"diff-100000", "find 100,000 changes", diffOf(100_000)},
}

// DiffsOverNetwork are the works for a peer.Differ over a simulated network.
func DiffsOverNetwork(atOnce int) []Work {
	return []Work{{"network-diff-1000", "find 1,000 changes over a network of 20 ms a block", func(ctx context.Context, s *Subject) (Run, error) {
		v, err := s.version(ctx, 1000)
		if err != nil {
			return Run{}, err
		}
		slow := slowstore.Network{Latency: Latency, AtOnce: atOnce}.Over(v.store)
		run, err := s.diff(v, slow, peer.Reading{Cache: peer.Nothing, AtOnce: atOnce})
		run.Slow = slow
		return run, err
	}}}
}

// version is a map that changes were made to.
type version struct {
	store   *memstore.Store // with both
	root    cid.Cid
	changes int
}

// version returns the subject's map with k changes.
func (s *Subject) version(ctx context.Context, k int) (v version, err error) {
	k = min(k, s.N)
	if v, ok := s.versions[k]; ok {
		return v, nil
	}
	var m peer.Map
	if v.store, m, err = s.open(ctx, peer.AsUsual); err != nil {
		return version{}, err
	}
	deletes := workload.Chosen(s.N, k/3)
	changed := map[string]bool{}
	for _, key := range deletes {
		changed[key] = true
	}
	var sets []workload.Entry
	for _, e := range workload.Sets(s.N, 2*s.N) {
		if len(changed) == k {
			break
		}
		if !changed[e.Key] {
			changed[e.Key] = true
			sets = append(sets, e)
		}
	}
	if v.root, err = m.Edit(ctx, sets, deletes); err != nil {
		return version{}, err
	}
	v.changes = len(changed)
	if s.versions == nil {
		s.versions = map[int]version{}
	}
	s.versions[k] = v
	return v, nil
}

func diffOf(k int) func(context.Context, *Subject) (Run, error) {
	return func(ctx context.Context, s *Subject) (Run, error) {
		v, err := s.version(ctx, k)
		if err != nil {
			return Run{}, err
		}
		return s.diff(v, v.store, peer.Reading{})
	}
}

// diff is a run that finds the changes of a version.
func (s *Subject) diff(v version, store peer.Store, how peer.Reading) (Run, error) {
	differ, ok := s.Peer.(peer.Differ)
	if !ok {
		return Run{}, peer.ErrNotOffered
	}
	return Run{Do: func(ctx context.Context) (int, error) {
		n, err := differ.Diff(ctx, store, s.root, v.root, how)
		if err == nil && n != v.changes {
			err = fmt.Errorf("wrong answer: %d changes, not %d", n, v.changes)
		}
		return n, err
	}}, nil
}
