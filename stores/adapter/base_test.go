package adapter_test

import (
	"testing"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/adapter"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
)

func TestBase(t *testing.T) {
	for name, open := range map[string]func(d datastore.Batching) stores.Writable{
		"Blockstore": func(d datastore.Batching) stores.Writable { return adapter.Blockstore(blockstore.NewBlockstore(d)) },
		"Datastore":  func(d datastore.Batching) stores.Writable { return adapter.Datastore(d, blockstore.BlockPrefix) },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.TestReading(t, func(t *testing.T, content map[cid.Cid][]byte) stores.Store {
				d := dssync.MutexWrap(datastore.NewMapDatastore())
				bs := blockstore.NewBlockstore(d)
				for c, data := range content {
					block, err := blocks.NewBlockWithCid(data, c)
					if err != nil {
						t.Fatal(err)
					}
					if err := bs.Put(t.Context(), block); err != nil {
						t.Fatal(err)
					}
				}
				return open(d)
			})
			storetest.TestWriting(t, open(dssync.MutexWrap(datastore.NewMapDatastore())))
		})
	}
}
