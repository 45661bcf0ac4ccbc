package adl_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// numbers is a map of n entries.
func numbers(n int) *adl.Node {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	txn, err := builder.Prototype{LinkSystem: &lsys}.NewTxn()
	if err != nil {
		panic(err)
	}
	for i := range n {
		if err := txn.SetString(fmt.Sprint("number ", i), basicnode.NewInt(int64(i))); err != nil {
			panic(err)
		}
	}
	m, _, err := txn.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	return m
}

// A key that is not there is go-ipld-prime's ErrNotExists; everything else that
// can go wrong concerns a block, and names it.
func ExampleNode_Get() {
	ctx := context.Background()
	m := numbers(10)
	value, err := m.Get(ctx, []byte("number 7"))
	if err != nil {
		panic(err)
	}
	fmt.Println(value.AsInt())
	_, err = m.Get(ctx, []byte("number 11"))
	fmt.Println(errors.As(err, &datamodel.ErrNotExists{}))
	// Output:
	// 7 <nil>
	// true
}

// Entries come in hash order, while later blocks are being loaded.
func ExampleNode_Entries() {
	m := numbers(1000)
	var sum int64
	for entry, err := range m.Entries(context.Background()) {
		if err != nil {
			panic(err)
		}
		value, err := entry.Value()
		if err != nil {
			panic(err)
		}
		n, err := value.AsInt()
		if err != nil {
			panic(err)
		}
		sum += n
	}
	fmt.Println(sum)
	// Output: 499500
}

// Stats describes the tree.
func ExampleNode_Stats() {
	m := numbers(1000)
	stats, err := m.Stats(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(stats.Entries, "entries,", len(stats.Levels), "levels")
	// Output: 1000 entries, 2 levels
}

// Verify reports every fault; none means that the map is whole, and the one
// that any implementation makes of these entries.
func ExampleNode_Verify() {
	m := numbers(1000)
	whole := true
	for err := range m.Verify(context.Background()) {
		fmt.Println(err)
		whole = false
	}
	fmt.Println(whole)
	// Output: true
}

// Any IPLD implementation finds the value at the path, whether it knows HAMTs
// or not: ipfs dag get ROOT/hamt/1/….
func ExampleNode_Locate() {
	m := numbers(1000)
	location, err := m.Locate(context.Background(), []byte("number 7"))
	if err != nil {
		panic(err)
	}
	fmt.Println(len(location.Blocks), "blocks,", location.Path)
	// Output: 2 blocks, hamt/1/210/1/2/0/1
}
