package adl_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestRawBlocks: they are the blocks of the store, bytes and all, in the order
// of Blocks, and asking for the bytes loads nothing more.
func TestRawBlocks(t *testing.T) {
	for _, codec := range []multicodec.Code{multicodec.DagCbor, multicodec.DagJson} {
		s := hamttest.NewStore()
		links := cidlink.LinkPrototype{Prefix: blockio.DefaultLinkPrototype.Prefix}
		links.Codec = uint64(codec)
		root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), LinkPrototype: links}, hamttest.Numbered(300)))
		built, err := hamttest.ByAssembler(t.Context(), builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), LinkPrototype: links}, hamttest.Numbered(300))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*adl.Node{built, hamttest.Load(t, s, root)} {
			if stats, err := m.Stats(t.Context()); err != nil || stats.Bytes != s.Bytes() {
				t.Errorf("%s: %d bytes, and the store has %d, %v", codec, stats.Bytes, s.Bytes(), err)
			}
		}
		var order []string
		for link, err := range hamttest.Load(t, s, root).Blocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			order = append(order, link.String())
		}
		s.TakeLoads()
		seen := 0
		for b, err := range hamttest.Load(t, s, root).RawBlocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if b.Link.String() != order[seen] || !bytes.Equal(b.Bytes, s.Block(b.Link)) {
				t.Fatalf("%s, block %d: %s, and its bytes are not the store's", codec, seen, b.Link)
			}
			seen++
		}
		if loads := len(s.TakeLoads()); seen != len(order) || loads != seen {
			t.Errorf("%s: %d of %d blocks, %d loads", codec, seen, len(order), loads)
		}
	}
}

// TestBlockLinks: from the root down, the links below reach the map's blocks, each
// once, and those in values are what the entries link to; whatever the layout and
// the codec, and without loading anything.
func TestBlockLinks(t *testing.T) {
	for name, c := range map[string]struct {
		params params.Params
		codec  multicodec.Code
	}{
		"spec":        {hamttest.ManyLevels(), multicodec.DagCbor},
		"DAG-JSON":    {hamttest.ManyLevels(), multicodec.DagJson},
		"filecoin-v3": {params.Filecoin(), multicodec.DagCbor},
	} {
		t.Run(name, func(t *testing.T) {
			s := hamttest.NewStore()
			content, want := hamttest.Model{}, map[string]bool{}
			for i := range 300 {
				var value datamodel.Node = basicnode.NewInt(int64(i))
				if i%3 == 0 {
					link := cidlink.Link{Cid: hamttest.Must(cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum([]byte{byte(i), byte(i >> 8)}))}
					want[link.String()] = true
					value = hamttest.Must(qp.BuildList(basicnode.Prototype.Any, 1, func(l datamodel.ListAssembler) { qp.ListEntry(l, qp.Link(link)) }))
				}
				content[fmt.Sprint("key ", i)] = value
			}
			links := cidlink.LinkPrototype{Prefix: blockio.DefaultLinkPrototype.Prefix}
			links.Codec = uint64(c.codec)
			root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: c.params, LinkSystem: s.LinkSystem(), LinkPrototype: links}, content))
			m, err := hamt.Load(t.Context(), s.LinkSystem(), root, hamt.WithParams(c.params))
			if err != nil {
				t.Fatal(err)
			}
			s.TakeLoads()
			seen, got, left := map[string]bool{}, map[string]bool{}, []datamodel.Link{root}
			for len(left) > 0 {
				link := left[0]
				if seen[link.String()] {
					t.Fatalf("%s is linked to twice", link)
				}
				seen[link.String()] = true
				below, inValues, err := m.BlockLinks(adl.Block{Link: link, Bytes: s.Block(link)})
				if err != nil {
					t.Fatal(err)
				}
				left = append(left[1:], below...)
				for _, link := range inValues {
					got[link.String()] = true
				}
			}
			if n := len(s.TakeLoads()); n > 0 {
				t.Errorf("%d loads", n)
			}
			if !maps.Equal(got, want) {
				t.Errorf("%d links in values, want %d", len(got), len(want))
			}
			if all := hamttest.Links(t, m); !maps.Equal(seen, all) {
				t.Errorf("%d blocks, want %d", len(seen), len(all))
			}
			if _, _, err := m.BlockLinks(adl.Block{Link: root, Bytes: []byte("rubbish")}); !errors.Is(err, fault.ErrMalformed) && !errors.Is(err, fault.ErrNotHAMT) {
				t.Errorf("rubbish: %v", err)
			}
		})
	}
}
