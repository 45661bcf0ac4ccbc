// Package work says what is measured, for any peer.
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

// Work is one kind of work.
type Work struct {
	Name  string
	About string
	// Prepare does all that is not to be measured, for one run.
	Prepare func(ctx context.Context, s *Subject) (Run, error)
}

// Run is one run of a work.
type Run struct {
	// Do is what is measured. It says how many entries it was about.
	Do func(ctx context.Context) (entries int, err error)
	// Store is where the run writes to; nil where it does not.
	Store *memstore.Store
	// Slow is where the run reads from, if that is over a network.
	Slow *slowstore.Store
}

// All are the works, in the order of the table.
var All = []Work{
	{"build-node", "build through the data model's assembler (peers without one: set integers, write)", build(peer.AsNode)},
	{"build-raw", "build from encoded values (Bulk; peers: set raw, write)", build(peer.FromRaw)},
	{"build-txn", "set one by one (Txn; peers: set), then commit", build(peer.OneByOne)},
	{"sets", "random sets into a stored map, half of the keys new, then commit", sets},
	{"deletes", "delete a tenth of a stored map, then commit", deletes},
	{"lookup-warm", "look random keys up, all blocks in memory", lookupWarm},
	{"lookup-cold", "look random keys up, each from the root's link", lookupCold},
	{"iterate", "visit all entries from stored blocks, values not decoded", iterate},
	{"iterate-node", "visit all entries from stored blocks through the data model's iterator", iterateNode},
	{"prove", "write the proof of one key's value", prove(1)},
	{"check", "check the proof of one key's value, with nothing but the root", check(1)},
	{"prove-100", "write the proof of the values of 100 keys together", prove(keysTogether)},
	{"check-100", "check the proof of the values of 100 keys together", check(keysTogether)},
	{"prove-change", "write the proof that 1,000 sets make one map of another", proveChange},
	{"check-change", "check the proof that 1,000 sets make one map of another", checkChange},
}

// Subject is a peer at a size. It keeps what several runs can share.
type Subject struct {
	Peer    peer.Peer
	N       int
	entries []workload.Entry
	store   *memstore.Store // with the map of all entries
	root    cid.Cid
	warm    peer.Map // with all its blocks in memory

	versions map[int]version // by the number of changes
}

// NewSubject makes a subject over the first entries of the workload.
func NewSubject(p peer.Peer, entries []workload.Entry) *Subject {
	return &Subject{Peer: p, N: len(entries), entries: entries}
}

// Forget lets go of what was only kept for more runs of the same work.
func (s *Subject) Forget() { s.warm, s.versions = nil, nil }

// stored returns a store with the subject's map in it.
func (s *Subject) stored(ctx context.Context) (store *memstore.Store, root cid.Cid, err error) {
	if s.store == nil {
		store := memstore.New()
		if s.root, err = s.Peer.Build(ctx, store, peer.AsNode, s.entries); err != nil {
			return nil, cid.Undef, err
		}
		s.store = store
	}
	return s.store, s.root, nil
}

// open opens the stored map, in a store of its own.
func (s *Subject) open(ctx context.Context, cache peer.Cache) (*memstore.Store, peer.Map, error) {
	store, root, err := s.stored(ctx)
	if err != nil {
		return nil, nil, err
	}
	store = store.Clone()
	m, err := s.Peer.Open(ctx, store, root, peer.Reading{Cache: cache})
	return store, m, err
}

func build(how peer.How) func(context.Context, *Subject) (Run, error) {
	return func(_ context.Context, s *Subject) (Run, error) {
		store := memstore.New()
		return Run{Store: store, Do: func(ctx context.Context) (int, error) {
			_, err := s.Peer.Build(ctx, store, how, s.entries)
			return len(s.entries), err
		}}, nil
	}
}

// maxSets is the number of sets in a large map.
const maxSets = 10_000

func sets(ctx context.Context, s *Subject) (Run, error) {
	entries := workload.Sets(s.N, min(maxSets, s.N))
	return edit(ctx, s, entries, nil)
}

func deletes(ctx context.Context, s *Subject) (Run, error) {
	return edit(ctx, s, nil, workload.Chosen(s.N, s.N/10))
}

func edit(ctx context.Context, s *Subject, sets []workload.Entry, deletes []string) (Run, error) {
	store, m, err := s.open(ctx, peer.AsUsual)
	if err != nil {
		return Run{}, err
	}
	return Run{Store: store, Do: func(ctx context.Context) (int, error) {
		_, err := m.Edit(ctx, sets, deletes)
		return len(sets) + len(deletes), err
	}}, nil
}

// How many lookups make a run.
const (
	warmLookups = 200_000
	coldLookups = 20_000
)

func lookupWarm(ctx context.Context, s *Subject) (Run, error) {
	if s.warm == nil {
		_, m, err := s.open(ctx, peer.Everything)
		if err != nil {
			return Run{}, err
		}
		if err := warmUp(ctx, m, s.entries); err != nil {
			return Run{}, err
		}
		s.warm = m
	}
	keys := workload.Chosen(s.N, min(warmLookups, s.N))
	return Run{Do: func(ctx context.Context) (int, error) {
		for _, key := range keys {
			if _, err := s.warm.Get(ctx, key); err != nil {
				return 0, err
			}
		}
		return len(keys), nil
	}}, nil
}

// warmUp brings all blocks into memory, and checks every answer.
func warmUp(ctx context.Context, m peer.Map, entries []workload.Entry) error {
	for _, e := range entries {
		value, err := m.Get(ctx, e.Key)
		if err != nil {
			return err
		}
		if value != e.Value {
			return fmt.Errorf("wrong answer: key %s has value %d", e.Key, value)
		}
	}
	return nil
}

func lookupCold(ctx context.Context, s *Subject) (Run, error) {
	store, root, err := s.stored(ctx)
	if err != nil {
		return Run{}, err
	}
	keys := workload.Chosen(s.N, min(coldLookups, s.N))
	return Run{Do: func(ctx context.Context) (int, error) {
		for _, key := range keys {
			m, err := s.Peer.Open(ctx, store, root, peer.Reading{})
			if err != nil {
				return 0, err
			}
			if _, err := m.Get(ctx, key); err != nil {
				return 0, err
			}
		}
		return len(keys), nil
	}}, nil
}

func iterate(ctx context.Context, s *Subject) (Run, error) {
	return visit(ctx, s, peer.Map.Entries)
}

func iterateNode(ctx context.Context, s *Subject) (Run, error) {
	return visit(ctx, s, peer.Map.Nodes)
}

func visit(ctx context.Context, s *Subject, all func(peer.Map, context.Context) (int, error)) (Run, error) {
	_, m, err := s.open(ctx, peer.AsUsual)
	if err != nil {
		return Run{}, err
	}
	return Run{Do: func(ctx context.Context) (int, error) {
		n, err := all(m, ctx)
		return n, s.counted(n, err)
	}}, nil
}
