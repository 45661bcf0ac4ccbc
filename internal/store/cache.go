package store

import (
	"sync"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
)

// Cache keeps parsed nodes by their binary CID, bounded by the bytes that they
// hold. It is safe for concurrent use; all versions of a map share one.
//
// When it is full, what was not used for longest goes, approximately (CLOCK):
// a hit only sets a bit, so lookups share a read lock.
type Cache struct {
	shards [cacheShards]cacheShard
	hits   atomic.Int64
	misses atomic.Int64
}

const cacheShards = 16 // a power of two

type cacheShard struct {
	mu    sync.RWMutex
	slots map[string]*cacheSlot
	ring  []*cacheSlot // every slot, in the order the hand passes them
	hand  int
	bytes int64
	limit int64
}

type cacheSlot struct {
	key  string
	node *block.Node
	at   int // in ring
	used atomic.Bool
}

// CacheStats is what a cache has done and holds.
type CacheStats struct {
	Hits, Misses int64 // lookups since the cache was made
	Nodes        int64 // nodes held
	Bytes        int64 // bytes held, about
}

// NewCache makes a cache of at most limit bytes; 0 keeps nothing.
func NewCache(limit int64) *Cache {
	c := &Cache{}
	for i := range c.shards {
		c.shards[i].limit = limit / cacheShards
		c.shards[i].slots = map[string]*cacheSlot{}
	}
	return c
}

// shard picks by the last byte of the digest, which is as good as random.
func (c *Cache) shard(key []byte) *cacheShard {
	return &c.shards[key[len(key)-1]&(cacheShards-1)]
}

// Get finds a node.
func (c *Cache) Get(key []byte) (*block.Node, bool) {
	s := c.shard(key)
	s.mu.RLock()
	slot, ok := s.slots[string(key)]
	s.mu.RUnlock()
	if !ok {
		c.misses.Add(1)
		return nil, false
	}
	if !slot.used.Load() { // spares the cache line where it is set already
		slot.used.Store(true)
	}
	c.hits.Add(1)
	return slot.node, true
}

// Add keeps a node. Where that takes another's room, it does so only with
// evict; walks over a whole map go without, so that they do not push out what
// lookups use.
func (c *Cache) Add(key []byte, node *block.Node, evict bool) {
	s := c.shard(key)
	size := slotSize(key, node)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.limit {
		return
	}
	if _, ok := s.slots[string(key)]; ok {
		return
	}
	if s.bytes+size > s.limit && !evict {
		return
	}
	for s.bytes+size > s.limit {
		s.evictOne()
	}
	slot := &cacheSlot{key: string(key), node: node, at: len(s.ring)}
	s.slots[slot.key] = slot
	s.ring = append(s.ring, slot)
	s.bytes += size
}

// evictOne drops the first slot under the hand that was not used since the
// hand last passed.
func (s *cacheShard) evictOne() {
	for {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		slot := s.ring[s.hand]
		if slot.used.Swap(false) {
			s.hand++
			continue
		}
		last := len(s.ring) - 1
		s.ring[slot.at] = s.ring[last]
		s.ring[slot.at].at = slot.at
		s.ring[last] = nil
		s.ring = s.ring[:last]
		delete(s.slots, slot.key)
		s.bytes -= slotSize([]byte(slot.key), slot.node)
		return
	}
}

func slotSize(key []byte, node *block.Node) int64 {
	const overhead = 128 // the slot, its place in map and ring
	return int64(len(key) + node.Memory() + overhead)
}

// Stats tells what the cache has done and holds.
func (c *Cache) Stats() CacheStats {
	stats := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		stats.Nodes += int64(len(s.ring))
		stats.Bytes += s.bytes
		s.mu.RUnlock()
	}
	return stats
}
