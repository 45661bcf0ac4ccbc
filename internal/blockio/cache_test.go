package blockio

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// newNode returns a node with one entry of a value of some bytes.
func newNode(t testing.TB, name string, bytes int) *block.Node {
	t.Helper()
	raw := cbor.AppendHead([]byte("\x82\x41\x01\x81\x81\x82\x43key"), cbor.Bytes, uint64(bytes))
	return parse(t, name, append(raw, make([]byte, bytes)...))
}

// newParent returns a node with four links.
func newParent(t testing.TB) *block.Node {
	t.Helper()
	link := append([]byte{0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, 0x71, 0x12, 0x20}, make([]byte, 32)...)
	raw := []byte("\x82\x41\x0f\x84")
	for range 4 {
		raw = append(raw, link...)
	}
	return parse(t, "parent", raw)
}

func parse(t testing.TB, name string, raw []byte) *block.Node {
	t.Helper()
	node, err := block.Parse(raw, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	(*block.Cached)(node).SetName(name)
	return node
}

func nameOf(node *block.Node) string { return (*block.Cached)(node).Name() }

func add(c *Cache, node *block.Node, evict bool) {
	c.add(c.hash([]byte(nameOf(node))), nameOf(node), node, evict)
}

func lookup(c *Cache, name string) *block.Node {
	return c.find(c.hash([]byte(name)), []byte(name))
}

func hold(c *Cache, node, parent *block.Node, position int) {
	c.hold(c.hash([]byte(nameOf(node))), node, parent, position)
}

// expectSound expects that the cache finds every node it holds, holds no name
// twice, and counts its bytes right.
func expectSound(t *testing.T, c *Cache, limit int64) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		var bytes int64
		for _, node := range s.ring {
			hash := c.hash([]byte(node.Name()))
			if c.shard(hash) != s || get(s, hash, node.Name()) != node {
				t.Fatalf("%q is held and not found", node.Name())
			}
			bytes += int64((*block.Node)(node).Memory())
		}
		slots := 0
		for _, slot := range s.table {
			if slot.node != nil {
				slots++
			}
		}
		if slots != len(s.ring) || 2*slots > len(s.table) {
			t.Fatalf("%d of %d slots are taken for %d nodes", slots, len(s.table), len(s.ring))
		}
		if bytes != s.bytes {
			t.Fatalf("%d bytes are counted, and %d held", s.bytes, bytes)
		}
	}
	if stats := c.Stats(); stats.Bytes > limit {
		t.Fatalf("%d bytes are held, and %d allowed", stats.Bytes, limit)
	}
}

// TestCacheBound adds nodes of all sizes, many times what there is room for.
func TestCacheBound(t *testing.T) {
	const limit = 200_000
	c, random := NewCache(limit), rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		node := newNode(t, fmt.Sprint(i), random.IntN(1500))
		add(c, node, true)
		if found := lookup(c, nameOf(node)); found != node {
			t.Fatalf("node %d is not found after it was added", i)
		}
		if i%100 == 0 {
			expectSound(t, c, limit)
		}
	}
	expectSound(t, c, limit)
	if stats := c.Stats(); stats.Bytes < limit/2 || stats.Nodes < 100 {
		t.Errorf("%d nodes of %d bytes are held, and there is room for %d", stats.Nodes, stats.Bytes, limit)
	}
}

// TestCacheKeepsWhatIsUsed looks some nodes up again and again while others
// come and go.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	const limit, used = 200_000, 40
	c := NewCache(limit)
	for i := range used {
		add(c, newNode(t, fmt.Sprint("used ", i), 100), true)
	}
	for i := range 5000 {
		add(c, newNode(t, fmt.Sprint(i), 100), true)
		if lookup(c, fmt.Sprint("used ", i%used)) == nil {
			t.Fatalf("a node that is used went when %d others had come", i)
		}
	}
	if lookup(c, "0") != nil {
		t.Error("the first node that was never used is there")
	}
	expectSound(t, c, limit)
}

// TestCacheWithoutEviction: a walk over a whole map takes room where there is
// some, and pushes out nothing.
func TestCacheWithoutEviction(t *testing.T) {
	const limit = 100_000
	c := NewCache(limit)
	for i := range 1000 {
		add(c, newNode(t, fmt.Sprint(i), 100), false)
	}
	before := c.Stats()
	if lookup(c, "0") == nil || before.Bytes < limit/2 {
		t.Errorf("%d bytes are held, and there is room for %d", before.Bytes, limit)
	}
	for i := range 1000 {
		add(c, newNode(t, fmt.Sprint("more ", i), 100), false)
	}
	if after := c.Stats(); after.Nodes != before.Nodes || after.Bytes != before.Bytes {
		t.Errorf("%d nodes became %d", before.Nodes, after.Nodes)
	}
	expectSound(t, c, limit)
}

