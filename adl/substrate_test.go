package adl_test

import (
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/schema"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestSubstrate: it encodes to the root block byte for byte, and is what the
// schema says a root is.
func TestSubstrate(t *testing.T) {
	for _, content := range []hamttest.Model{{}, hamttest.Numbered(3), hamttest.Numbered(50)} {
		s, root := hamttest.Stored(t, hamttest.ManyLevels(), content)
		substrate := hamttest.Load(t, s, root).Substrate()
		if got := hamttest.Must(ipld.Encode(substrate, dagcbor.Encode)); string(got) != string(s.Block(root)) {
			t.Errorf("it is encoded as %x, want %x", got, s.Block(root))
		}
		nb := hamt.HashMapRootPrototype.Representation().NewBuilder()
		if err := nb.AssignNode(substrate); err != nil {
			t.Fatal(err)
		}
		if got := hamttest.Must(ipld.Encode(nb.Build().(schema.TypedNode).Representation(), dagcbor.Encode)); string(got) != string(s.Block(root)) {
			t.Errorf("through the schema it is %x, want %x", got, s.Block(root))
		}
		lsys := s.LinkSystem()
		again := hamttest.Must(hamt.Reify(linking.LinkContext{Ctx: t.Context()}, substrate, lsys)).(*adl.Node)
		hamttest.ExpectContent(t, again, content)
		if link, err := lsys.ComputeLink(root.Prototype(), again.Substrate()); err != nil || link != root {
			t.Errorf("link %v, %v; want %v", link, err, root)
		}
	}
}
