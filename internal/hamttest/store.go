package hamttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	_ "github.com/ipld/go-ipld-prime/codec/dagcbor"
	_ "github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
)

// Store is a store in memory: it keeps blocks by binary CID, records what is
// loaded and written, and can be slow or lie. It is safe for concurrent use; its fields
// are to be set before that.
type Store struct {
	// Delay is how long each load takes, until its context is done.
	Delay func(link datamodel.Link) time.Duration
	// Limit is how many loads may be under way at the same time; 0 is no limit.
	Limit int
	// OnRead may replace what a load gives, or make it fail.
	OnRead func(link datamodel.Link, block []byte) ([]byte, error)
	// OnWrite may make a write fail. It is asked when the write begins.
	OnWrite func(link datamodel.Link, block []byte) error
	// WriteDelay is how long each write takes, until its context is done.
	WriteDelay func(link datamodel.Link) time.Duration

	mu     sync.Mutex
	blocks map[string][]byte
	loads  []string
	writes []string
	once   sync.Once
	slots  chan struct{}
	reads  gauge
	stores gauge
}

// gauge counts what is under way at the same time.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) begin() {
	for n := g.now.Add(1); ; {
		most := g.most.Load()
		if n <= most || g.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (g *gauge) end() { g.now.Add(-1) }

// NewStore makes an empty store.
func NewStore() *Store { return &Store{blocks: map[string][]byte{}} }

// NotFound is the error of a block that is not there.
type NotFound struct{ Key string }

func (e NotFound) Error() string { return fmt.Sprintf("no block %x", e.Key) }

// NotFound is go-ipld-prime's convention for such errors.
func (NotFound) NotFound() bool { return true }

// LinkSystem returns a LinkSystem over the store.
func (s *Store) LinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageReadOpener = s.open
	lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		var buffer bytes.Buffer
		return &buffer, func(link datamodel.Link) error { return s.write(lctx.Ctx, link, buffer.Bytes()) }, nil
	}
	return &lsys
}

func (s *Store) open(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
	ctx := lctx.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	s.reads.begin()
	defer s.reads.end()
	if s.Limit > 0 {
		s.once.Do(func() { s.slots = make(chan struct{}, s.Limit) })
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if s.Delay != nil {
		if err := pause(ctx, s.Delay(link)); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.loads = append(s.loads, link.Binary())
	block, ok := s.blocks[link.Binary()]
	s.mu.Unlock()
	if s.OnRead != nil {
		var err error
		if block, err = s.OnRead(link, block); err != nil {
			return nil, err
		}
	} else if !ok {
		return nil, NotFound{link.Binary()}
	}
	return bytes.NewReader(block), nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) write(ctx context.Context, link datamodel.Link, block []byte) error {
	s.stores.begin()
	defer s.stores.end()
	if s.OnWrite != nil {
		if err := s.OnWrite(link, block); err != nil {
			return err
		}
	}
	if s.WriteDelay != nil {
		if err := pause(ctx, s.WriteDelay(link)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, link.Binary())
	s.blocks[link.Binary()] = block
	return nil
}

// Put keeps a block under any name.
func (s *Store) Put(c cid.Cid, block []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[c.KeyString()] = block
}

// Remove forgets a block.
func (s *Store) Remove(link datamodel.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blocks, link.Binary())
}

// Block returns a block, or nil.
func (s *Store) Block(link datamodel.Link) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocks[link.Binary()]
}

// Len is the number of blocks.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.blocks)
}

// Bytes is the sum of the lengths of all blocks.
func (s *Store) Bytes() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.blocks {
		n += int64(len(b))
	}
	return n
}

// Most is the largest number of loads that were under way at the same time.
func (s *Store) Most() int64 { return s.reads.most.Load() }

// MostWrites is the same for writes.
func (s *Store) MostWrites() int64 { return s.stores.most.Load() }

// TakeLoads returns the CIDs loaded since the last call, in order.
func (s *Store) TakeLoads() []string { return s.take(&s.loads) }

// TakeWrites returns the CIDs written since the last call, in order.
func (s *Store) TakeWrites() []string { return s.take(&s.writes) }

func (s *Store) take(list *[]string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	cids := make([]string, len(*list))
	for i, binary := range *list {
		cids[i] = cid.MustParse([]byte(binary)).String()
	}
	*list = nil
	return cids
}
