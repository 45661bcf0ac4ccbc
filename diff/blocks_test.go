package diff_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// newBlocks returns the links of the new blocks, in order, and the blocks.
func newBlocks(t testing.TB, a, b *adl.Node) (order []string, blocks map[string]adl.Block) {
	t.Helper()
	blocks = map[string]adl.Block{}
	for block, err := range diff.NewBlocks(t.Context(), a, b) {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, block.Link.String())
		blocks[block.Link.String()] = block
	}
	if len(blocks) < len(order) {
		t.Errorf("%d blocks come twice", len(order)-len(blocks))
	}
	return order, blocks
}

// TestNewBlocks: they are those blocks of b that a has not, in the order of RawBlocks,
// and with those of a they make b whole.
func TestNewBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		a, b  params.Params
		codec multicodec.Code
	}{
		{sha2(3, 1), sha2(3, 1), multicodec.DagCbor},
		{sha2(5, 3), sha2(5, 3), multicodec.DagJson},
		{sha2(4, 3), sha2(4, 2), multicodec.DagCbor}, // another bucket size
		{sha2(4, 3), sha2(5, 3), multicodec.DagCbor},
		{sha2(4, 3), murmur(), multicodec.DagCbor},
		{sha2(5, 3), params.Filecoin(), multicodec.DagCbor},
		{params.Filecoin(), params.Filecoin(), multicodec.DagCbor},
	} {
		for _, n := range []int{0, 1, 30, 500} {
			for _, changed := range []int{0, 1, 20, 300} {
				t.Run(fmt.Sprint(c.a, " to ", c.b, " ", c.codec, " ", n, " ", changed), func(t *testing.T) {
					before := hamttest.Numbered(n)
					after := edited(random, before, changed)
					build := func(p params.Params, content hamttest.Model) (*hamttest.Store, *adl.Node) {
						s := hamttest.NewStore()
						lp := hamttest.LinkPrototype(c.codec, multicodec.Sha2_256, -1)
						root := hamttest.RootOf(t, hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem(), LinkPrototype: lp}, content))
						m := hamttest.Load(t, s, root, hamt.WithParams(p))
						s.TakeLoads()
						return s, m
					}
					storeA, a := build(c.a, before)
					storeB, b := build(c.b, after)
					order, blocks := newBlocks(t, a, b)
					loads := len(storeA.TakeLoads()) + len(storeB.TakeLoads())

					var want []string
					has := hamttest.Links(t, a)
					for block, err := range b.RawBlocks(t.Context()) {
						if err != nil {
							t.Fatal(err)
						}
						if name := block.Link.String(); !has[name] {
							want = append(want, name)
							if !bytes.Equal(blocks[name].Bytes, block.Bytes) || !bytes.Equal(block.Bytes, storeB.Block(block.Link)) {
								t.Errorf("the bytes of %s are not the store's", name)
							}
						}
					}
					expect(t, order, want)
					if loads > 2*len(order) {
						t.Errorf("%d loads for %d blocks", loads, len(order))
					}
					for _, block := range blocks {
						storeA.Put(block.Link.(cidlink.Link).Cid, block.Bytes)
					}
					whole := hamttest.Load(t, storeA, hamttest.RootOf(t, b), hamt.WithParams(c.b))
					hamttest.ExpectContent(t, whole, after)
					hamttest.ExpectVerified(t, whole)
				})
			}
		}
	}
}

// TestNewBlocksOfNothing: nil stands for the empty map.
func TestNewBlocksOfNothing(t *testing.T) {
	_, b := newPair(t, sha2(3, 1), sha2(3, 1), nil, hamttest.Numbered(100)).load(t)
	if order, _ := newBlocks(t, nil, b); len(order) != len(hamttest.Links(t, b)) {
		t.Errorf("%d blocks", len(order))
	}
	for _, a := range []*adl.Node{nil, b} {
		if order, _ := newBlocks(t, a, nil); len(order) > 0 {
			t.Errorf("%d blocks of nothing", len(order))
		}
	}
	if order, _ := newBlocks(t, b, b); len(order) > 0 {
		t.Errorf("%d new blocks of the same map", len(order))
	}
}

// TestNewBlocksStop: breaking off ends all loads.
func TestNewBlocksStop(t *testing.T) {
	p := halves(t, sha2(3, 1), sha2(3, 1))
	synctest.Test(t, func(t *testing.T) {
		p.slowDown()
		a, b := p.load(t)
		n := 0
		for _, err := range diff.NewBlocks(t.Context(), a, b) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 20 {
				break
			}
		}
		synctest.Wait()
	})
}
