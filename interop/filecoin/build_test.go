package filecoin_test

import (
	"fmt"
	"testing"

	"github.com/filecoin-project/go-hamt-ipld/v3"
	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// theirNode makes an empty map of Filecoin's.
func theirNode(t *testing.T, s store, prototype cidlink.LinkPrototype, bitWidth int) *hamt.Node {
	t.Helper()
	node, err := hamt.NewNode(s.ipld(prototype), theirOptions(bitWidth)...)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func theirOptions(bitWidth int) []hamt.Option {
	return []hamt.Option{hamt.UseTreeBitWidth(bitWidth), hamt.UseHashFunction(sum)}
}

// theirBuild builds a map with Filecoin's implementation.
func theirBuild(t *testing.T, s store, prototype cidlink.LinkPrototype, bitWidth int, c contents) cid.Cid {
	t.Helper()
	node := theirNode(t, s, prototype, bitWidth)
	for _, key := range c.keys() {
		if err := node.SetRaw(t.Context(), key, c[key]); err != nil {
			t.Fatal(err)
		}
	}
	return theirWrite(t, node)
}

func theirWrite(t *testing.T, node *hamt.Node) cid.Cid {
	t.Helper()
	root, err := node.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// ways are our ways to build a map.
var ways = map[string]func(t *testing.T, p builder.Prototype, c contents) *adl.Node{
	"assembler": func(t *testing.T, p builder.Prototype, c contents) *adl.Node {
		nb := p.NewBuilder()
		ma, err := nb.BeginMap(int64(len(c)))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range c.keys() {
			if err := ma.AssembleKey().AssignBytes([]byte(key)); err != nil {
				t.Fatal(err)
			}
			if err := ma.AssembleValue().AssignNode(decode(t, c[key])); err != nil {
				t.Fatal(err)
			}
		}
		if err := ma.Finish(); err != nil {
			t.Fatal(err)
		}
		return nb.Build().(*adl.Node)
	},
	"txn": func(t *testing.T, p builder.Prototype, c contents) *adl.Node {
		txn, err := p.NewTxn()
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range c {
			if err := txn.SetRaw([]byte(key), value); err != nil {
				t.Fatal(err)
			}
		}
		node, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return node
	},
	"bulk": func(t *testing.T, p builder.Prototype, c contents) *adl.Node {
		// So little memory that larger maps are spilled and merged.
		bulk, err := p.NewBulk(builder.BulkOptions{MemoryBytes: 32 << 10, SpillDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer bulk.Close()
		for key, value := range c {
			if err := bulk.SetRaw([]byte(key), value); err != nil {
				t.Fatal(err)
			}
		}
		node, _, err := bulk.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return node
	},
}

// TestBuild builds the same maps on both sides: the roots are the same, and so
// is every byte of every block; each side reads the other's.
func TestBuild(t *testing.T) {
	for bitWidth := params.MinBitWidth; bitWidth <= 8; bitWidth++ {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 20, 150, 4000} {
			t.Run(fmt.Sprintf("width %d, %d entries", bitWidth, n), func(t *testing.T) {
				t.Parallel()
				both(t, blake2b, bitWidth, randomContents(random(t), n))
			})
		}
	}
}

// TestBlockHash does it with blocks that are named by sha2-256.
func TestBlockHash(t *testing.T) {
	both(t, linkPrototype(multicodec.Sha2_256), 5, randomContents(random(t), 1000))
}

// TestBitmaps builds maps at the ends of the bitmap: Filecoin writes it as a
// number without leading zeros, so its length says which bit is the highest.
func TestBitmaps(t *testing.T) {
	for _, at := range []struct {
		name  string
		index func(first byte) bool
	}{
		{"only index 0", func(first byte) bool { return first == 0 }},
		{"only index 255", func(first byte) bool { return first == 255 }},
		{"the lowest byte", func(first byte) bool { return first < 8 }},
		{"the highest byte", func(first byte) bool { return first >= 248 }},
		{"both ends", func(first byte) bool { return first == 0 || first == 255 }},
		{"byte borders", func(first byte) bool { return first%8 == 7 }},
	} {
		t.Run(at.name, func(t *testing.T) {
			r := random(t)
			for _, n := range []int{1, 3, 4, 100} {
				c := contents{}
				for len(c) < n {
					if key := randomKey(r); at.index(sum([]byte(key))[0]) {
						c[key] = randomValue(r)
					}
				}
				both(t, blake2b, 8, c)
			}
		})
	}
}

// both builds a map on both sides and compares.
func both(t *testing.T, prototype cidlink.LinkPrototype, bitWidth int, c contents) {
	t.Helper()
	theirs := newStore()
	root := theirBuild(t, theirs, prototype, bitWidth, c)
	holds(t, load(t, theirs.LinkSystem(), root, filecoin(bitWidth)), c)

	for name, build := range ways {
		ours := newStore()
		node := build(t, builder.Prototype{
			Params: filecoin(bitWidth), LinkSystem: ours.LinkSystem(), LinkPrototype: prototype,
		}, c)
		if got := cidOf(t, node); got != root {
			t.Fatalf("%s: our root is %s, theirs %s", name, got, root)
		}
		if n := sameBlocks(t, node, ours, theirs); n != len(theirs.put) || n != ours.Len() {
			t.Fatalf("%s: the map has %d blocks, we wrote %d, they %d", name, n, ours.Len(), len(theirs.put))
		}
		theyRead(t, ours, prototype, bitWidth, root, c)
	}
}

// theyRead checks that Filecoin's implementation finds every entry in a store.
func theyRead(t *testing.T, s store, prototype cidlink.LinkPrototype, bitWidth int, root cid.Cid, c contents) {
	t.Helper()
	node, err := hamt.LoadNode(t.Context(), s.ipld(prototype), root, theirOptions(bitWidth)...)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range c {
		found, raw, err := node.FindRaw(t.Context(), key)
		if err != nil || !found || string(raw) != string(value) {
			t.Fatalf("they find under %q: %x, %v, %v, and it should be %x", key, raw, found, err, value)
		}
	}
	if found, err := node.Find(t.Context(), "a key that is not there", nil); found || err != nil {
		t.Fatalf("they find a key that is not there: %v, %v", found, err)
	}
}
