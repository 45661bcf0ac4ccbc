package adapter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/autobatch"
	"github.com/ipfs/go-datastore/failstore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/ipfs/go-ds-flatfs"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/adapter"
	local "github.com/ipld-hamt/go-ipld-hamt/stores/flatfs"
)

func block(t *testing.T, n int) blocks.Block {
	t.Helper()
	data := fmt.Appendf(nil, "block %d", n)
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	b, err := blocks.NewBlockWithCid(data, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hasAll(t *testing.T, s stores.Store, written ...blocks.Block) {
	t.Helper()
	for _, b := range written {
		v0 := cid.NewCidV0(b.Cid().Hash()) // another name for the same bytes
		for _, c := range []cid.Cid{b.Cid(), v0} {
			if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, b.RawData()) {
				t.Errorf("%s: %q, %v", c, got, err)
			}
			if has, err := s.Has(t.Context(), c); !has || err != nil {
				t.Errorf("%s: %v, %v", c, has, err)
			}
		}
		got, err := s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: b.Cid()})
		if err != nil || !bytes.Equal(got, b.RawData()) {
			t.Errorf("%s: %q, %v", b.Cid(), got, err)
		}
	}
}

// TestSameBlocks: the datastore's store and the blockstore's, and boxo itself,
// read what any of them wrote.
func TestSameBlocks(t *testing.T) {
	type prefix struct {
		key     datastore.Key
		options []blockstore.Option
	}
	for name, p := range map[string]prefix{
		"Kubo's":    {blockstore.BlockPrefix, nil},
		"no prefix": {datastore.NewKey("/"), []blockstore.Option{blockstore.NoPrefix()}},
	} {
		t.Run(name, func(t *testing.T) {
			d := dssync.MutexWrap(datastore.NewMapDatastore())
			bs := blockstore.NewBlockstore(d, p.options...)
			ofBlockstore, ofDatastore := adapter.Blockstore(bs), adapter.Datastore(d, p.key)
			first, second, third := block(t, 1), block(t, 2), block(t, 3)
			if err := bs.Put(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			if err := ofBlockstore.Put(t.Context(), second.Cid(), second.RawData()); err != nil {
				t.Fatal(err)
			}
			if err := ofDatastore.Put(t.Context(), third.Cid(), third.RawData()); err != nil {
				t.Fatal(err)
			}
			hasAll(t, ofBlockstore, first, second, third)
			hasAll(t, ofDatastore, first, second, third)
			if got, err := bs.Get(t.Context(), third.Cid()); err != nil || !bytes.Equal(got.RawData(), third.RawData()) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func each(t *testing.T, f func(t *testing.T, s stores.Writable, d *failstore.Failstore, broken *error)) {
	for name, over := range map[string]func(d datastore.Batching) stores.Writable{
		"blockstore": func(d datastore.Batching) stores.Writable {
			return adapter.Blockstore(blockstore.NewBlockstore(d))
		},
		"datastore": func(d datastore.Batching) stores.Writable {
			return adapter.Datastore(d, blockstore.BlockPrefix)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var broken error
			d := failstore.NewFailstore(dssync.MutexWrap(datastore.NewMapDatastore()), func(string) error { return broken })
			s := over(d)
			f(t, s, d, &broken)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	each(t, func(t *testing.T, s stores.Writable, _ *failstore.Failstore, _ *error) {
		absent := block(t, 1).Cid()
		if _, err := s.Get(t.Context(), absent); !errors.As(err, new(stores.NotFound)) {
			t.Errorf("%v", err)
		}
		if has, err := s.Has(t.Context(), absent); has || err != nil {
			t.Errorf("%v, %v", has, err)
		}
	})
}

func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, s stores.Writable, _ *failstore.Failstore, broken *error) {
		b := block(t, 1)
		*broken = errors.New("broken")
		_, err := s.Get(t.Context(), b.Cid())
		if !errors.Is(err, *broken) || stores.IsNotFound(err) {
			t.Errorf("get: %v", err)
		}
		if _, err := s.Has(t.Context(), b.Cid()); !errors.Is(err, *broken) {
			t.Errorf("has: %v", err)
		}
		if err := s.Put(t.Context(), b.Cid(), b.RawData()); !errors.Is(err, *broken) {
			t.Errorf("put: %v", err)
		}
	})
}

func TestWrongBytes(t *testing.T) {
	each(t, func(t *testing.T, s stores.Writable, _ *failstore.Failstore, _ *error) {
		c := block(t, 1).Cid()
		if err := s.Put(t.Context(), c, []byte("something else")); err != nil {
			t.Fatal(err)
		}
		_, err := s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: c})
		if !errors.As(err, new(linking.ErrHashMismatch)) {
			t.Errorf("%v", err)
		}
	})
}

// TestInlined: a block in its own CID is nowhere else.
func TestInlined(t *testing.T) {
	each(t, func(t *testing.T, s stores.Writable, _ *failstore.Failstore, broken *error) {
		*broken = errors.New("asked")
		c := cid.NewCidV1(cid.Raw, append([]byte{multihash.IDENTITY, 4}, "here"...))
		if err := s.Put(t.Context(), c, []byte("here")); err != nil {
			t.Error(err)
		}
		if got, err := s.Get(t.Context(), c); err != nil || string(got) != "here" {
			t.Errorf("%q, %v", got, err)
		}
		if has, err := s.Has(t.Context(), c); !has || err != nil {
			t.Errorf("%v, %v", has, err)
		}
	})
}

// TestPublish: what was put through a datastore that gathers its writes is in
// the one below when it was published, and an error of that is told.
func TestPublish(t *testing.T) {
	below := dssync.MutexWrap(datastore.NewMapDatastore())
	s := adapter.Datastore(dssync.MutexWrap(autobatch.NewAutoBatching(below, 1000)), blockstore.BlockPrefix)
	b := block(t, 1)
	if err := s.Put(t.Context(), b.Cid(), b.RawData()); err != nil {
		t.Fatal(err)
	}
	hasAll(t, s, b)
	through := adapter.Datastore(below, blockstore.BlockPrefix)
	if has, err := through.Has(t.Context(), b.Cid()); has || err != nil {
		t.Fatalf("there before it was published: %v, %v", has, err)
	}
	if err := s.Publish(t.Context(), b.Cid()); err != nil {
		t.Fatal(err)
	}
	hasAll(t, through, b)
	each(t, func(t *testing.T, s stores.Writable, _ *failstore.Failstore, broken *error) {
		if err := s.Publish(t.Context(), b.Cid()); err != nil {
			t.Error(err)
		}
	})
	failing := adapter.Datastore(cannotSync{below}, blockstore.BlockPrefix)
	if err := failing.Publish(t.Context(), b.Cid()); !errors.Is(err, errSync) {
		t.Errorf("%v", err)
	}
}

var errSync = errors.New("cannot sync")

type cannotSync struct{ datastore.Datastore }

func (cannotSync) Sync(_ context.Context, prefix datastore.Key) error {
	return fmt.Errorf("%s: %w", prefix, errSync)
}

// TestKuboLayout: what goes into go-ds-flatfs through the adapter is a blocks
// directory as Kubo has it.
func TestKuboLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blocks")
	d, err := flatfs.CreateOrOpen(dir, flatfs.IPFS_DEF_SHARD, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := adapter.Datastore(d, datastore.NewKey("/"))
	b := block(t, 1)
	if err := s.Put(t.Context(), b.Cid(), b.RawData()); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(t.Context(), b.Cid()); err != nil {
		t.Fatal(err)
	}
	inPlace, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	hasAll(t, inPlace, b)
}
