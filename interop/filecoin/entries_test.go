package filecoin_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
)

// contents is what a map holds: values in DAG-CBOR by key.
type contents map[string][]byte

// keys gives the keys in an order that is the same in each run.
func (c contents) keys() []string { return slices.Sorted(maps.Keys(c)) }

// random is seeded by the test's name, so that a failure can be had again.
func random(t *testing.T) *rand.Rand {
	var seed [32]byte
	copy(seed[:], sum([]byte(t.Name())))
	return rand.New(rand.NewChaCha8(seed))
}

// randomKey is text or arbitrary bytes; seldom it is empty.
func randomKey(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return fmt.Sprintf("key %d", r.Uint64())
	}
	key := make([]byte, r.IntN(40))
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return string(key)
}

// values are values of every kind, in DAG-CBOR.
var values = [][]byte{
	{0x00}, {0x17}, {0x18, 0x18}, {0x1b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x20}, {0x39, 0x01, 0x00},
	{0xf4}, {0xf5}, {0xf6},
	{0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0},
	{0x60}, {0x65, 'h', 'e', 'l', 'l', 'o'},
	{0x40}, {0x43, 0xff, 0x00, 0x80},
	{0x80}, {0x83, 0x01, 0x61, 'x', 0x81, 0xf6},
	{0xa0}, {0xa2, 0x61, 'a', 0x01, 0x62, 'b', 'b', 0x82, 0xf5, 0x41, 0x00},
	append([]byte{0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, 0x71, 0x12, 0x20}, sum(nil)...),
	append([]byte{0x58, 200}, make([]byte, 200)...),
}

func randomValue(r *rand.Rand) []byte { return values[r.IntN(len(values))] }

func randomContents(r *rand.Rand, n int) contents {
	c := contents{}
	for len(c) < n {
		c[randomKey(r)] = randomValue(r)
	}
	return c
}

// decode makes a node of DAG-CBOR, as go-ipld-prime does it.
func decode(t *testing.T, raw []byte) datamodel.Node {
	t.Helper()
	builder := basicnode.Prototype.Any.NewBuilder()
	if err := dagcbor.Decode(builder, bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return builder.Build()
}

// holds checks that a map has just these entries, by lookup and by iteration.
func holds(t *testing.T, node *adl.Node, want contents) {
	t.Helper()
	for key, value := range want {
		raw, ok, err := node.GetRaw(t.Context(), []byte(key))
		if err != nil || !ok || !bytes.Equal(raw, value) {
			t.Fatalf("key %q: got %x, %v, %v, and it should be %x", key, raw, ok, err, value)
		}
	}
	n := 0
	for e, err := range node.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if value, ok := want[e.KeyString()]; !ok || !bytes.Equal(value, e.Raw()) {
			t.Fatalf("iteration gives %q: %x, and it should be %x, %v", e.Key(), e.Raw(), value, ok)
		}
		n++
	}
	if n != len(want) {
		t.Fatalf("iteration gives %d entries, not %d", n, len(want))
	}
	for err := range node.Verify(t.Context()) {
		t.Error(err)
	}
}
