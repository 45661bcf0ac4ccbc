package peer

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Ours is the library of this repository.
type Ours struct {
	// Trusted sets TrustedStorage: blocks that are loaded are not hashed. No
	// other peer hashes them, so this is where the work is the same.
	Trusted bool
}

// everything is a cache that holds any map measured here.
const everything = 8 << 30

func (o Ours) Name() string {
	if o.Trusted {
		return "go-ipld-hamt-trusted"
	}
	return "go-ipld-hamt"
}

func (Ours) Slow() bool { return false }

func (Ours) Concurrent() bool { return true }

func (o Ours) linkSystem(store Store) *linking.LinkSystem {
	lsys := store.LinkSystem()
	lsys.TrustedStorage = o.Trusted
	return lsys
}

func (o Ours) Build(ctx context.Context, store Store, how How, entries []workload.Entry) (cid.Cid, error) {
	p := params.Default()
	p.BitWidth, p.BucketSize = BitWidth, BucketSize
	prototype := builder.Prototype{Params: p, LinkSystem: o.linkSystem(store), Context: ctx}
	var built datamodel.Node
	var err error
	switch how {
	case AsNode:
		built, err = assemble(prototype.NewBuilder(), entries)
	case FromRaw:
		built, err = bulk(ctx, prototype, entries)
	case OneByOne:
		built, err = oneByOne(ctx, prototype, entries)
	}
	if err != nil {
		return cid.Undef, err
	}
	return cidOf(built.(*adl.Node).Link())
}

func cidOf(link datamodel.Link, err error) (cid.Cid, error) {
	if err != nil {
		return cid.Undef, err
	}
	return link.(cidlink.Link).Cid, nil
}

// assemble builds a map as any code over go-ipld-prime does.
func assemble(nb datamodel.NodeBuilder, entries []workload.Entry) (datamodel.Node, error) {
	ma, err := nb.BeginMap(int64(len(entries)))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := ma.AssembleKey().AssignString(e.Key); err != nil {
			return nil, err
		}
		if err := ma.AssembleValue().AssignInt(e.Value); err != nil {
			return nil, err
		}
	}
	if err := ma.Finish(); err != nil {
		return nil, err
	}
	return nb.Build(), nil
}

func bulk(ctx context.Context, p builder.Prototype, entries []workload.Entry) (datamodel.Node, error) {
	b, err := p.NewBulk(builder.BulkOptions{})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	for _, e := range entries {
		if err := b.SetRaw(e.Bytes, e.Raw); err != nil {
			return nil, err
		}
	}
	m, _, err := b.Finish(ctx)
	return m, err
}

func oneByOne(ctx context.Context, p builder.Prototype, entries []workload.Entry) (datamodel.Node, error) {
	t, err := p.NewTxn()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := t.Set(e.Bytes, basicnode.NewInt(e.Value)); err != nil {
			return nil, err
		}
	}
	node, _, err := t.Commit(ctx)
	return node, err
}

func (o Ours) Open(ctx context.Context, store Store, root cid.Cid, how Reading) (Map, error) {
	var options []hamt.Option
	switch how.Cache {
	case Everything:
		options = append(options, hamt.WithCacheBytes(everything))
	case Nothing:
		options = append(options, hamt.WithCacheBytes(0))
	}
	if how.AtOnce > 0 {
		options = append(options, hamt.WithReadAhead(how.AtOnce))
	}
	node, err := hamt.Load(ctx, o.linkSystem(store), cidlink.Link{Cid: root}, options...)
	if err != nil {
		return nil, err
	}
	return ourMap{node}, nil
}

var _ Walker = ourMap{}

type ourMap struct{ node *adl.Node }

func (m ourMap) Get(ctx context.Context, key string) (int64, error) {
	value, err := m.node.GetString(ctx, key)
	if err != nil {
		return 0, err
	}
	return value.AsInt()
}

func (m ourMap) Entries(ctx context.Context) (n int, err error) {
	for e, err := range m.node.Entries(ctx) {
		if err != nil {
			return n, err
		}
		if len(e.Key()) == 0 || len(e.Raw()) == 0 {
			return n, errWrongAnswer
		}
		n++
	}
	return n, nil
}

func (m ourMap) Nodes(context.Context) (int, error) { return iterate(m.node) }

func iterate(node datamodel.Node) (n int, err error) {
	for it := node.MapIterator(); !it.Done(); n++ {
		if _, _, err := it.Next(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (m ourMap) Count(ctx context.Context) (int, error) {
	n, err := m.node.Count(ctx)
	return int(n), err
}

func (m ourMap) Verify(ctx context.Context) (faults int, err error) {
	for range m.node.Verify(ctx) {
		faults++
	}
	return faults, ctx.Err()
}

func (m ourMap) Edit(ctx context.Context, sets []workload.Entry, deletes []string) (cid.Cid, error) {
	t, err := builder.NewTxn(m.node)
	if err != nil {
		return cid.Undef, err
	}
	for _, e := range sets {
		if err := t.Set(e.Bytes, basicnode.NewInt(e.Value)); err != nil {
			return cid.Undef, err
		}
	}
	for _, key := range deletes {
		existed, err := t.Delete(ctx, []byte(key))
		if err != nil {
			return cid.Undef, err
		}
		if !existed {
			return cid.Undef, errWrongAnswer
		}
	}
	_, link, err := t.Commit(ctx)
	return cidOf(link, err)
}
