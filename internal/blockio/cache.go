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
// those of its children that are in the cache, so most lookups do without its
// table:
//
//	Peek       the child that a parent points to, or nil
//	Touch      note that it was used
//	CountHits  count it
//	hold       point to a child from now on, while the cache holds it
//
// The first three are for lookups that do without a Loader; hold is for the
// Loader. The pointers and the bit stand in the nodes, where only this file
// reads and writes them.
type Cache struct {
	seed   maphash.Seed // so that nobody can choose CIDs that collide
	shards [cacheShards]cacheShard
}

const cacheShards = 16 // a power of two

type cacheShard struct {
	mu    sync.RWMutex
	table []cacheSlot     // open addressing, linear probing; at most half full
	ring  []*block.Cached // every node, in the order the hand passes them
	hand  int
	bytes int64
	limit int64

	hits   atomic.Int64
	misses atomic.Int64
	_      [64]byte // so that counting in one shard does not slow another
}

type cacheSlot struct {
	hash uint64
	node *block.Cached // nil for a free slot
}

// CacheStats are the counters of a cache.
type CacheStats struct {
	Hits, Misses int64 // lookups since the cache was made
	Nodes        int64 // nodes held
	Bytes        int64 // bytes held, about
}

// NewCache returns a cache of at most limit bytes. One of 0 bytes keeps nothing.
func NewCache(limit int64) *Cache {
	c := &Cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].limit = limit / cacheShards
	}
	return c
}

// Keeps reports whether the cache has room for anything at all.
func (c *Cache) Keeps() bool { return c.shards[0].limit > 0 }

// hash returns the hash of a name.
func (c *Cache) hash(name []byte) uint64 { return maphash.Bytes(c.seed, name) }

// shard returns the shard of a hash.
func (c *Cache) shard(hash uint64) *cacheShard { return &c.shards[hash>>60] }

// slotOf returns the slot of a name, or the free one where it would go. The table
// must not be empty.
func slotOf[Name string | []byte](s *cacheShard, hash uint64, name Name) int {
	mask := len(s.table) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		slot := &s.table[i]
		if slot.node == nil || slot.hash == hash && slot.node.Name() == string(name) {
			return i
		}
	}
}

// get returns the node with a name, or nil.
func get[Name string | []byte](s *cacheShard, hash uint64, name Name) *block.Cached {
	if len(s.table) == 0 {
		return nil
	}
	return s.table[slotOf(s, hash, name)].node
}

// Peek returns the child that the link at position of parent leads to if parent
// points to it, or nil. The child may be in the cache all the same.
func (c *Cache) Peek(parent *block.Node, position int) *block.Node {
	return (*block.Cached)(parent).Child(position)
}

// Touch notes that a node was used.
func (c *Cache) Touch(node *block.Node) { (*block.Cached)(node).Touch() }

// CountHits adds n to the hits, for nodes that Peek returned. where may be
// anything that differs between lookups: it chooses the counter, so that many
// goroutines do not count in one place.
func (c *Cache) CountHits(n int, where byte) {
	if n > 0 {
		c.shards[where&(cacheShards-1)].hits.Add(int64(n))
	}
}

// hold makes parent point to a node, for as long as the cache holds that; hash
// is that of the node's name. It does nothing if the cache does not hold the
// node.
func (c *Cache) hold(hash uint64, node, parent *block.Node, position int) {
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if cached := (*block.Cached)(node); get(s, hash, cached.Name()) == cached {
		cached.Hold((*block.Cached)(parent), position)
	}
}

// peek returns what Peek does, and notes and counts that it was used.
func (c *Cache) peek(parent *block.Node, position int) *block.Node {
	child := c.Peek(parent, position)
	if child != nil {
		c.Touch(child)
		c.CountHits(1, byte(position))
	}
	return child
}

// find returns the node with a name and the name's hash, or nil, and counts
// that.
func (c *Cache) find(hash uint64, name []byte) *block.Node {
	s := c.shard(hash)
	s.mu.RLock()
	node := get(s, hash, name)
	s.mu.RUnlock()
	if node == nil {
		s.misses.Add(1)
		return nil
	}
	node.Touch()
	s.hits.Add(1)
	return (*block.Node)(node)
}

// add keeps a node under its name, and the name's hash. Where that takes
// another's room, it does so only with evict.
func (c *Cache) add(hash uint64, name string, loaded *block.Node, evict bool) {
	s := c.shard(hash)
	size := int64(loaded.Memory())
	if size > s.limit {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+size > s.limit && !evict || get(s, hash, name) != nil {
		return
	}
	for s.bytes+size > s.limit {
		c.evictOne(s)
	}
	if 2*(len(s.ring)+1) > len(s.table) {
		c.grow(s)
	}
	node := (*block.Cached)(loaded)
	if node.Name() != name {
		node.SetName(name)
	}
	s.table[slotOf(s, hash, name)] = cacheSlot{hash, node}
	s.ring = append(s.ring, node)
	s.bytes += size
}

// grow doubles the table.
func (c *Cache) grow(s *cacheShard) {
	old := s.table
	s.table = make([]cacheSlot, max(16, 2*len(old)))
	for _, slot := range old {
		if slot.node != nil {
			s.table[slotOf(s, slot.hash, slot.node.Name())] = slot
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
		s.remove(slotOf(s, maphash.String(c.seed, node.Name()), node.Name()))
		s.bytes -= int64((*block.Node)(node).Memory())
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

// Stats returns what the cache has done so far and what it holds.
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
