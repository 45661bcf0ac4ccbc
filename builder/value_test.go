package builder_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestValueBlockIsWritten: the map links to a block that its store lacks; when
// that is set as a value, it is written, though the root stays what it is.
func TestValueBlockIsWritten(t *testing.T) {
	s := hamttest.NewStore()
	value := basicnode.NewString("longer than what is inline")
	link := hamttest.BlockOf(hamttest.Must(ipld.Encode(value, dagcbor.Encode))).Link
	m := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem()}, hamttest.Model{"key": basicnode.NewLink(link)})
	p := builder.PrototypeOf(m)
	p.InlineBytes = 10
	txn := hamttest.Must(p.Edit(m))
	if err := txn.SetString("key", value); err != nil {
		t.Fatal(err)
	}
	after, root, err := txn.Commit(t.Context())
	if err != nil || root != hamttest.RootOf(t, m) || after != m {
		t.Errorf("root %s, %v", root, err)
	}
	if s.Block(link) == nil {
		t.Error("the value's block is not there")
	}
}

// TestInlineBytes: values above the size become blocks of their own, with a
// link in their place; the map is the one that has these links.
func TestInlineBytes(t *testing.T) {
	content := hamttest.Numbered(50)
	content["at the limit"] = basicnode.NewString(strings.Repeat("x", 98)) // and a head of two
	large := map[string]datamodel.Node{
		"above it": basicnode.NewString(strings.Repeat("x", 99)),
		"far":      basicnode.NewBytes(make([]byte, 10_000)),
		"again":    basicnode.NewBytes(make([]byte, 10_000)), // the same block
	}
	linked := maps.Clone(content)
	for key, value := range large {
		content[key] = value
		linked[key] = basicnode.NewLink(hamttest.BlockOf(hamttest.Must(ipld.Encode(value, dagcbor.Encode))).Link)
	}
	plain, want := hamttest.Stored(t, hamttest.ManyLevels(), linked)
	for way, make := range hamttest.Makers {
		t.Run(way, func(t *testing.T) {
			s := hamttest.NewStore()
			lsys := s.LinkSystem()
			n, err := make(t.Context(), builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: lsys, InlineBytes: 100}, content)
			if err != nil {
				t.Fatal(err)
			}
			if link := hamttest.RootOf(t, n); link != want {
				t.Errorf("root %s, want %s", link, want)
			}
			hamttest.ExpectContent(t, n, linked)
			if s.Len() != plain.Len()+2 {
				t.Errorf("%d blocks, want %d and two values", s.Len(), plain.Len())
			}
			for key, value := range large {
				link := hamttest.Must(hamttest.Must(n.GetString(t.Context(), key)).AsLink())
				got, err := lsys.Load(linking.LinkContext{}, link, basicnode.Prototype.Any)
				if err != nil || !hamttest.Equal(t, got, value) {
					t.Errorf("value of %q: %v", key, err)
				}
			}
		})
	}
}

// TestReplacedValuesAreNotWritten: a value that a later change of the same
// transaction replaces leaves no block behind, and one that is back to what it
// was writes none.
func TestReplacedValuesAreNotWritten(t *testing.T) {
	s := hamttest.NewStore()
	prototype := builder.Prototype{LinkSystem: s.LinkSystem(), InlineBytes: 10}
	big := func(c string) datamodel.Node { return basicnode.NewString(strings.Repeat(c, 100)) }
	txn := hamttest.Must(prototype.NewTxn())
	for _, step := range []struct {
		key   string
		value datamodel.Node
	}{{"a", big("1")}, {"a", big("2")}, {"b", big("3")}, {"b", datamodel.Null}, {"c", big("4")}} {
		if err := txn.SetString(step.key, step.value); err != nil {
			t.Fatal(err)
		}
	}
	hamttest.Must(txn.Delete(t.Context(), []byte("c")))
	if _, _, err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 2 {
		t.Errorf("%d blocks, want the root and one value", s.Len())
	}
	s.TakeWrites()
	if err := txn.SetString("a", big("2")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if writes := s.TakeWrites(); len(writes) > 0 {
		t.Errorf("%d blocks were written for an equal value", len(writes))
	}
}
