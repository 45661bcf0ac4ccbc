package car_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipld/go-car/v2"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// A CAR of one key has the blocks on the way to it: who gets it has the value,
// and the proof that it is in the map.
func Example() {
	ctx := context.Background()
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	root := buildExample(ctx, builder.Prototype{LinkSystem: &lsys})

	hamt.Register(&lsys) // what follows asks for the ADL by name
	var archive bytes.Buffer
	_, err := car.TraverseV1(ctx, &lsys, root.Cid, hamt.KeySelector("key 7"), &archive)
	if err != nil {
		panic(err)
	}

	blocks, err := car.NewBlockReader(&archive) // which checks each
	if err != nil {
		panic(err)
	}
	n := 0
	for ; ; n++ {
		if _, err := blocks.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			panic(err)
		}
	}
	m, err := hamt.Load(ctx, &lsys, root)
	if err != nil {
		panic(err)
	}
	all, err := m.Stats(ctx)
	fmt.Println(n, "of", all.Blocks, "blocks", err)
	// Output: 2 of 142 blocks <nil>
}

// buildExample builds a map of a thousand entries.
func buildExample(ctx context.Context, p builder.Prototype) cidlink.Link {
	txn, err := p.NewTxn()
	if err != nil {
		panic(err)
	}
	for i := range 1000 {
		if err := txn.SetString(fmt.Sprint("key ", i), basicnode.NewInt(int64(i))); err != nil {
			panic(err)
		}
	}
	_, root, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	return root.(cidlink.Link)
}
