package work

import (
	"bytes"
	"context"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

const (
	// proofs is how many proofs make a run.
	proofs = 2000
	// keysTogether is how many keys have one proof together.
	keysTogether = 100
	// changesTogether is how many changes have one.
	changesTogether = 1000
)

// prover returns the subject's map, opened, if it can be proven.
func (s *Subject) prover(ctx context.Context) (peer.Prover, cid.Cid, error) {
	if _, ok := s.Peer.(peer.Verifier); !ok {
		return nil, cid.Undef, peer.ErrNotOffered
	}
	_, m, err := s.open(ctx, peer.AsUsual)
	if err != nil {
		return nil, cid.Undef, err
	}
	p, ok := m.(peer.Prover)
	if !ok {
		return nil, cid.Undef, peer.ErrNotOffered
	}
	return p, s.root, nil
}

// groups are the keys of the proofs of a run.
func (s *Subject) groups(together int) [][]string {
	keys := workload.Chosen(s.N, min(proofs, s.N))
	groups := make([][]string, 0, len(keys)/together+1)
	for len(keys) > 0 {
		n := min(together, len(keys))
		groups, keys = append(groups, keys[:n]), keys[n:]
	}
	return groups
}

func prove(together int) func(context.Context, *Subject) (Run, error) {
	return func(ctx context.Context, s *Subject) (Run, error) {
		m, _, err := s.prover(ctx)
		if err != nil {
			return Run{}, err
		}
		groups := s.groups(together)
		return Run{Do: func(ctx context.Context) (n int, err error) {
			var car bytes.Buffer
			for _, keys := range groups {
				car.Reset()
				if err := m.Prove(ctx, &car, keys); err != nil {
					return n, err
				}
				n += len(keys)
			}
			return n, nil
		}}, nil
	}
}

func check(together int) func(context.Context, *Subject) (Run, error) {
	return func(ctx context.Context, s *Subject) (Run, error) {
		m, root, err := s.prover(ctx)
		if err != nil {
			return Run{}, err
		}
		groups := s.groups(together)
		cars := make([]bytes.Buffer, len(groups))
		for i, keys := range groups {
			if err := m.Prove(ctx, &cars[i], keys); err != nil {
				return Run{}, err
			}
		}
		return Run{Do: func(context.Context) (n int, err error) {
			for i, keys := range groups {
				if err := s.Peer.(peer.Verifier).Check(cars[i].Bytes(), root, keys); err != nil {
					return n, err
				}
				n += len(keys)
			}
			return n, nil
		}}, nil
	}
}

// distinct returns sets without those that another one of the same key follows.
func distinct(sets []workload.Entry) []workload.Entry {
	last := map[string]int{}
	for i, e := range sets {
		last[e.Key] = i
	}
	var kept []workload.Entry
	for i, e := range sets {
		if last[e.Key] == i {
			kept = append(kept, e)
		}
	}
	return kept
}

func proveChange(ctx context.Context, s *Subject) (Run, error) {
	m, _, err := s.prover(ctx)
	if err != nil {
		return Run{}, err
	}
	sets := distinct(workload.Sets(s.N, min(changesTogether, s.N)))
	return Run{Do: func(ctx context.Context) (int, error) {
		var car bytes.Buffer
		_, err := m.ProveSets(ctx, &car, sets)
		return len(sets), err
	}}, nil
}

func checkChange(ctx context.Context, s *Subject) (Run, error) {
	m, root, err := s.prover(ctx)
	if err != nil {
		return Run{}, err
	}
	sets := distinct(workload.Sets(s.N, min(changesTogether, s.N)))
	var car bytes.Buffer
	next, err := m.ProveSets(ctx, &car, sets)
	if err != nil {
		return Run{}, err
	}
	return Run{Do: func(context.Context) (int, error) {
		return len(sets), s.Peer.(peer.Verifier).CheckSets(car.Bytes(), root, next, sets)
	}}, nil
}
