package conformance_test

import (
	"testing"

	"github.com/ipld/go-ipld-prime/node/tests"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestPeerSuite runs go-ipld-prime's own tests for maps with string keys. They
// expect whee, woot, waga in the order of insertion, and a HAMT has that of the
// hashes. Of go-multihash's registry, eleven have these three in that order;
// the default is one of them (6c6e…, 6f6f…, d70c…), in one node of any bit
// width and, with buckets of one, over several.
func TestPeerSuite(t *testing.T) {
	for _, p := range []params.Params{
		params.Default(),
		hamttest.ManyLevels(),
		{HashAlg: multicodec.Sha2_512, BitWidth: 5, BucketSize: 2},
		{HashAlg: multicodec.Keccak512, BitWidth: 16, BucketSize: 1},
		{HashAlg: multicodec.Blake2b192, BitWidth: 4, BucketSize: 3},
	} {
		t.Run(p.String(), func(t *testing.T) {
			prototype := builder.Prototype{Params: p, LinkSystem: hamttest.NewStore().LinkSystem()}
			tests.SpecTestMapStrInt(t, prototype)
			tests.SpecTestMapStrMapStrInt(t, prototype)
			tests.SpecTestMapStrListStr(t, prototype)
		})
	}
}
