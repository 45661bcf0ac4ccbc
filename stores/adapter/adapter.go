// Package adapter makes a store of what the IPFS world keeps blocks in: any
// boxo blockstore, any go-datastore. go-ipld-prime has adapters of the same
// names, dsadapter and bsadapter, in modules of their own; they cannot be had
// from the module proxy, and these stand in for them.
//
// The blockstore or datastore stays its owner's: Close leaves it open, and its
// locks, its garbage collection and its durability are its own.
package adapter

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/datastore/dshelp"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	format "github.com/ipfs/go-ipld-format"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// keeper is where a store keeps its blocks.
type keeper interface {
	get(ctx context.Context, c cid.Cid) ([]byte, error)
	has(ctx context.Context, c cid.Cid) (bool, error)
	put(ctx context.Context, c cid.Cid, block []byte) error
	sync(ctx context.Context) error
}

// store is a keeper of blocks, as a store.
type store struct {
	stores.WritableBase
	blocks keeper
}

func newStore(blocks keeper) *store {
	return &store{stores.NewWritableBase(stores.Blocks{Get: blocks.get, Has: blocks.has}, blocks.put), blocks}
}

// about returns an error with the CID of the block.
func about(c cid.Cid, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("block %s: %w", c, err)
}

func (s *store) Sync() error { return s.blocks.sync(context.Background()) }

func (s *store) Publish(ctx context.Context, _ cid.Cid) error { return s.blocks.sync(ctx) }

func (s *store) Close() error { return nil }

// Blockstore makes a store of a boxo blockstore. It is safe for concurrent use
// as far as that is. A blockstore has no means to sync: what it has taken is as
// durable as it makes it, and Publish adds nothing.
func Blockstore(bs blockstore.Blockstore) stores.Writable {
	return newStore(inBlockstore{bs})
}

type inBlockstore struct{ blockstore.Blockstore }

func (s inBlockstore) get(ctx context.Context, c cid.Cid) ([]byte, error) {
	block, err := s.Get(ctx, c)
	if format.IsNotFound(err) {
		return nil, stores.NotFound{CID: c}
	}
	if err != nil {
		return nil, about(c, err)
	}
	return block.RawData(), nil
}

func (s inBlockstore) has(ctx context.Context, c cid.Cid) (bool, error) {
	has, err := s.Has(ctx, c)
	return has, about(c, err)
}

func (s inBlockstore) put(ctx context.Context, c cid.Cid, data []byte) error {
	block, err := blocks.NewBlockWithCid(data, c)
	if err != nil {
		return about(c, err)
	}
	return about(c, s.Put(ctx, block))
}

func (s inBlockstore) sync(context.Context) error { return nil }

// Datastore makes a store of a go-datastore. It is safe for concurrent use as
// far as that is. Publish syncs it.
//
// The keys are those of a boxo blockstore: the hash of the block, in base32,
// under a namespace. With blockstore.BlockPrefix, which is what Kubo's has,
// either reads what the other wrote; datastore.NewKey("/") is for a datastore
// that has nothing but blocks, as under blockstore.NoPrefix.
//
// Blocks are put one by one. A datastore that is slow at that may be wrapped,
// once in package autobatch and, since that is not for concurrent use, in
// package sync.
func Datastore(d datastore.Datastore, namespace datastore.Key) stores.Writable {
	return newStore(inDatastore{d, namespace})
}

type inDatastore struct {
	datastore.Datastore
	namespace datastore.Key
}

func (s inDatastore) key(c cid.Cid) datastore.Key {
	return s.namespace.Child(dshelp.MultihashToDsKey(c.Hash()))
}

func (s inDatastore) get(ctx context.Context, c cid.Cid) ([]byte, error) {
	block, err := s.Get(ctx, s.key(c))
	if errors.Is(err, datastore.ErrNotFound) {
		return nil, stores.NotFound{CID: c}
	}
	return block, about(c, err)
}

func (s inDatastore) has(ctx context.Context, c cid.Cid) (bool, error) {
	has, err := s.Has(ctx, s.key(c))
	return has, about(c, err)
}

func (s inDatastore) put(ctx context.Context, c cid.Cid, block []byte) error {
	return about(c, s.Put(ctx, s.key(c), block))
}

func (s inDatastore) sync(ctx context.Context) error { return s.Sync(ctx, s.namespace) }
