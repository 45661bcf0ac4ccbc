package adl_test

import (
	"bytes"
	"testing"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
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
