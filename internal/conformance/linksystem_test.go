package conformance_test

import (
	"errors"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestNoChoosers: a LinkSystem that has storage alone does for DAG-CBOR, and a
// link to something else is an error.
func TestNoChoosers(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	raw := cid.MustParse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")
	blake := cid.NewCidV1(uint64(multicodec.DagCbor), hamttest.Must(cid.NewPrefixV1(uint64(multicodec.DagCbor), uint64(multicodec.Blake3)).Sum(nil)).Hash())
	root := h.Root("ab", h.Link(cidlink.Link{Cid: raw}), h.Link(cidlink.Link{Cid: blake}))
	h.Store.Put(raw, nil)
	h.Store.Put(blake, nil)
	for _, trusted := range []bool{false, true} {
		lsys := linking.LinkSystem{StorageReadOpener: h.Store.LinkSystem().StorageReadOpener, TrustedStorage: trusted}
		m, err := hamt.Load(t.Context(), &lsys, root)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"aa", "bb"} {
			if _, err := m.GetString(t.Context(), key); !errors.As(err, new(*fault.Error)) {
				t.Errorf("%s: error %v", key, err)
			}
		}
	}
}
