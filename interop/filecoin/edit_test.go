package filecoin_test

import (
	"fmt"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// TestEdit makes the same random changes to the same map on both sides: sets,
// overwrites and deletes, down to the empty map. After each commit the roots
// are the same, and so are all blocks.
func TestEdit(t *testing.T) {
	for bitWidth := 3; bitWidth <= 8; bitWidth++ {
		t.Run(fmt.Sprintf("width %d", bitWidth), func(t *testing.T) {
			t.Parallel()
			edit(t, bitWidth)
		})
	}
}

func edit(t *testing.T, bitWidth int) {
	r := random(t)
	ours, theirs := newStore(), newStore()
	their := theirNode(t, theirs, blake2b, bitWidth)
	txn, err := builder.Prototype{
		Params: filecoin(bitWidth), LinkSystem: ours.LinkSystem(), LinkPrototype: blake2b,
	}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	now := contents{}
	set := func(key string, value []byte) {
		if err := their.SetRaw(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
		if err := txn.SetRaw([]byte(key), value); err != nil {
			t.Fatal(err)
		}
		now[key] = value
	}
	remove := func(key string) {
		_, there := now[key]
		delete(now, key)
		if existed, err := their.Delete(t.Context(), key); err != nil || existed != there {
			t.Fatalf("their delete: %v, %v", existed, err)
		}
		if existed, err := txn.Delete(t.Context(), []byte(key)); err != nil || existed != there {
			t.Fatalf("our delete: %v, %v", existed, err)
		}
	}
	commit := func() {
		node, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := cidOf(t, node), theirWrite(t, their); got != want {
			t.Fatalf("%d entries: our root is %s, theirs %s", len(now), got, want)
		}
		sameBlocks(t, node, ours, theirs)
		if got := node.Length(); got != int64(len(now)) {
			t.Fatalf("Length is %d, and there are %d entries", got, len(now))
		}
	}

	for range 12 {
		for range 200 {
			set(randomKey(r), randomValue(r))
		}
		for _, key := range now.keys() {
			switch r.IntN(6) {
			case 0:
				set(key, randomValue(r))
			case 1, 2:
				remove(key)
			}
		}
		remove("a key that is not there")
		commit()
	}
	holds(t, txn.Base(), now)
	// Down to nothing: the tree collapses level by level.
	for len(now) > 0 {
		for i, key := range now.keys() {
			if i%3 != 0 || len(now) < 4 {
				remove(key)
			}
		}
		commit()
	}
}

// TestTheirsThenOurs edits a map that was written by Filecoin's side.
func TestTheirsThenOurs(t *testing.T) {
	const bitWidth = 5
	r := random(t)
	c := randomContents(r, 3000)
	s := newStore()
	base := load(t, s.LinkSystem(), theirBuild(t, s, blake2b, bitWidth, c), filecoin(bitWidth))
	txn, err := builder.NewTxn(base)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range c.keys() {
		if i%2 == 0 {
			if _, err := txn.Delete(t.Context(), []byte(key)); err != nil {
				t.Fatal(err)
			}
			delete(c, key)
		}
	}
	node, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fresh := newStore()
	if got, want := cidOf(t, node), theirBuild(t, fresh, blake2b, bitWidth, c); got != want {
		t.Fatalf("our root is %s, their fresh build gives %s", got, want)
	}
	theyRead(t, s, blake2b, bitWidth, cidOf(t, node), c)
}
