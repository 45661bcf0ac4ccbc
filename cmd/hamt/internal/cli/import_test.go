package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// forgetful is a store that has what was put until it is written, and then has nothing.
type forgetful struct {
	stores.WritableBase
	blocks map[cid.Cid][]byte
}

func newForgetful() *forgetful {
	f := &forgetful{blocks: map[cid.Cid][]byte{}}
	get := func(_ context.Context, c cid.Cid) ([]byte, error) {
		if block, ok := f.blocks[c]; ok {
			return block, nil
		}
		return nil, stores.NotFound{CID: c}
	}
	has := func(_ context.Context, c cid.Cid) (bool, error) { return f.blocks[c] != nil, nil }
	f.WritableBase = stores.NewWritableBase(stores.Blocks{Get: get, Has: has},
		func(_ context.Context, c cid.Cid, block []byte) error { f.blocks[c] = block; return nil })
	return f
}

func (f *forgetful) Sync() error                            { clear(f.blocks); return nil }
func (f *forgetful) Publish(context.Context, cid.Cid) error { return f.Sync() }
func (f *forgetful) Close() error                           { return nil }

// TestImportReadsWhatIsStored: whether a map is whole is asked of what is stored, and not
// of what waits in memory.
func TestImportReadsWhatIsStored(t *testing.T) {
	f := newForgetful()
	txn, err := builder.Prototype{LinkSystem: f.LinkSystem()}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.SetString("key", basicnode.NewInt(1)); err != nil {
		t.Fatal(err)
	}
	_, link, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := stores.CIDOf(link)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{quiet: true}
	layout := layoutFlags{layout: "spec", changed: func(string) bool { return false }}
	a.store.remote.AtOnce = 1
	if err := a.areWhole(t.Context(), f, []cid.Cid{root}, &layout); err == nil || !stores.IsNotFound(err) && !errors.As(err, new(stores.NotFound)) {
		t.Errorf("%v", err)
	}
}
