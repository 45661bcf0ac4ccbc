package hamt_test

import (
	"context"
	"fmt"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// What the README shows, with the errors looked at.
func Example_readme() {
	ctx := context.Background()
	store := &memstore.Store{Bag: map[string][]byte{}}
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}

	lsys := cidlink.DefaultLinkSystem() // and where its blocks live:
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)

	txn, err := builder.Prototype{LinkSystem: &lsys}.NewTxn() // the empty map, the default parameters
	check(err)
	err = txn.SetString("Alice", basicnode.NewInt(1))
	check(err)
	err = txn.Set([]byte{0xff}, basicnode.NewString("any bytes are a key"))
	check(err)
	m, root, err := txn.Commit(ctx) // writes the blocks, gives the map and its root
	check(err)

	m, err = hamt.Load(ctx, &lsys, root) // loads one block, the root
	check(err)
	value, err := m.LookupByString("Alice") // and the others when they are needed
	check(err)
	fmt.Println(value.AsInt())
	for entry, err := range m.Entries(ctx) { // in hash order, later blocks loading meanwhile
		fmt.Printf("%q %v\n", entry.KeyString(), err)
	}

	lsys.NodeReifier = hamt.ReifyRoots // every HAMT a traversal meets is a map
	hamt.Register(&lsys)               // selectors may ask: {"~": {"as": "hamt", …}}
	// Output:
	// 1 <nil>
	// "Alice" <nil>
	// "\xff" <nil>
}
