package block

import (
	"runtime"
	"testing"
	"time"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func parseForTest(t *testing.T, raw []byte) *Cached {
	t.Helper()
	node, err := Parse(raw, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	return (*Cached)(node)
}

// withLinks returns a node with a bucket at position 0 and links at 1 and 2.
func withLinks(t *testing.T) *Cached {
	link := append([]byte{0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, 0x71, 0x12, 0x20}, make([]byte, 32)...)
	raw := append([]byte("\x82\x41\x07\x83\x81\x82\x43key\x00"), link...)
	return parseForTest(t, append(raw, link...))
}

func leaf(t *testing.T) *Cached {
	return parseForTest(t, []byte("\x82\x41\x01\x81\x81\x82\x43key\x00"))
}

func TestHold(t *testing.T) {
	parent, child, other := withLinks(t), leaf(t), leaf(t)
	if parent.Child(1) != nil {
		t.Fatal("a new node points to a child")
	}
	child.Hold(parent, 1)
	other.Hold(parent, 2)
	if parent.Child(0) != nil || parent.Child(1) != (*Node)(child) || parent.Child(2) != (*Node)(other) {
		t.Error("the parent does not point to its children")
	}
	child.Release()
	if parent.Child(1) != nil || parent.Child(2) != (*Node)(other) {
		t.Error("Release let go of the wrong child")
	}
	child.Release() // twice is once
	child.Hold(parent, 1)
	if parent.Child(1) != (*Node)(child) {
		t.Error("the child is not held again")
	}
}

// TestHoldAfterRelease: of those that pointed to the node before Release, none
// counts among those that may afterwards.
func TestHoldAfterRelease(t *testing.T) {
	a, b, child := withLinks(t), withLinks(t), leaf(t)
	child.Hold(a, 1)
	child.Hold(b, 1)
	child.Release()
	child.Hold(b, 1)
	child.Hold(a, 1)
	if a.Child(1) != (*Node)(child) || b.Child(1) != (*Node)(child) {
		t.Errorf("the parents point to %v and %v", a.Child(1), b.Child(1))
	}
}

// TestReleaseLeavesOthers: a pointer that leads to another node meanwhile is left
// alone.
func TestReleaseLeavesOthers(t *testing.T) {
	parent, child, other := withLinks(t), leaf(t), leaf(t)
	child.Hold(parent, 1)
	other.Hold(parent, 1)
	child.Release()
	if parent.Child(1) != (*Node)(other) {
		t.Error("the node that came later was let go of")
	}
}

// TestHoldIsBounded: where more parents point to a node than there may be, the
// oldest lets go.
func TestHoldIsBounded(t *testing.T) {
	child := leaf(t)
	var parents []*Cached
	for i := range maxParents + 2 {
		parents = append(parents, withLinks(t))
		child.Hold(parents[i], 1)
	}
	for i, parent := range parents {
		want := (*Node)(child)
		if i < 2 {
			want = nil
		}
		if parent.Child(1) != want {
			t.Errorf("parent %d of %d points to %v", i, len(parents), parent.Child(1))
		}
	}
	child.Release()
	for i, parent := range parents {
		if parent.Child(1) != nil {
			t.Errorf("parent %d points to the child after Release", i)
		}
	}
}

// TestHoldKeepsNoParent: a child that a cache holds does not keep the nodes of
// old versions.
func TestHoldKeepsNoParent(t *testing.T) {
	child, gone := leaf(t), make(chan struct{})
	func() {
		parent := withLinks(t)
		child.Hold(parent, 1)
		runtime.AddCleanup(parent, func(ended chan struct{}) { close(ended) }, gone)
	}()
	for end := time.Now().Add(10 * time.Second); ; {
		runtime.GC()
		select {
		case <-gone:
			child.Release()
			return
		case <-time.After(time.Millisecond):
			if time.Now().After(end) {
				t.Fatal("the parent stays in memory")
			}
		}
	}
}

func TestTouch(t *testing.T) {
	node := leaf(t)
	if node.Touched() {
		t.Error("a new node was used")
	}
	node.Touch()
	node.Touch()
	if !node.Touched() || node.Touched() {
		t.Error("Touched reports not one use since the last call")
	}
}

// TestMemory: what a node is said to hold is what it takes, within a tenth.
func TestMemory(t *testing.T) {
	const n = 2000
	for name, makeNode := range map[string]func(t *testing.T) *Cached{"leaf": leaf, "with children": func(t *testing.T) *Cached {
		parent := withLinks(t)
		parent.pointers()
		return parent
	}} {
		t.Run(name, func(t *testing.T) {
			nodes := make([]*Cached, n)
			before, said := heapBytes(), 0
			for i := range nodes {
				nodes[i] = makeNode(t)
				said += (*Node)(nodes[i]).Memory()
			}
			took := int(heapBytes() - before)
			if took > said*11/10 || took < said*9/10 {
				t.Errorf("%d bytes a node, and Memory says %d", took/n, said/n)
			}
			runtime.KeepAlive(nodes)
		})
	}
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
