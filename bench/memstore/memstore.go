// Package memstore is the store that every implementation is measured with: a
// Go map of blocks, behind a LinkSystem and behind Filecoin's IpldStore.
package memstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"sync"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipldcbor "github.com/ipfs/go-ipld-cbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"
)

// Store keeps blocks by binary CID and counts the writes. It is safe for
// concurrent use.
type Store struct {
	mu     sync.RWMutex
	blocks map[string][]byte
	writes int
}

// New makes an empty store.
func New() *Store { return &Store{blocks: map[string][]byte{}} }

// Clone makes a store of the same blocks, with nothing counted.
func (s *Store) Clone() *Store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return &Store{blocks: maps.Clone(s.blocks)}
}

// Writes is the number of blocks written, those that were there among them.
func (s *Store) Writes() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.writes
}

// Len is the number of blocks.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.blocks)
}

// Each calls use with every block.
func (s *Store) Each(use func(c cid.Cid, block []byte)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key, block := range s.blocks {
		use(cid.MustParse([]byte(key)), block)
	}
}

// Put keeps a block.
func (s *Store) Put(c cid.Cid, block []byte) { s.put(c.KeyString(), block) }

var errNotFound = errors.New("no such block")

func (s *Store) get(key string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	block, ok := s.blocks[key]
	if !ok {
		return nil, errNotFound
	}
	return block, nil
}

func (s *Store) put(key string, block []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	s.blocks[key] = block
}

// LinkSystem is the store for go-ipld-prime.
func (s *Store) LinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageReadOpener = func(_ linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		block, err := s.get(link.Binary())
		if err != nil {
			return nil, err
		}
		return bytes.NewReader(block), nil
	}
	lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		w := &writer{}
		return w, func(link datamodel.Link) error {
			s.put(link.Binary(), w.block)
			return nil
		}, nil
	}
	return &lsys
}

// writer keeps what is written in one allocation where it comes in one piece.
type writer struct{ block []byte }

func (w *writer) Write(p []byte) (int, error) {
	w.block = append(w.block, p...)
	return len(p), nil
}

// IpldStore is the store for go-hamt-ipld, with the block hash that the
// others use.
func (s *Store) IpldStore() ipldcbor.IpldStore {
	store := ipldcbor.NewCborStore(blockstore{s})
	store.DefaultMultihash = multihash.SHA2_256
	return store
}

type blockstore struct{ store *Store }

func (b blockstore) Get(_ context.Context, c cid.Cid) (blocks.Block, error) {
	block, err := b.store.get(c.KeyString())
	if err != nil {
		return nil, err
	}
	return blocks.NewBlockWithCid(block, c)
}

func (b blockstore) Put(_ context.Context, block blocks.Block) error {
	b.store.put(block.Cid().KeyString(), block.RawData())
	return nil
}
