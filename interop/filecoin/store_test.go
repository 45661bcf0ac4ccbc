package filecoin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipldcbor "github.com/ipfs/go-ipld-cbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// blake2b is the link prototype of a go-ipld-cbor store that was told nothing.
var blake2b = linkPrototype(multicodec.Blake2b256)

func linkPrototype(hash multicodec.Code) cidlink.LinkPrototype {
	return cidlink.LinkPrototype{Prefix: cid.Prefix{
		Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(hash), MhLength: 32,
	}}
}

// filecoin are Filecoin's parameters with another bit width.
func filecoin(bitWidth int) params.Params {
	p := params.Filecoin()
	p.BitWidth = bitWidth
	return p
}

// sum is the hash function as go-hamt-ipld wants to have it.
func sum(key []byte) []byte {
	digest := sha256.Sum256(key)
	return digest[:]
}

// store is one store of blocks, for both sides.
type store struct {
	*hamttest.Store
	put map[cid.Cid][]byte // what Filecoin's side has written
}

func newStore() store { return store{hamttest.NewStore(), map[cid.Cid][]byte{}} }

// ipld is the store as go-hamt-ipld wants to have it.
func (s store) ipld(prototype cidlink.LinkPrototype) ipldcbor.IpldStore {
	is := ipldcbor.NewCborStore(s)
	is.DefaultMultihash = prototype.MhType
	return is
}

func (s store) Get(_ context.Context, c cid.Cid) (blocks.Block, error) {
	block := s.Block(cidlink.Link{Cid: c})
	if block == nil {
		return nil, hamttest.NotFound{Key: c.KeyString()}
	}
	return blocks.NewBlockWithCid(block, c)
}

func (s store) Put(_ context.Context, block blocks.Block) error {
	s.Store.Put(block.Cid(), block.RawData())
	s.put[block.Cid()] = block.RawData()
	return nil
}

// load opens a map of Filecoin's.
func load(t *testing.T, lsys *linking.LinkSystem, root cid.Cid, p params.Params) *adl.Node {
	t.Helper()
	node, err := hamt.Load(t.Context(), lsys, cidlink.Link{Cid: root}, hamt.WithParams(p))
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// cidOf is the CID of a map's root.
func cidOf(t *testing.T, node datamodel.Node) cid.Cid {
	t.Helper()
	link, err := node.(*adl.Node).Link()
	if err != nil {
		t.Fatal(err)
	}
	return link.(cidlink.Link).Cid
}

// sameBlocks checks that a map of ours consists of the blocks that Filecoin's
// side has written.
func sameBlocks(t *testing.T, ours *adl.Node, from, theirs store) (blocks int) {
	t.Helper()
	for link, err := range ours.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		blocks++
		if got, want := from.Block(link), theirs.put[link.(cidlink.Link).Cid]; !bytes.Equal(got, want) {
			t.Fatalf("block %s:\n ours   %x\n theirs %x", link, got, want)
		}
	}
	return blocks
}
