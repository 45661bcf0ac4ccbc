package peer

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"
	adlhamt "github.com/ipld/go-ipld-adl-hamt"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// GoIpldAdlHamt is the older ADL, github.com/ipld/go-ipld-adl-hamt. It has no
// edits, and its blocks are not those of the specification.
type GoIpldAdlHamt struct{}

func (GoIpldAdlHamt) Name() string     { return "go-ipld-adl-hamt" }
func (GoIpldAdlHamt) Slow() bool       { return true }
func (GoIpldAdlHamt) Concurrent() bool { return false }

var adlLinkPrototype = cidlink.LinkPrototype{Prefix: cid.Prefix{
	Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(multicodec.Sha2_256), MhLength: 32,
}}

func (GoIpldAdlHamt) Build(ctx context.Context, store Store, how How, entries []workload.Entry) (cid.Cid, error) {
	if how != AsNode {
		return cid.Undef, ErrNotOffered
	}
	lsys := store.LinkSystem()
	prototype := adlhamt.Prototype{BitWidth: BitWidth, BucketSize: BucketSize}.WithHashAlg(multicodec.Sha2_256)
	node, err := assemble(adlhamt.NewBuilder(prototype).WithLinking(*lsys, adlLinkPrototype), entries)
	if err != nil {
		return cid.Undef, err
	}
	substrate := node.(*adlhamt.Node).Substrate().(schema.TypedNode).Representation()
	return cidOf(lsys.Store(linking.LinkContext{Ctx: ctx}, adlLinkPrototype, substrate))
}

func (GoIpldAdlHamt) Open(ctx context.Context, store Store, root cid.Cid, _ Reading) (Map, error) {
	lsys := store.LinkSystem()
	lsys.TrustedStorage = true // for once, the kindest setting
	substrate, err := lsys.Load(linking.LinkContext{Ctx: ctx}, cidlink.Link{Cid: root}, adlhamt.HashMapRootPrototype.Representation())
	if err != nil {
		return nil, err
	}
	data, ok := bindnode.Unwrap(substrate).(*adlhamt.HashMapRoot)
	if !ok {
		return nil, fmt.Errorf("root is a %T", bindnode.Unwrap(substrate))
	}
	return adlMap{adlhamt.Node{HashMapRoot: *data}.WithLinking(*lsys, adlLinkPrototype)}, nil
}

type adlMap struct{ node datamodel.Node }

func (m adlMap) Get(_ context.Context, key string) (int64, error) {
	value, err := m.node.LookupByString(key)
	if err != nil {
		return 0, err
	}
	return value.AsInt()
}

func (adlMap) Entries(context.Context) (int, error) { return 0, ErrNotOffered }

func (m adlMap) Nodes(context.Context) (int, error) { return iterate(m.node) }

func (adlMap) Edit(context.Context, []workload.Entry, []string) (cid.Cid, error) {
	return cid.Undef, ErrNotOffered
}
