package hamt

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"
)

// Schema is the IPLD Schema of the substrate, as the HashMap specification
// gives it.
//
//go:embed schema.ipldsch
var Schema string

// Types are the schema's types, compiled once.
var types = sync.OnceValues(func() (*schema.TypeSystem, error) {
	return ipld.LoadSchemaBytes([]byte(Schema))
})

// RootPrototype builds roots of substrates as typed nodes (type HashMapRoot):
// for looking at a HAMT's blocks through the schema. Encode and decode with
// its Representation.
//
// What bindnode, which binds the types, cannot hold it cannot decode: a value
// that is null, since its Any has no null. The ADL itself knows no such limit.
func RootPrototype() schema.TypedPrototype { return prototypeOf("HashMapRoot") }

// NodePrototype builds nodes below the root as typed nodes (type HashMapNode).
func NodePrototype() schema.TypedPrototype { return prototypeOf("HashMapNode") }

func prototypeOf(name string) schema.TypedPrototype {
	system, err := types()
	if err != nil {
		panic(fmt.Sprintf("hamt: the embedded schema: %v", err)) // no input can do this
	}
	return bindnode.Prototype(nil, system.TypeByName(name))
}
