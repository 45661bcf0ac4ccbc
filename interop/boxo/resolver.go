package boxo

import (
	"bytes"
	"context"
	"errors"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/fetcher"
	bsfetcher "github.com/ipfs/boxo/fetcher/impl/blockservice"
	"github.com/ipfs/boxo/path"
	"github.com/ipfs/boxo/path/resolver"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-unixfsnode"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

// Resolver is a resolver that finds values within the blocks of a HAMT too.
type Resolver struct {
	// Resolver resolves what is reached by links. Its fetchers are those of
	// [Fetcher].
	resolver.Resolver
	// Fetcher is a Factory made by [Fetcher].
	Fetcher fetcher.Factory
	// AddValue, if not nil, stores the block that a value without one is made
	// into: its DAG-JSON. A gateway answers with nothing but whole blocks, so
	// it needs this; AddBlock of its BlockService does it, where what a gateway
	// stores is a cache. Without AddValue such a path ends with the block of
	// the HAMT that holds the value, and the way to it in there.
	AddValue func(context.Context, blocks.Block) error
}

// NewResolver returns a Resolver for paths through HAMTs and UnixFS.
func NewResolver(service blockservice.BlockService) *Resolver {
	config := bsfetcher.NewFetcherConfig(service)
	config.PrototypeChooser = dagpb.AddSupportToChooser(bsfetcher.DefaultPrototypeChooser)
	config.NodeReifier = unixfsnode.Reify
	fetchers := Fetcher(config)
	return &Resolver{Resolver: resolver.NewBasicResolver(fetchers), Fetcher: fetchers}
}

// ResolveToLastNode implements [resolver.Resolver].
func (r *Resolver) ResolveToLastNode(ctx context.Context, p path.ImmutablePath) (cid.Cid, []string, error) {
	last, remainder, err := r.resolve(ctx, p)
	if _, faulty := errors.AsType[*fault.Error](err); faulty {
		err = unavailable(err)
	}
	if err != nil {
		return cid.Undef, nil, err
	}
	return last, remainder, nil
}

func (r *Resolver) resolve(ctx context.Context, p path.ImmutablePath) (cid.Cid, []string, error) {
	last, remainder, err := r.Resolver.ResolveToLastNode(ctx, p)
	if err != nil || len(remainder) == 0 {
		return last, remainder, err
	}
	loaded, err := r.load(ctx, last)
	if err != nil {
		return cid.Undef, nil, err
	}
	m, ok := loaded.(*adl.Node)
	if !ok {
		return last, remainder, nil // a value in some other block
	}
	if r.AddValue != nil {
		value, err := asBlock(m, remainder)
		if err != nil {
			return cid.Undef, nil, err
		}
		return value.Cid(), nil, r.AddValue(ctx, value)
	}
	location, err := m.LocateString(ctx, remainder[0])
	if err != nil {
		return cid.Undef, nil, err
	}
	within := location.Path.Segments()
	if len(location.Blocks) > 1 {
		within = within[len(within)-inChild:]
	}
	var plain []string
	for _, segment := range within {
		plain = append(plain, segment.String())
	}
	return location.Block().(cidlink.Link).Cid, append(plain, remainder[1:]...), nil
}

// inChild is how long the path to a value is in a block below the root: the
// node's data, an element, its entry, the value.
const inChild = 4

func (r *Resolver) load(ctx context.Context, c cid.Cid) (datamodel.Node, error) {
	session := r.Fetcher.NewSession(ctx)
	link := cidlink.Link{Cid: c}
	prototype, err := session.PrototypeFromLink(link)
	if err != nil {
		return nil, err
	}
	return session.BlockOfType(ctx, link, prototype)
}

// asBlock returns the value at a path as a block of its own.
func asBlock(root datamodel.Node, segments []string) (blocks.Block, error) {
	var p datamodel.Path
	for _, segment := range segments {
		p = p.AppendSegmentString(segment)
	}
	value, err := traversal.Get(root, p)
	if err != nil {
		return nil, err
	}
	var encoded bytes.Buffer
	if err := dagjson.Encode(value, &encoded); err != nil {
		return nil, err
	}
	prefix := cid.NewPrefixV1(uint64(multicodec.DagJson), multihash.SHA2_256)
	c, err := prefix.Sum(encoded.Bytes())
	if err != nil {
		return nil, err
	}
	return blocks.NewBlockWithCid(encoded.Bytes(), c)
}
