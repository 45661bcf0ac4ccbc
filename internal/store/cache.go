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
// a hit only sets a bit, so lookups share a read lock. And a parent points to
// those of its children that are here (Attach), so most lookups come by
// without asking the cache at all.
type Cache struct {
	shards [cacheShards]cacheShard
}

const cacheShards = 16 // a power of two

type cacheShard struct {
	mu    sync.RWMutex
	slots map[string]*cacheSlot
	ring  []*cacheSlot // every slot, in the order the hand passes them
	hand  int
	bytes int64
	limit int64

	hits   atomic.Int64
	misses atomic.Int64
	_      [64]byte // so that counting in one shard does not slow another
}

type cacheSlot struct {
	key     string
	node    *block.Node
	at      int                                     // in ring
	parents [maxParents]*atomic.Pointer[block.Node] // that point to the node
	newest  int                                     // in parents
}

// maxParents is how many parents may point to a node: every version of a map
// has its own root, and few of them are read at the same time.
const maxParents = 4

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
		s.misses.Add(1)
		return nil, false
	}
	slot.node.Touch()
	s.hits.Add(1)
	return slot.node, true
}

// Used notes that a node was found through its parent. The bits of the index
// that led there pick where to count, so that many goroutines do not count in
// one place.
func (c *Cache) Used(node *block.Node, index int) {
	node.Touch()
	c.shards[index&(cacheShards-1)].hits.Add(1)
}

// Attach lets a parent point to a node, for as long as the cache holds it.
func (c *Cache) Attach(key []byte, node *block.Node, parent *atomic.Pointer[block.Node]) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, ok := s.slots[string(key)]
	if !ok || slot.node != node {
		return
	}
	slot.newest = (slot.newest + 1) % maxParents
	slot.detach(slot.newest)
	slot.parents[slot.newest] = parent
	parent.Store(node)
}

func (s *cacheSlot) detach(i int) {
	if s.parents[i] != nil {
		s.parents[i].CompareAndSwap(s.node, nil)
		s.parents[i] = nil
	}
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
		if slot.node.Touched() {
			s.hand++
			continue
		}
		for i := range slot.parents {
			slot.detach(i)
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
	const overhead = 160 // the slot, its place in map and ring
	return int64(len(key) + node.Memory() + overhead)
}

// Stats tells what the cache has done and holds.
func (c *Cache) Stats() CacheStats {
	var stats CacheStats
	for i := range c.shards {
		s := &c.shards[i]
		stats.Hits += s.hits.Load()
		stats.Misses += s.misses.Load()
		s.mu.RLock()
		stats.Nodes += int64(len(s.ring))
		stats.Bytes += s.bytes
		s.mu.RUnlock()
	}
	return stats
}
