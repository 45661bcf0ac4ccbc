// Package slowstore is a store at the other end of a simulated network.
package slowstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"io"
	"sync"
	"time"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipldcbor "github.com/ipfs/go-ipld-cbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/bench/memstore"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// Network says how slow. How long a block takes is the same in each run:
// jitter comes from the seed and the block's CID.
type Network struct {
	Latency        time.Duration // of each request
	Jitter         time.Duration // a request takes up to so much more or less
	BytesPerSecond int64         // of the line that all requests share; 0 is no limit
	AtOnce         int           // requests served at the same time; 0 is no limit
	Seed           uint64
}

// Store serves the blocks of another store over a network, for reading.
type Store struct {
	*hamttest.Store
	network Network
	line    line
}

// Over puts a store behind a network.
func (n Network) Over(from *memstore.Store) *Store {
	s := &Store{Store: hamttest.NewStore(), network: n}
	from.Each(func(c cid.Cid, block []byte) { s.Put(c, block) })
	s.Delay = s.delay
	s.Limit = n.AtOnce
	return s
}

func (s *Store) delay(link datamodel.Link) time.Duration {
	d := s.network.Latency + s.network.jitter(link)
	if s.network.BytesPerSecond > 0 {
		size := time.Duration(len(s.Block(link)))
		d = s.line.transfer(d, size*time.Second/time.Duration(s.network.BytesPerSecond))
	}
	return d
}

func (n Network) jitter(link datamodel.Link) time.Duration {
	if n.Jitter <= 0 {
		return 0
	}
	hash := fnv.New64a()
	hash.Write(binary.BigEndian.AppendUint64(nil, n.Seed))
	io.WriteString(hash, link.Binary())
	return time.Duration(hash.Sum64()%uint64(2*n.Jitter+1)) - n.Jitter
}

// line carries one block at a time.
type line struct {
	mu   sync.Mutex
	free time.Time // when what has been asked for is through
}

// transfer returns how long it takes from now until a block is through that can
// be sent after wait and then takes so long.
func (l *line) transfer(wait, takes time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	begin := now.Add(wait)
	if begin.Before(l.free) {
		begin = l.free
	}
	l.free = begin.Add(takes)
	return l.free.Sub(now)
}

// IpldStore is the store for go-hamt-ipld.
func (s *Store) IpldStore() ipldcbor.IpldStore {
	store := ipldcbor.NewCborStore(blockstore{s})
	store.DefaultMultihash = multihash.SHA2_256
	return store
}

type blockstore struct{ store *Store }

func (b blockstore) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	reader, err := b.store.LinkSystem().StorageReadOpener(linking.LinkContext{Ctx: ctx}, cidlink.Link{Cid: c})
	if err != nil {
		return nil, err
	}
	var block bytes.Buffer
	if _, err := block.ReadFrom(reader); err != nil {
		return nil, err
	}
	return blocks.NewBlockWithCid(block.Bytes(), c)
}

func (b blockstore) Put(_ context.Context, block blocks.Block) error {
	b.store.Put(block.Cid(), block.RawData())
	return nil
}
