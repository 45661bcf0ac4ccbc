package adapter_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/exchange/offline"
	boxo "github.com/ipfs/boxo/gateway"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/stores/adapter"
	"github.com/ipld-hamt/go-ipld-hamt/stores/gateway"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// TestGateway writes a map into a blockstore, and reads it over the gateway that
// boxo, and so Kubo, makes of one.
func TestGateway(t *testing.T) {
	const entries = 2000
	bs := blockstore.NewBlockstore(dssync.MutexWrap(datastore.NewMapDatastore()))
	local := adapter.Blockstore(bs)
	blocks := 0
	put := func(data string) cid.Cid {
		c, err := cid.V1Builder{Codec: cid.Raw, MhType: uint64(params.Default().HashAlg)}.Sum([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := local.Put(t.Context(), c, []byte(data)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	txn, err := builder.Prototype{Params: params.Params{BitWidth: 5}, LinkSystem: local.LinkSystem()}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		var value datamodel.Node = basicnode.NewInt(int64(i))
		if i%50 == 0 {
			value = basicnode.NewLink(cidlink.Link{Cid: put(fmt.Sprint("value ", i))})
		}
		if err := txn.SetString(fmt.Sprint("key ", i), value); err != nil {
			t.Fatal(err)
		}
	}
	_, link, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := link.(cidlink.Link).Cid
	all, err := bs.AllKeysChan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range all {
		blocks++
	}

	backend, err := boxo.NewBlocksBackend(blockservice.New(bs, offline.Exchange(bs)))
	if err != nil {
		t.Fatal(err)
	}
	handler := boxo.NewHandler(boxo.Config{}, backend)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	s, err := gateway.Open(t.Context(), []string{server.URL}, gateway.Options{Remote: remote.Options{Timeout: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() // it holds nothing that could be lost
	fetch := func() (delivered []cid.Cid, err error) {
		err = s.Tree(t.Context(), root, func(c cid.Cid, block []byte) error {
			if want, err := local.Get(t.Context(), c); err != nil || !bytes.Equal(block, want) {
				t.Errorf("%s is %q, %v", c, block, err)
			}
			delivered = append(delivered, c)
			return nil
		})
		return delivered, err
	}

	got, err := fetch()
	if err != nil || len(got) != blocks || asked.Load() != 1 {
		t.Errorf("%d of %d blocks in %d requests, %v", len(got), blocks, asked.Load(), err)
	}
	m, err := hamt.Load(t.Context(), s.LinkSystem(), link)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := m.Count(t.Context()); n != entries || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
	if has, err := s.Has(t.Context(), root); !has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	absent := block(t, 1).Cid()
	if has, err := s.Has(t.Context(), absent); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}

	// A CAR that cannot be whole is an error, after what is there.
	if err := bs.DeleteBlock(t.Context(), got[len(got)/2]); err != nil {
		t.Fatal(err)
	}
	part, err := fetch()
	if err == nil || len(part) < len(got)/4 || len(part) >= len(got) {
		t.Errorf("%d blocks, %v", len(part), err)
	}
}
