package filecoin_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	older "github.com/filecoin-project/go-hamt-ipld/v2"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// olderForm are Filecoin's parameters in the layout of v0 to v2.
func olderForm(bitWidth int) params.Params {
	p := filecoin(bitWidth)
	p.Layout = params.FilecoinV0
	return p
}

// olderBuild builds a map with go-hamt-ipld v2. On the way it holds as many
// entries again, which are deleted.
func olderBuild(t *testing.T, s store, bitWidth int, c contents) cid.Cid {
	t.Helper()
	is := s.ipld(blake2b)
	node := older.NewNode(is, older.UseTreeBitWidth(bitWidth), older.UseHashFunction(sum))
	for _, key := range c.keys() {
		if err := node.SetRaw(t.Context(), key, c[key]); err != nil {
			t.Fatal(err)
		}
	}
	for key := range c {
		if err := node.SetRaw(t.Context(), "deleted "+key, []byte{0xf6}); err != nil {
			t.Fatal(err)
		}
	}
	for key := range c {
		if err := node.Delete(t.Context(), "deleted "+key); err != nil {
			t.Fatal(err)
		}
	}
	if err := node.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	root, err := is.Put(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestOlderForm reads what go-hamt-ipld v2 writes: elements as keyed unions,
// {"0": link} or {"1": bucket}.
func TestOlderForm(t *testing.T) {
	for _, bitWidth := range []int{3, 5, 8} {
		for _, n := range []int{0, 1, 4, 100, 3000} {
			t.Run(fmt.Sprintf("width %d, %d entries", bitWidth, n), func(t *testing.T) {
				s, c := newStore(), randomContents(random(t), n)
				node := load(t, s.LinkSystem(), olderBuild(t, s, bitWidth, c), olderForm(bitWidth))
				holds(t, node, c)
				if count, err := node.Count(t.Context()); err != nil || count != int64(n) {
					t.Fatalf("%d entries, %v", count, err)
				}
			})
		}
	}
}

// TestOlderFormIsReadOnly: none of our ways to write takes that layout.
func TestOlderFormIsReadOnly(t *testing.T) {
	s := newStore()
	node := load(t, s.LinkSystem(), olderBuild(t, s, 5, randomContents(random(t), 10)), olderForm(5))
	p := builder.Prototype{Params: olderForm(5), LinkSystem: s.LinkSystem()}
	for name, begin := range map[string]func() error{
		"assembler":       func() error { _, err := p.NewBuilder().BeginMap(0); return err },
		"node's own":      func() error { _, err := node.Prototype().NewBuilder().BeginMap(0); return err },
		"txn":             func() error { _, err := p.NewTxn(); return err },
		"txn on a map":    func() error { _, err := builder.NewTxn(node); return err },
		"bulk":            func() error { _, err := p.NewBulk(builder.BulkOptions{}); return err },
		"rebuild as such": func() error { _, _, err := builder.Rebuild(t.Context(), node, p, builder.BulkOptions{}); return err },
	} {
		if err := begin(); !errors.Is(err, fault.ErrReadOnlyLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOlderToNewer rebuilds a map of the older form in the newer one, as
// Filecoin's migration to actors v3 did.
func TestOlderToNewer(t *testing.T) {
	const bitWidth = 5
	s, c := newStore(), randomContents(random(t), 2000)
	from := load(t, s.LinkSystem(), olderBuild(t, s, bitWidth, c), olderForm(bitWidth))
	to := newStore()
	node, _, err := builder.Rebuild(t.Context(), from, builder.Prototype{
		Params: filecoin(bitWidth), LinkSystem: to.LinkSystem(), LinkPrototype: blake2b,
	}, builder.BulkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cidOf(t, node), theirBuild(t, newStore(), blake2b, bitWidth, c); got != want {
		t.Fatalf("rebuilt root is %s, theirs %s", got, want)
	}
}

// unsorted returns two nodes with buckets that are not sorted, as Filecoin's network
// versions 0 to 2 wrote them, and their CIDs, the root first. All but one child of
// the root are missing.
func unsorted(t *testing.T) (s store, links []cid.Cid) {
	t.Helper()
	text, err := os.ReadFile("testdata/unsorted.txt")
	if err != nil {
		t.Fatal(err)
	}
	s = newStore()
	for line := range strings.Lines(string(text)) {
		name, digits, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" {
			continue
		}
		c, err := cid.Decode(name)
		if err != nil {
			t.Fatal(err)
		}
		block, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		s.Store.Put(c, block)
		links = append(links, c)
	}
	return s, links
}

// TestUnsortedBuckets: a bucket that is not sorted is searched; its node's other
// buckets are what they are; Verify names it.
func TestUnsortedBuckets(t *testing.T) {
	s, links := unsorted(t)
	m := load(t, s.LinkSystem(), links[0], olderForm(5))
	for _, wrong := range []params.Params{olderForm(4), olderForm(6), olderForm(8), olderForm(5).WithHashAlg(multicodec.Murmur3X64_64)} {
		_, err := hamt.Load(t.Context(), s.LinkSystem(), cidlink.Link{Cid: links[0]}, hamt.WithParams(wrong))
		if !errors.Is(err, fault.ErrParams) && !errors.Is(err, fault.ErrBitmapLength) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	// Keys of the node below the root, in its order.
	keys := strings.Fields("dab29b8002 f499848006 f99a9b8002 f4a29b8002 bad8808006 8ea28d8006 f6a29b8002 dfb2848006 dba29b8002 c98b9b8002 da929b8002 f8a29b8002")
	for _, digits := range keys {
		key, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		raw, found, err := m.GetRaw(t.Context(), key)
		if err != nil || !found || len(raw) == 0 {
			t.Errorf("%s: %v, %v", digits, found, err)
		}
		if value, err := m.Get(t.Context(), key); err != nil || value.Kind() != datamodel.Kind_List {
			t.Errorf("%s: %v, %v", digits, value, err)
		}
		at, err := m.Locate(t.Context(), key)
		if err != nil || at.Block() != (cidlink.Link{Cid: links[1]}) {
			t.Errorf("%s: %v, %v", digits, at, err)
		}
		// Another key that leads to the same bucket, or to none of the node.
		if found, err := m.Has(t.Context(), append(key, 0)); found || err != nil && !errors.Is(err, fault.ErrMissing) {
			t.Errorf("%s00: %v, %v", digits, found, err)
		}
	}
	named := map[datamodel.Link]int{}
	for err := range m.Verify(t.Context()) {
		if errors.Is(err, fault.ErrMissing) {
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) || !errors.Is(err, fault.ErrBucketOrder) {
			t.Fatal(err)
		}
		named[f.Link]++
	}
	for _, c := range links {
		if named[cidlink.Link{Cid: c}] == 0 {
			t.Errorf("Verify does not name %s", c)
		}
	}
}
