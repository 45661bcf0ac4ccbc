package typed_test

import (
	"context"
	"fmt"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/typed"
)

func newLinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys
}

// Values are Go structs; in the blocks they are what the schema says, here
// tuples.
func Example() {
	type Animal struct {
		Name string
		Legs int64
	}
	types, err := ipld.LoadSchemaBytes([]byte(`
		type Animal struct {
			name String
			legs Int
		} representation tuple
	`))
	if err != nil {
		panic(err)
	}
	animal := bindnode.Prototype((*Animal)(nil), types.TypeByName("Animal"))

	ctx := context.Background()
	empty, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	txn, err := typed.NewTxn[Animal](empty, animal)
	if err != nil {
		panic(err)
	}
	for key, value := range map[string]Animal{"rabbit": {"White Rabbit", 4}, "bird": {"Dodo", 2}} {
		if err := txn.Set(key, value); err != nil {
			panic(err)
		}
	}
	animals, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}

	rabbit, err := animals.Get(ctx, "rabbit")
	if err != nil {
		panic(err)
	}
	fmt.Println(rabbit.Name, "has", rabbit.Legs, "legs")

	value, err := animals.Node().LookupByString("rabbit")
	if err != nil {
		panic(err)
	}
	json, err := ipld.Encode(value, dagjson.Encode)
	fmt.Println(string(json), err)
	// Output:
	// White Rabbit has 4 legs
	// ["White Rabbit",4] <nil>
}

// Without a schema, bindnode infers one from the Go type.
func ExampleMap_All() {
	ctx := context.Background()
	empty, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	txn, err := typed.NewTxn[int64](empty, bindnode.Prototype((*int64)(nil), nil))
	if err != nil {
		panic(err)
	}
	for n := range int64(1000) {
		if err := txn.Set(fmt.Sprint("number ", n), n); err != nil {
			panic(err)
		}
	}
	numbers, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}

	var sum int64
	entries, failed := numbers.All(ctx)
	for _, n := range entries {
		sum += n
	}
	if err := failed(); err != nil {
		panic(err)
	}
	fmt.Println(sum)
	// Output: 499500
}
