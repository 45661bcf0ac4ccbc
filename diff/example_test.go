package diff_test

import (
	"context"
	"fmt"

	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
)

// newLinkSystem returns a LinkSystem over memory; any other does as well.
func newLinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys
}

// twoVersions returns a map of temperatures, and the same a day later.
func twoVersions() (before, after *adl.Node) {
	ctx := context.Background()
	txn, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	commit := func() *adl.Node {
		m, _, err := txn.Commit(ctx)
		if err != nil {
			panic(err)
		}
		return m
	}
	set := func(key string, value int64) {
		if err := txn.SetString(key, basicnode.NewInt(value)); err != nil {
			panic(err)
		}
	}
	for i := range 1000 {
		set(fmt.Sprint("station ", i), 20)
	}
	before = commit()
	set("station 7", 21)
	set("station 1000", 18)
	if _, err := txn.DeleteString(ctx, "station 8"); err != nil {
		panic(err)
	}
	return before, commit()
}

func ExampleChanges() {
	before, after := twoVersions()
	for c, err := range diff.Changes(context.Background(), before, after) {
		if err != nil {
			panic(err)
		}
		if c.Kind == diff.Removed {
			fmt.Printf("%s %s\n", c.Kind, c.Key)
			continue
		}
		value, err := c.After.Node()
		if err != nil {
			panic(err)
		}
		temperature, err := value.AsInt()
		fmt.Println(c.Kind, string(c.Key), temperature, err)
	}
	// Output:
	// changed station 7 21 <nil>
	// added station 1000 18 <nil>
	// removed station 8
}

// A diff that was broken off goes on after the last change that was seen.
func ExampleAfter() {
	before, after := twoVersions()
	for c, err := range diff.Changes(context.Background(), before, after, diff.After([]byte("station 1000"))) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s %s\n", c.Kind, c.Key)
	}
	// Output: removed station 8
}

// What has to be sent to somebody who has the first version for him to have the second.
func ExampleNewBlocks() {
	before, after := twoVersions()
	blocks, bytes := 0, 0
	for b, err := range diff.NewBlocks(context.Background(), before, after) {
		if err != nil {
			panic(err)
		}
		blocks++
		bytes += len(b.Bytes)
	}
	stats, err := after.Stats(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d of %d blocks, %d of %d bytes\n", blocks, stats.Blocks, bytes, stats.Bytes)
	// Output: 4 of 145 blocks, 9909 of 25892 bytes
}
