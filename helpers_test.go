package hamt_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
	"github.com/ipld-hamt/go-ipld-hamt/internal/teststore"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// manyLevels are parameters under which few entries make a deep tree.
func manyLevels() params.Params {
	return params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 1}
}

// numbered is a map of n entries: key-0 is 0, key-1 is 1 and so on.
func numbered(n int) model {
	content := model{}
	for i := range n {
		content[fmt.Sprint("key-", i)] = basicnode.NewInt(int64(i))
	}
	return content
}

// build makes a map, by the assembler.
func build(t testing.TB, p builder.Prototype, content model) *adl.Node {
	t.Helper()
	node, err := byAssembler(t.Context(), p, content)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// stored builds a map in a new store and gives the store and the root.
func stored(t testing.TB, p params.Params, content model) (*teststore.Store, datamodel.Link) {
	t.Helper()
	s := teststore.New()
	return s, rootOf(t, build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content))
}

func rootOf(t testing.TB, n *adl.Node) datamodel.Link {
	t.Helper()
	link, err := n.Link()
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func load(t testing.TB, s *teststore.Store, root datamodel.Link, options ...hamt.Option) *adl.Node {
	t.Helper()
	n, err := hamt.Load(t.Context(), s.LinkSystem(), root, options...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pathOf is where the sha2-256 hash of a key leads at bit width 3: the first
// levels of it.
func pathOf(key string, levels int) (path fault.Path) {
	digest := sha256.Sum256([]byte(key))
	for level := range levels {
		index := 0
		for bit := 3 * level; bit < 3*level+3; bit++ {
			index = index<<1 | int(digest[bit/8]>>(7-bit%8)&1)
		}
		path = append(path, index)
	}
	return path
}

// linkAt gives the link of the node at a path, from the blocks alone; nil where
// there is none.
func linkAt(t testing.TB, s *teststore.Store, root datamodel.Link, path fault.Path) datamodel.Link {
	t.Helper()
	n, p, err := block.ParseRoot(s.Block(root), params.Params{})
	for i, index := range path {
		if err != nil {
			t.Fatal(err)
		}
		position, ok := n.Find(index)
		if !ok || !n.IsLink(position) {
			return nil
		}
		link := must(store.Link(n.Link(position)))
		if i == len(path)-1 {
			return link
		}
		n, err = block.Parse(s.Block(link), p)
	}
	return root
}

// expectNoLeak runs f and expects that soon after it no goroutine is left that
// was not there before.
func expectNoLeak(t *testing.T, f func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	f()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, and there were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func loadWith(ctx context.Context, s *teststore.Store, root datamodel.Link) (*adl.Node, error) {
	return hamt.Load(ctx, s.LinkSystem(), root)
}

func isSpilled(t *testing.T, dir string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) > 0
}
