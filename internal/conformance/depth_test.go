package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestSharedSubtreesEnd walks 86 blocks, whole and under their true hashes, of
// which each links eight times to the next: 8^85 paths, and at the end of each
// the same entry, misplaced on all but one. A store of a few kilobytes must
// not keep a reader busy for ever.
func TestSharedSubtreesEnd(t *testing.T) {
	s := hamttest.NewStore()
	put := func(raw []byte) datamodel.Link {
		b := hamttest.BlockOf(raw)
		s.Put(b.Link.(cidlink.Link).Cid, raw)
		return b.Link
	}
	link := put([]byte("\x82\x41\x01\x81\x81\x82\x43key\x00"))
	node := func() []byte {
		one := hamttest.Must(ipld.Encode(basicnode.NewLink(link), dagcbor.Encode))
		return append([]byte("\x82\x41\xff\x88"), bytes.Repeat(one, 8)...)
	}
	for range 84 {
		link = put(node())
	}
	root := put(append(append([]byte("\xa3\x64hamt"), node()...), "\x67hashAlg\x12\x6abucketSize\x01"...))
	for name, use := range hamttest.Uses {
		if !hamttest.ReachesMany[name] {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			if err := use(ctx, hamttest.Load(t, s, root), ""); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it does not end: %v", err)
			}
		})
	}
}

// TestTreesTooDeep: a link where the hash has no bits left is refused when its
// node is loaded, whatever the hash: that is what bounds a walk over blocks
// that a store makes up.
func TestTreesTooDeep(t *testing.T) {
	for _, alg := range []multicodec.Code{multicodec.Identity, multicodec.Sha2_256, multicodec.Murmur3X64_64, clusteredHashCode} {
		t.Run(fmt.Sprint(alg), func(t *testing.T) {
			p := params.Params{BitWidth: 3, BucketSize: 1}.WithHashAlg(alg)
			s := &hostileStore{blocks: []hamttest.Block{hamttest.BlockOf(chainRoot(alg)), hamttest.BlockOf(chainNode())}, cancel: func() {}, left: 1 << 20}
			n := mustLoad(t, s)
			if n.Params() != p {
				t.Fatalf("parameters %v", n.Params())
			}
			_, err := n.Count(t.Context())
			var f *fault.Error
			if !errors.Is(err, fault.ErrMaxDepth) || !errors.As(err, &f) {
				t.Fatalf("error %v", err)
			}
			levels := map[multicodec.Code]int{multicodec.Identity: params.MaxDepth, multicodec.Sha2_256: 85, multicodec.Murmur3X64_64: 21, clusteredHashCode: 5}
			if len(f.Path) != levels[alg] {
				t.Errorf("refused at depth %d, want %d", len(f.Path), levels[alg])
			}
			if _, err := n.Get(t.Context(), make([]byte, 1000)); alg == multicodec.Identity && !errors.Is(err, fault.ErrMaxDepth) {
				t.Errorf("Get says %v", err) // of zeros, which lead all the way
			}
		})
	}
}
