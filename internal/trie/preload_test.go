package trie

import (
	"testing"

	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestPreloaderBeginsWhatIsWanted: a load whose turn came when there was no room begins as soon
// as there is some, though nothing may be loaded ahead: nobody else would ever
// begin it.
func TestPreloaderBeginsWhatIsWanted(t *testing.T) {
	p := params.Default()
	hasher, err := keyhash.For(p.HashAlg)
	if err != nil {
		t.Fatal(err)
	}
	root, _, err := block.ParseRoot(block.NewEncoder(p).AppendRoot(nil), params.Params{})
	if err != nil {
		t.Fatal(err)
	}
	fast := blockio.NewLoader(&linking.LinkSystem{}, 0, blockio.DefaultMaxRead)
	tree, err := New(fast, root, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("key")
	l := newPreloader(t.Context(), tree, 2, 2)
	defer l.end()
	mine := l.plans[1]
	loads := []plannedLoad{{parent: root, depth: 1, changes: []hashsort.Entry{{Head: hashsort.NewOrder(hasher, p.BitWidth).Head(key), Key: key}}}}
	mine.end.insertBefore(loads)
	if l.next() != nil {
		t.Fatal("it would be loaded ahead, from a fast store")
	}
	l.budget.begin(1) // and a request is reserved for the other part: there is no room
	if l.claim(mine, &loads[0]) || loads[0].begun {
		t.Fatal("there was room")
	}
	l.budget.end(1, 0)
	if l.next() != &loads[0] {
		t.Error("nobody will ever load it")
	}
}
