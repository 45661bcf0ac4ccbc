package peer

import (
	"context"
	"crypto/sha256"

	filecoin "github.com/filecoin-project/go-hamt-ipld/v3"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// GoHamtIpld is Filecoin's github.com/filecoin-project/go-hamt-ipld/v3. Its
// buckets hold three entries, always.
type GoHamtIpld struct{}

func (GoHamtIpld) Name() string     { return "go-hamt-ipld" }
func (GoHamtIpld) Slow() bool       { return false }
func (GoHamtIpld) Concurrent() bool { return false }

var filecoinOptions = []filecoin.Option{
	filecoin.UseTreeBitWidth(BitWidth),
	filecoin.UseHashFunction(func(key []byte) []byte {
		digest := sha256.Sum256(key)
		return digest[:]
	}),
}

func (GoHamtIpld) Build(ctx context.Context, store Store, how How, entries []workload.Entry) (cid.Cid, error) {
	root, err := filecoin.NewNode(store.IpldStore(), filecoinOptions...)
	if err != nil {
		return cid.Undef, err
	}
	if how != FromRaw {
		return filecoinMap{root}.Edit(ctx, entries, nil)
	}
	for _, e := range entries {
		if err := root.SetRaw(ctx, e.Key, e.Raw); err != nil {
			return cid.Undef, err
		}
	}
	return root.Write(ctx)
}

// Open keeps every node that was loaded, whether asked to or not.
func (GoHamtIpld) Open(ctx context.Context, store Store, root cid.Cid, _ Reading) (Map, error) {
	node, err := filecoin.LoadNode(ctx, store.IpldStore(), root, filecoinOptions...)
	if err != nil {
		return nil, err
	}
	return filecoinMap{node}, nil
}

type filecoinMap struct{ root *filecoin.Node }

func (m filecoinMap) Get(ctx context.Context, key string) (int64, error) {
	var value cbg.CborInt
	found, err := m.root.Find(ctx, key, &value)
	if err == nil && !found {
		err = errWrongAnswer
	}
	return int64(value), err
}

func (m filecoinMap) Entries(ctx context.Context) (n int, err error) {
	err = m.root.ForEach(ctx, func(key string, value *cbg.Deferred) error {
		if len(key) == 0 || len(value.Raw) == 0 {
			return errWrongAnswer
		}
		n++
		return nil
	})
	return n, err
}

func (filecoinMap) Nodes(context.Context) (int, error) { return 0, ErrNotOffered }

func (m filecoinMap) Edit(ctx context.Context, sets []workload.Entry, deletes []string) (cid.Cid, error) {
	for _, e := range sets {
		value := cbg.CborInt(e.Value)
		if err := m.root.Set(ctx, e.Key, &value); err != nil {
			return cid.Undef, err
		}
	}
	for _, key := range deletes {
		existed, err := m.root.Delete(ctx, key)
		if err != nil {
			return cid.Undef, err
		}
		if !existed {
			return cid.Undef, errWrongAnswer
		}
	}
	return m.root.Write(ctx)
}