func TestCacheRefusesWhatIsTooLarge(t *testing.T) {
	for _, limit := range []int64{0, 1, 16 * 1000} {
		c := NewCache(limit)
		add(c, newNode(t, "large", 2000), true)
		if lookup(c, "large") != nil || c.Stats().Nodes != 0 {
			t.Errorf("a cache of %d bytes holds a larger node", limit)
		}
	}
	// It takes no room from others either.
	c := NewCache(16 * 1000)
	add(c, newNode(t, "small", 100), true)
	for i := range 100 {
		add(c, newNode(t, fmt.Sprint("large ", i), 2000), true)
	}
	if lookup(c, "small") == nil {
		t.Error("nodes that are too large pushed out another")
	}
}

func TestCacheKeepsTheFirstOfAName(t *testing.T) {
	c := NewCache(1 << 20)
	first, second := newNode(t, "a", 10), newNode(t, "a", 10)
	add(c, first, true)
	add(c, second, true)
	if lookup(c, "a") != first || c.Stats().Nodes != 1 {
		t.Errorf("the second node of a name took its place; %d are held", c.Stats().Nodes)
	}
	expectSound(t, c, 1<<20)
}

// TestCacheCollisions gives all nodes one hash, and a name is looked for among
// those of others.
func TestCacheCollisions(t *testing.T) {
	c := NewCache(1 << 20)
	const hash = 7
	for i := range 50 {
		c.add(hash, fmt.Sprint(i), newNode(t, fmt.Sprint(i), 10), true)
	}
	for i := range 50 {
		name := fmt.Sprint(i)
		if node := c.find(hash, []byte(name)); node == nil || nameOf(node) != name {
			t.Errorf("%q is not found", name)
		}
	}
	if node := c.find(hash, []byte("50")); node != nil {
		t.Errorf("%q is found for another name", nameOf(node))
	}
}

func TestCacheStats(t *testing.T) {
	c := NewCache(1 << 20)
	node := newNode(t, "a", 10)
	add(c, node, true)
	lookup(c, "a")
	lookup(c, "a")
	lookup(c, "b")
	for where := range 256 {
		c.CountHits(2, byte(where))
	}
	want := CacheStats{Hits: 2 + 512, Misses: 1, Nodes: 1, Bytes: int64(node.Memory())}
	if got := c.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestCacheHold: a parent points to a child as long as the cache holds it.
func TestCacheHold(t *testing.T) {
	const limit = 16 * 1000
	c, parent := NewCache(limit), newParent(t)
	child, stranger, double := newNode(t, "child", 100), newNode(t, "stranger", 100), newNode(t, "child", 100)
	add(c, child, true)
	hold(c, child, parent, 1)
	hold(c, stranger, parent, 2) // is not in the cache
	hold(c, double, parent, 3)   // nor is this one, though another of its name is
	for position, want := range []*block.Node{nil, child, nil, nil} {
		if got := c.Peek(parent, position); got != want {
			t.Errorf("position %d points to %v, want %v", position, got, want)
		}
	}
	for i := 0; lookupQuietly(c, "child"); i++ {
		if i > 10_000 {
			t.Fatal("the child stays for ever")
		}
		add(c, newNode(t, fmt.Sprint(i), 100), true)
	}
	if c.Peek(parent, 1) != nil {
		t.Error("the parent points to a child that the cache has dropped")
	}
}

// lookupQuietly reports whether the cache has a node, and does not count as a
// use of it.
func lookupQuietly(c *Cache, name string) bool {
	hash := c.hash([]byte(name))
	return get(c.shard(hash), hash, name) != nil
}

// TestCacheConcurrently is for the race detector.
func TestCacheConcurrently(t *testing.T) {
	const limit = 50_000
	c, parent := NewCache(limit), newParent(t)
	var nodes []*block.Node
	for i := range 500 {
		nodes = append(nodes, newNode(t, fmt.Sprint(i), 200))
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 5000 {
				node := nodes[random.IntN(len(nodes))]
				found := lookup(c, nameOf(node))
				if found == nil {
					add(c, node, random.IntN(4) > 0)
				} else if found != node {
					t.Errorf("%q is found for %q", nameOf(found), nameOf(node))
					return
				}
				hold(c, node, parent, random.IntN(4))
				if child := c.Peek(parent, random.IntN(4)); child != nil {
					c.Touch(child)
				}
				c.Stats()
			}
		})
	}
	wg.Wait()
	expectSound(t, c, limit)
	for position := range 4 {
		if child := c.Peek(parent, position); child != nil && !lookupQuietly(c, nameOf(child)) {
			t.Errorf("the parent points to %q, which the cache has dropped", nameOf(child))
		}
	}
}
