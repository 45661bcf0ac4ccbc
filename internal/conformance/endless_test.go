package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
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
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			if err := use(ctx, hamttest.Load(t, s, root), ""); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it does not end: %v", err)
			}
		})
	}
}
