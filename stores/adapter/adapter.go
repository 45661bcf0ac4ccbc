// Package adapter makes a store of what the IPFS world keeps blocks in: any
// boxo blockstore, any go-datastore. go-ipld-prime has adapters of the same
// names, dsadapter and bsadapter, in modules of their own; they cannot be had
// from the module proxy, and these stand in for them.
//
// The blockstore or datastore stays its owner's: Close leaves it open, and its
// locks, its garbage collection and its durability are its own. What it gives
// is not checked by Get, and is by the LinkSystem.
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
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// store is a place of blocks with its LinkSystem, which knows the blocks that
// are in their CIDs: those do not come here.
type store struct {
	blocks interface {
		get(ctx context.Context, c cid.Cid) ([]byte, error)
		has(ctx context.Context, c cid.Cid) (bool, error)
		put(ctx context.Context, c cid.Cid, block []byte) error
		sync(ctx context.Context) error
	}
	lsys *linking.LinkSystem
}

func (s *store) LinkSystem() *linking.LinkSystem { return s.lsys }

func (s *store) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if block, ok := stores.Inlined(c); ok {
		return block, nil
	}
	return s.blocks.get(ctx, c)
}

func (s *store) Has(ctx context.Context, c cid.Cid) (bool, error) {
	if _, ok := stores.Inlined(c); ok {
		return true, nil
	}
	has, err := s.blocks.has(ctx, c)
	return has, about(c, err)
}

func (s *store) Put(ctx context.Context, c cid.Cid, block []byte) error {
	if _, ok := stores.Inlined(c); ok {
		return nil
	}
	return about(c, s.blocks.put(ctx, c, block))
}

// about says which block an error is about.
func about(c cid.Cid, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("block %s: %w", c, err)
}

func (s *store) Sync() error { return s.blocks.sync(context.Background()) }

func (s *store) Publish(ctx context.Context, _ cid.Cid) error { return s.blocks.sync(ctx) }

func (s *store) DefaultRoot() (cid.Cid, bool) { return cid.Undef, false }

func (s *store) Close() error { return nil }

// Blockstore makes a store of a boxo blockstore. It is safe for concurrent use
// as far as that is. A blockstore has no means to sync: what it has taken is as
// durable as it makes it, and Publish adds nothing.
func Blockstore(bs blockstore.Blockstore) stores.Writable {
	s := &store{blocks: inBlockstore{bs}}
	s.lsys = stores.Writing(stores.ReadingBlocks(s.Get), s.Put)
	return s
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

func (s inBlockstore) has(ctx context.Context, c cid.Cid) (bool, error) { return s.Has(ctx, c) }

func (s inBlockstore) put(ctx context.Context, c cid.Cid, data []byte) error {
	block, err := blocks.NewBlockWithCid(data, c)
	if err != nil {
		return err
	}
	return s.Put(ctx, block)
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
	s := &store{blocks: inDatastore{d, namespace}}
	s.lsys = stores.Writing(stores.ReadingBlocks(s.Get), s.Put)
	return s
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

func (s inDatastore) has(ctx context.Context, c cid.Cid) (bool, error) { return s.Has(ctx, s.key(c)) }

func (s inDatastore) put(ctx context.Context, c cid.Cid, block []byte) error {
	return s.Put(ctx, s.key(c), block)
}

func (s inDatastore) sync(ctx context.Context) error { return s.Sync(ctx, s.namespace) }
