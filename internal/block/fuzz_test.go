package block_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// FuzzBlock holds the block parser against the schema (see differBlock). form
// says what the bytes are taken for.
func FuzzBlock(f *testing.F) {
	for i, raw := range hamttest.SomeBlocks(f, 600) {
		f.Add(raw, uint8(i%2), uint8(3))
		f.Add(raw, uint8(i%4), uint8(1))
	}
	for _, name := range slices.Sorted(maps.Keys(hamttest.NonCanonicalRoots())) {
		f.Add(hamttest.NonCanonicalRoots()[name], uint8(0), uint8(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, form, bucketSize uint8) {
		p := params.Params{BitWidth: bitWidthIn(raw), BucketSize: 1 + int(bucketSize)%16}
		switch form % 4 {
		case 0:
			differBlock(t, raw, nil)
		case 1:
			differBlock(t, raw, &p)
		default: // the schema does not know Filecoin's layouts
			p.BitWidth, p.Layout = 3+int(form>>2)%8, params.Layout(1+form%2)
			if node, err := block.Parse(raw, p); err == nil {
				walkBlock(t, node)
				block.Canonical(node, p, false)
			}
			if node, _, err := block.ParseRoot(raw, p); err == nil {
				walkBlock(t, node)
				block.Canonical(node, p, true)
			}
		}
	})
}

// walkBlock reads everything in a block.
func walkBlock(t *testing.T, node *block.Node) {
	t.Helper()
	entries := 0
	node.Indexes(func(position, index int) bool {
		if at, ok := node.Find(index); !ok || at != position {
			t.Fatalf("index %d: position %d, want %d", index, at, position)
		}
		if node.IsLink(position) {
			node.Link(position)
			return true
		}
		for b := node.Bucket(position); b.Next(); entries++ {
			if value, ok := node.Value(position, b.Key()); !ok || string(value) != string(b.Value()) {
				t.Fatalf("key %q is not found", b.Key())
			}
		}
		return true
	})
	if entries != node.Entries() {
		t.Fatalf("%d entries, want %d", entries, node.Entries())
	}
}
