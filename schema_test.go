package hamt_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestSchemaRoundTrips decodes every block of every fixture through the schema
// and encodes it again, and gets the same bytes.
func TestSchemaRoundTrips(t *testing.T) {
	for _, document := range []string{
		"alice-words.md", "precip.md", "bit-widths.md", "edits.md", "values.md",
		"keys.md", "hashes.md", "collisions.md", "leftovers.md", "selectors.md",
	} {
		t.Run(document, func(t *testing.T) {
			hamttest.Fixtures(t, document, func(t *testing.T, c hamttest.Fixture) {
				s, root := hamttest.StoredFixture(t, c)
				for b, err := range hamttest.Load(t, s, root).RawBlocks(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					prototype := hamt.HashMapNodePrototype
					if b.Link == root {
						prototype = hamt.HashMapRootPrototype
					}
					if typed := schemaRoundTrip(t, prototype, b.Bytes); b.Link == root {
						want := hamttest.Load(t, s, root).Params()
						got := bindnode.Unwrap(typed).(*hamt.HashMapRoot)
						if got.HashAlg != int(want.HashAlg) || got.BucketSize != want.BucketSize || len(got.Hamt.Map) != want.BitmapBytes() {
							t.Fatalf("%s is %v", b.Link, got)
						}
					}
				}
			})
		})
	}
}

// schemaRoundTrip decodes a block through the schema, expects that it encodes
// to the same bytes, and returns what was decoded.
func schemaRoundTrip(t *testing.T, prototype schema.TypedPrototype, raw []byte) datamodel.Node {
	t.Helper()
	typed, err := ipld.DecodeUsingPrototype(raw, dagcbor.Decode, prototype)
	if err != nil {
		t.Fatalf("%x: %v", raw, err)
	}
	again, err := ipld.Encode(typed, dagcbor.Encode)
	if err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("%x comes back as %x, %v", raw, again, err)
	}
	return typed
}

// TestSchemaNull: a value that is null stays null, at the type level and in its
// Go form, from every codec and assembler, and so does every other value.
func TestSchemaNull(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Model{"null": datamodel.Null})
	raw := s.Block(root)
	typed := schemaRoundTrip(t, hamt.HashMapRootPrototype, raw)
	json := hamttest.Must(ipld.Encode(typed, dagjson.Encode))
	fromJSON := hamttest.Must(ipld.DecodeUsingPrototype(json, dagjson.Decode, hamt.HashMapRootPrototype))

	nb := hamt.HashMapRootPrototype.NewBuilder()
	if err := nb.AssignNode(typed); err != nil {
		t.Fatal(err)
	}
	for way, n := range map[string]datamodel.Node{"dag-cbor": typed, "dag-json": fromJSON, "copied": nb.Build()} {
		entry := bucketOf(t, bindnode.Unwrap(n).(*hamt.HashMapRoot).Hamt)[0]
		if entry.Value != datamodel.Null || string(entry.Key) != "null" {
			t.Errorf("%s: %q is %v", way, entry.Key, entry.Value)
		}
		value := n
		for _, name := range []string{"hamt", "data", "0", "Bucket", "0", "value"} {
			value = hamttest.Must(value.LookupBySegment(datamodel.ParsePathSegment(name)))
		}
		if !value.IsNull() {
			t.Errorf("%s: at the type level it is %v", way, value)
		}
		if again := hamttest.Must(ipld.Encode(n, dagcbor.Encode)); !bytes.Equal(again, raw) {
			t.Errorf("%s: %x, want %x", way, again, raw)
		}
	}
}

func bucketOf(t *testing.T, n hamt.HashMapNode) hamt.Bucket {
	t.Helper()
	if len(n.Data) != 1 || n.Data[0].Bucket == nil || n.Data[0].Link__HashMapNode != nil {
		t.Fatalf("not one bucket: %v", n)
	}
	return *n.Data[0].Bucket
}

// TestSchemaGoTypes wraps a node that was made in Go, and finds its block; a
// value that was left out is an error.
func TestSchemaGoTypes(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Model{"key": basicnode.NewInt(7), "null": datamodel.Null})
	typed := schemaRoundTrip(t, hamt.HashMapRootPrototype, s.Block(root))
	made := *bindnode.Unwrap(typed).(*hamt.HashMapRoot)
	nb := hamt.HashMapRootPrototype.NewBuilder()
	blank := bindnode.Unwrap(nb.Build()).(*hamt.HashMapRoot)
	*blank = made
	if got := hamttest.Must(ipld.Encode(nb.Build(), dagcbor.Encode)); !bytes.Equal(got, s.Block(root)) {
		t.Errorf("%x, want %x", got, s.Block(root))
	}
	blank.Hamt.Data[0] = hamt.Element{Bucket: &hamt.Bucket{{Key: []byte("key")}}}
	if _, err := ipld.Encode(nb.Build(), dagcbor.Encode); err == nil {
		t.Error("an entry without a value is encoded")
	}
}

// TestSchemaRefuses: what has not the shape is an error.
func TestSchemaRefuses(t *testing.T) {
	for _, raw := range []string{"\xf6", "\xa0", "\x80", "\x82\xf6\x80", "\x82\x41\x01\x81\xf6", "\x82\x41\x01\x81\x81\x82\xf6\x01"} {
		for _, prototype := range []schema.TypedPrototype{hamt.HashMapRootPrototype, hamt.HashMapNodePrototype} {
			if n, err := ipld.DecodeUsingPrototype([]byte(raw), dagcbor.Decode, prototype); err == nil {
				t.Errorf("%x is taken as %v", raw, n)
			}
		}
	}
}

// TestPrototypeBuilds: hamt.Prototype builds a map, and says so if it cannot.
func TestPrototypeBuilds(t *testing.T) {
	var prototype datamodel.NodePrototype = hamt.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}
	nb := prototype.NewBuilder()
	if err := nb.AssignNode(hamttest.DecodeJSON(t, `{"key":7}`)); err != nil {
		t.Fatal(err)
	}
	if n := nb.Build(); hamttest.Must(hamttest.Must(n.LookupByString("key")).AsInt()) != 7 || hamt.IsRoot(n) {
		t.Errorf("built %v", n)
	}
	if _, err := (hamt.Prototype{}).NewBuilder().BeginMap(0); err == nil || errors.As(err, new(datamodel.ErrWrongKind)) {
		t.Errorf("without a LinkSystem: %v", err)
	}
}
