package adapter_test

import (
	"context"
	"fmt"

	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/stores/adapter"
)

// A map in a boxo blockstore, which here is over a datastore in memory. The
// blockstore of a running Kubo node or of any other program on boxo serves as
// well.
func ExampleBlockstore() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	bs := blockstore.NewBlockstore(dssync.MutexWrap(datastore.NewMapDatastore()))
	store := adapter.Blockstore(bs)

	txn, err := builder.Prototype{LinkSystem: store.LinkSystem()}.NewTxn()
	check(err)
	check(txn.SetString("Alice", basicnode.NewInt(0)))
	check(txn.SetString("Bob", basicnode.NewInt(1)))
	_, root, err := txn.Commit(ctx)
	check(err)

	m, err := hamt.Load(ctx, store.LinkSystem(), root)
	check(err)
	value, err := m.LookupByString("Bob")
	check(err)
	fmt.Println(value.AsInt())
	// Output:
	// 1 <nil>
}

// A map in a go-datastore, under the keys that Kubo's blockstore would use.
// Publish syncs it: only then should anybody hear of the root.
func ExampleDatastore() {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	d := dssync.MutexWrap(datastore.NewMapDatastore()) // or one on a disk
	store := adapter.Datastore(d, blockstore.BlockPrefix)

	txn, err := builder.Prototype{LinkSystem: store.LinkSystem()}.NewTxn()
	check(err)
	for n := range 10_000 {
		check(txn.SetString(fmt.Sprint("key ", n), basicnode.NewInt(int64(n))))
	}
	_, root, err := txn.Commit(ctx)
	check(err)
	check(store.Publish(ctx, root.(cidlink.Link).Cid))

	m, err := hamt.Load(ctx, store.LinkSystem(), root)
	check(err)
	value, err := m.LookupByString("key 1234")
	check(err)
	fmt.Println(value.AsInt())
	// Output:
	// 1234 <nil>
}
