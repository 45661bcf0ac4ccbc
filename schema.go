package hamt

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"
)

//go:generate go run ./internal/schemagen schema.ipldsch schema_types.go

// Schema is the IPLD Schema of the substrate, as the HashMap specification
// gives it.
//
//go:embed schema.ipldsch
var Schema string

// The prototypes of a map's blocks as typed nodes, for code that looks at the
// blocks themselves: roots (type HashMapRoot) and the nodes below them (type
// HashMapNode). Decode and encode with their Representation; bindnode.Unwrap
// returns the *HashMapRoot or *HashMapNode of a node that they built.
//
// They hold what a block says and check its shape, no more: whether the bitmap
// fits the data, say, is for [Reify] to find. They load nothing, and know
// nothing of Filecoin's layouts.
var (
	HashMapRootPrototype = prototypeOf[HashMapRoot]("HashMapRoot")
	HashMapNodePrototype = prototypeOf[HashMapNode]("HashMapNode")
)

func prototypeOf[T any](name string) schema.TypedPrototype {
	types, err := ipld.LoadSchemaBytes([]byte(Schema))
	if err != nil {
		panic(fmt.Sprintf("hamt: the embedded schema: %v", err)) // no input can do this
	}
	return bindnode.Prototype((*T)(nil), types.TypeByName(name), anyWithNull)
}

// anyWithNull makes bindnode take null for Any. By itself it refuses it where
// the schema does not say nullable as well, and the specification's does not.
// The Go type of Any is datamodel.Node, to which bindnode points.
var anyWithNull = bindnode.NamedAnyConverter("Any",
	func(value datamodel.Node) (any, error) { return &value, nil },
	func(field any) (datamodel.Node, error) {
		if value := *field.(*datamodel.Node); value != nil {
			return value, nil
		}
		return nil, errors.New("hamt: an entry without a value")
	})
