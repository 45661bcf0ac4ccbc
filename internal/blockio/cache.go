package blockio

import (
	"hash/maphash"
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
	seed   maphash.Seed // so that nobody can choose CIDs that collide
	shards [cacheShards]cacheShard
}

const cacheShards = 16 // a power of two

type cacheShard struct {
	mu    sync.RWMutex
	table []cacheSlot   // open addressing, linear probing; at most half full
	ring  []*block.Node // every node, in the order the hand passes them
	hand  int
	bytes int64
	limit int64

	hits   atomic.Int64
	misses atomic.Int64
	_      [64]byte // so that counting in one shard does not slow another
}

type cacheSlot struct {
	hash uint64
	node *block.Node // nil for a free slot
}

// CacheStats is what a cache has done and holds.
type CacheStats struct {
	Hits, Misses int64 // lookups since the cache was made
	Nodes        int64 // nodes held
	Bytes        int64 // bytes held, about
}

// NewCache makes a cache of at most limit bytes; 0 keeps nothing.
func NewCache(limit int64) *Cache {
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].limit = limit / cacheShards
	}
	return c
}

// limit is how many bytes each shard holds at most.
func (c *Cache) limit() int64 { return c.shards[0].limit }

// Hash hashes a name.
func (c *Cache) Hash(name []byte) uint64 { return maphash.Bytes(c.seed, name) }

// shard is where the node with a hash belongs.
func (c *Cache) shard(hash uint64) *cacheShard { return &c.shards[hash>>60] }

// find gives the slot of a name, or the free one where it would go. The table
// must not be empty.
func find[Name string | []byte](s *cacheShard, hash uint64, name Name) int {
	mask := len(s.table) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		slot := &s.table[i]
		if slot.node == nil || slot.hash == hash && slot.node.Name() == string(name) {
			return i
		}
	}
}

// get is the node with a name, or nil.
func get[Name string | []byte](s *cacheShard, hash uint64, name Name) *block.Node {
	if len(s.table) == 0 {
		return nil
	}
	return s.table[find(s, hash, name)].node
}

// Get finds a node by its name and the name's hash.
func (c *Cache) Get(hash uint64, name []byte) (*block.Node, bool) {
	s := c.shard(hash)
	s.mu.RLock()
	node := get(s, hash, name)
	s.mu.RUnlock()
	if node == nil {
		s.misses.Add(1)
		return nil, false
	}
	node.Touch()
	s.hits.Add(1)
	return node, true
}

// CountHits counts nodes that were found through their parents. Anything that
// differs between lookups picks where, so that many goroutines do not count in
// one place.
func (c *Cache) CountHits(n int, where byte) {
	c.shards[where&(cacheShards-1)].hits.Add(int64(n))
}

// Attach lets a parent point to a node, for as long as the cache holds it.
func (c *Cache) Attach(hash uint64, node, parent *block.Node, position int) {
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if get(s, hash, node.Name()) == node {
		node.Hold(parent, position)
	}
}

// Add keeps a node under its name. Where that takes another's room, it does so
// only with evict; walks over a whole map go without, so that they do not push
// out what lookups use.
func (c *Cache) Add(hash uint64, node *block.Node, evict bool) {
	s := c.shard(hash)
	size := int64(node.Memory())
	if size > s.limit {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+size > s.limit && !evict || get(s, hash, node.Name()) != nil {
		return
	}
	for s.bytes+size > s.limit {
		c.evictOne(s)
	}
	if 2*(len(s.ring)+1) > len(s.table) {
		c.grow(s)
	}
	s.table[find(s, hash, node.Name())] = cacheSlot{hash, node}
	s.ring = append(s.ring, node)
	s.bytes += size
}

func (c *Cache) grow(s *cacheShard) {
	old := s.table
	s.table = make([]cacheSlot, max(16, 2*len(old)))
	for _, slot := range old {
		if slot.node != nil {
			s.table[find(s, slot.hash, slot.node.Name())] = slot
		}
	}
}

// evictOne drops the first node under the hand that was not used since the
// hand last passed.
func (c *Cache) evictOne(s *cacheShard) {
	for {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		node := s.ring[s.hand]
		if node.Touched() {
			s.hand++
			continue
		}
		node.Release()
		last := len(s.ring) - 1
		s.ring[s.hand], s.ring[last] = s.ring[last], nil
		s.ring = s.ring[:last]
		s.remove(find(s, maphash.String(c.seed, node.Name()), node.Name()))
		s.bytes -= int64(node.Memory())
		return
	}
}

// remove frees a slot, and moves those behind it up that would not be found
// any more.
func (s *cacheShard) remove(free int) {
	mask := len(s.table) - 1
	for i := (free + 1) & mask; s.table[i].node != nil; i = (i + 1) & mask {
		home := int(s.table[i].hash) & mask
		if (i-home)&mask >= (i-free)&mask {
			s.table[free] = s.table[i]
			free = i
		}
	}
	s.table[free] = cacheSlot{}
}

// Stats tells what the cache has done and holds.
func (c *Cache) Stats() CacheStats {
	var stats CacheStats
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		stats.Hits += s.hits.Load()
		stats.Misses += s.misses.Load()
		stats.Nodes += int64(len(s.ring))
		stats.Bytes += s.bytes
		s.mu.RUnlock()
	}
	return stats
}
