package stores_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// memory is a kind of store: blocks in memory.
type memory struct {
	stores.WritableBase
	blocks sync.Map // of []byte, by cid.Cid
}

func newMemory() *memory {
	m := &memory{}
	m.WritableBase = stores.NewWritableBase(stores.Blocks{Get: m.get, Has: m.has}, m.put)
	return m
}

func (m *memory) get(_ context.Context, c cid.Cid) ([]byte, error) {
	block, ok := m.blocks.Load(c)
	if !ok {
		return nil, stores.NotFound{CID: c}
	}
	return block.([]byte), nil
}

func (m *memory) has(_ context.Context, c cid.Cid) (bool, error) {
	_, ok := m.blocks.Load(c)
	return ok, nil
}

func (m *memory) put(_ context.Context, c cid.Cid, block []byte) error {
	m.blocks.Store(c, block)
	return nil
}

func (m *memory) Publish(context.Context, cid.Cid) error { return nil }

func (m *memory) Close() error { return nil }

// A kind of store is three functions, and what it does to publish and to close.
func ExampleNewWritableBase() {
	var store stores.Writable = newMemory()
	ctx := context.Background()
	txn, err := builder.Prototype{LinkSystem: store.LinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	if err := txn.SetString("Alice", basicnode.NewInt(1)); err != nil {
		panic(err)
	}
	_, root, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	m, err := hamt.Load(ctx, store.LinkSystem(), root)
	if err != nil {
		panic(err)
	}
	n, err := m.Count(ctx)
	fmt.Println(n, err)
	// Output: 1 <nil>
}
