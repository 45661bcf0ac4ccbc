package adl_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestVerifyEndsWithMissingBlocks: 8^85 paths to a block that is not there.
func TestVerifyEndsWithMissingBlocks(t *testing.T) {
	s := hamttest.NewStore()
	link := hamttest.BlockOf([]byte("\x82\x41\x01\x81\x81\x82\x43key\x00")).Link // never stored
	node := func() []byte {
		return append([]byte("\x82\x41\xff\x88"), bytes.Repeat(hamttest.Handmade{}.Link(link), 8)...)
	}
	for range 84 {
		link = hamttest.Handmade{Store: s}.Put(node())
	}
	root := hamttest.Handmade{Store: s}.Put(append(append([]byte("\xa3\x64hamt"), node()...), "\x67hashAlg\x12\x6abucketSize\x01"...))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var last error
	for err := range hamttest.Load(t, s, root).Verify(ctx) {
		last = err
	}
	if !errors.Is(last, fault.ErrEndless) {
		t.Errorf("the last error is %v", last)
	}
}

// TestVerifyEndsWithItsContext: one report, the last, however many blocks were
// to follow.
func TestVerifyEndsWithItsContext(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(200))
	n := hamttest.Load(t, s, root)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var reports []error
	for err := range n.Verify(ctx) {
		reports = append(reports, err)
	}
	if len(reports) != 1 || !errors.Is(reports[0], context.Canceled) {
		t.Errorf("reports %v", reports)
	}
}
