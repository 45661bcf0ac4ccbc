package peer

import (
	"bytes"
	"context"

	filecoin "github.com/filecoin-project/go-hamt-ipld/v3"
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
)

// Differ is a Peer that tells what changed between two maps.
type Differ interface {
	Peer
	// Diff opens two maps in a store and counts the changes between them, each of
	// which it has with both values.
	Diff(ctx context.Context, store Store, a, b cid.Cid, how Reading) (changes int, err error)
}

// Differs are the ways to a diff, of which not each is a peer of its own otherwise.
func Differs() []Differ {
	return []Differ{Ours{}, Ours{Trusted: true}, TwoWalks{}, GoHamtIpld{}, ParallelDiff{}}
}

// both opens two maps.
func (o Ours) both(ctx context.Context, store Store, a, b cid.Cid, how Reading) (before, after *adl.Node, err error) {
	x, err := o.Open(ctx, store, a, how)
	if err != nil {
		return nil, nil, err
	}
	y, err := o.Open(ctx, store, b, how)
	if err != nil {
		return nil, nil, err
	}
	return x.(ourMap).node, y.(ourMap).node, nil
}

func (o Ours) Diff(ctx context.Context, store Store, a, b cid.Cid, how Reading) (n int, err error) {
	before, after, err := o.both(ctx, store, a, b, how)
	if err != nil {
		return 0, err
	}
	for c, err := range diff.Changes(ctx, before, after) {
		if err != nil {
			return n, err
		}
		if len(c.Key) == 0 || !c.Before.Exists() && !c.After.Exists() {
			return n, errWrongAnswer
		}
		n++
	}
	return n, nil
}

// TwoWalks is the diff of who has none: walk both maps whole, with what the first one
// has in memory.
type TwoWalks struct{ Ours }

func (TwoWalks) Name() string { return "two-full-walks" }

func (w TwoWalks) Diff(ctx context.Context, store Store, a, b cid.Cid, how Reading) (n int, err error) {
	before, after, err := w.both(ctx, store, a, b, how)
	if err != nil {
		return 0, err
	}
	values := map[string][]byte{}
	for e, err := range before.Entries(ctx) {
		if err != nil {
			return n, err
		}
		values[e.KeyString()] = e.Raw()
	}
	for e, err := range after.Entries(ctx) {
		if err != nil {
			return n, err
		}
		value, ok := values[string(e.Key())]
		if !ok || !bytes.Equal(value, e.Raw()) {
			n++
		}
		if ok {
			delete(values, string(e.Key()))
		}
	}
	return n + len(values), nil
}

func (GoHamtIpld) Diff(ctx context.Context, store Store, a, b cid.Cid, _ Reading) (int, error) {
	changes, err := filecoin.Diff(ctx, store.IpldStore(), store.IpldStore(), a, b, filecoinOptions...)
	return len(changes), err
}

// ParallelDiff is go-hamt-ipld's other way to a diff.
type ParallelDiff struct{ GoHamtIpld }

func (ParallelDiff) Name() string { return "go-hamt-ipld-parallel" }

func (ParallelDiff) Concurrent() bool { return true }

func (ParallelDiff) Diff(ctx context.Context, store Store, a, b cid.Cid, how Reading) (int, error) {
	workers := int64(64)
	if how.AtOnce > 0 {
		workers = int64(how.AtOnce)
	}
	changes, err := filecoin.ParallelDiff(ctx, store.IpldStore(), store.IpldStore(), a, b, workers, filecoinOptions...)
	return len(changes), err
}
