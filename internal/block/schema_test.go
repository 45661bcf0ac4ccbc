package block_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/schema"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// plainNode is a HashMapNode as the schema reads it, in plain Go: the slow and
// obvious form that the fast one is held against.
type plainNode struct {
	bitmap   []byte
	elements []plainElement
}

type plainElement struct {
	link   datamodel.Link // nil for a bucket
	bucket []plainEntry
}

type plainEntry struct {
	key   []byte
	value datamodel.Node
}

// viaSchema decodes a block through a typed prototype of the schema. again is
// what go-ipld-prime encodes it as: the canonical form of what it holds.
func viaSchema(prototype schema.TypedPrototype, raw []byte) (typed schema.TypedNode, again []byte, err error) {
	// bindnode panics on an integer above 2^63 where a link or a list belongs.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	nb := prototype.Representation().NewBuilder()
	// The codec's usual budget is for decoding what nobody has seen yet.
	options := dagcbor.DecodeOptions{AllowLinks: true, AllocationBudget: 1 << 40}
	if err := options.Decode(nb, bytes.NewReader(raw)); err != nil {
		return nil, nil, err
	}
	typed = nb.Build().(schema.TypedNode)
	again, err = ipld.Encode(typed.Representation(), dagcbor.Encode)
	return typed, again, err
}

// plain reads a typed HashMapNode.
func plain(t *testing.T, typed datamodel.Node) (n plainNode) {
	t.Helper()
	n.bitmap = hamttest.Must(hamttest.Must(typed.LookupByString("map")).AsBytes())
	for it := hamttest.Must(typed.LookupByString("data")).ListIterator(); !it.Done(); {
		_, element, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		member := element.(schema.TypedNode).Representation()
		if member.Kind() == datamodel.Kind_Link {
			n.elements = append(n.elements, plainElement{link: hamttest.Must(member.AsLink())})
			continue
		}
		var bucket []plainEntry
		for it := member.ListIterator(); !it.Done(); {
			_, entry, err := it.Next()
			if err != nil {
				t.Fatal(err)
			}
			bucket = append(bucket, plainEntry{
				key:   hamttest.Must(hamttest.Must(entry.LookupByIndex(0)).AsBytes()),
				value: hamttest.Must(entry.LookupByIndex(1)),
			})
		}
		n.elements = append(n.elements, plainElement{bucket: bucket})
	}
	return n
}

// faults are the structural invariants that a node breaks, one by one and
// without any cleverness.
func (n plainNode) faults(p params.Params, isRoot bool) (broken []error) {
	width, ok := params.BitWidthOf(len(n.bitmap))
	if !ok || !isRoot && width != p.BitWidth {
		broken = append(broken, fault.ErrBitmapLength)
	}
	ones := 0
	for _, b := range n.bitmap {
		ones += bits.OnesCount8(b)
	}
	if ones != len(n.elements) {
		broken = append(broken, fault.ErrPopcount)
	}
	if !isRoot && len(n.elements) == 0 {
		broken = append(broken, fault.ErrEmptyNode)
	}
	for _, element := range n.elements {
		if len(element.bucket) > p.BucketSize {
			broken = append(broken, fault.ErrBucketOverfull)
		}
		if !slices.IsSortedFunc(element.bucket, func(a, b plainEntry) int {
			if bytes.Equal(a.key, b.key) {
				return -1 // twice is not sorted either
			}
			return bytes.Compare(a.key, b.key)
		}) {
			broken = append(broken, fault.ErrBucketOrder)
		}
	}
	return broken
}

// differBlock holds the fast form of one block against the schema, both ways.
// p is for a block below the root; nil says that it is a root.
func differBlock(t *testing.T, raw []byte, p *params.Params) {
	t.Helper()
	isRoot, prototype := p == nil, hamt.HashMapNodePrototype
	if isRoot {
		p, prototype = new(params.Params), hamt.HashMapRootPrototype
	}
	parse := func(raw []byte) (n *block.Node, err error) {
		if !isRoot {
			return block.Parse(raw, *p)
		}
		n, *p, err = block.ParseRoot(raw, params.Params{})
		return n, err
	}
	fast, err := parse(raw)
	typed, again, schemaErr := viaSchema(prototype, raw)
	if err != nil {
		expectRefusedForReason(t, raw, err, typed, again, schemaErr, *p, isRoot)
		return
	}
	if fast.Undecodable() { // by the schema neither, as a whole
		walkBlock(t, fast)
		return
	}
	if schemaErr != nil {
		t.Fatalf("%x is taken, and through the schema it is %v", raw, schemaErr)
	}
	if isRoot {
		hashAlg := hamttest.Must(hamttest.Must(typed.LookupByString("hashAlg")).AsInt())
		bucketSize := hamttest.Must(hamttest.Must(typed.LookupByString("bucketSize")).AsInt())
		if multicodec.Code(hashAlg) != p.HashAlg || bucketSize != int64(p.BucketSize) {
			t.Fatalf("parameters %v, want hashAlg %d, bucketSize %d", p, hashAlg, bucketSize)
		}
		typed = hamttest.Must(typed.LookupByString("hamt")).(schema.TypedNode)
	}
	want := plain(t, typed)
	if broken := want.faults(*p, isRoot); len(broken) > 0 {
		t.Fatalf("%x is taken, and has %v", raw, broken)
	}
	expectSame(t, fast, want)
	if canonical := bytes.Equal(again, raw); block.Canonical(fast, *p, isRoot) != canonical {
		t.Fatalf("%x: Canonical says %v, and the codec writes %x", raw, !canonical, again)
	}
}

// expectRefusedForReason: what the schema reads, the codec writes just so, and
// breaks no invariant must not be refused; what breaks some is refused for one
// of them.
func expectRefusedForReason(t *testing.T, raw []byte, refusal error, typed schema.TypedNode, again []byte, schemaErr error, p params.Params, isRoot bool) {
	t.Helper()
	if schemaErr != nil || !bytes.Equal(again, raw) {
		return
	}
	var broken []error
	node := typed
	if isRoot {
		hashAlg, err := hamttest.Must(typed.LookupByString("hashAlg")).AsInt()
		if err == nil && hashAlg < 0 {
			broken = append(broken, fault.ErrNotHAMT)
		}
		bucketSize, err := hamttest.Must(typed.LookupByString("bucketSize")).AsInt()
		if err != nil || bucketSize < 1 || bucketSize > math.MaxInt32 {
			broken = append(broken, fault.ErrNotHAMT)
		}
		p.BucketSize = int(bucketSize)
		node = hamttest.Must(typed.LookupByString("hamt")).(schema.TypedNode)
	}
	broken = append(broken, plain(t, node).faults(p, isRoot)...)
	if len(broken) == 0 && !nestsDeep(raw) {
		t.Fatalf("%x is refused: %v", raw, refusal)
	}
	if !nestsDeep(raw) && !slices.ContainsFunc(broken, func(kind error) bool { return errors.Is(refusal, kind) }) {
		t.Fatalf("%x is refused: %v, and what is broken is %v", raw, refusal, broken)
	}
}

// nestsDeep says that a block nests nearly as deep as the codec allows. A value
// below the root gets the same room as one in the root, which is a level less.
func nestsDeep(raw []byte) bool {
	_, _, err := cbor.Skip(raw, 0, 4)
	return err != nil
}

// expectSame compares every element, key and value.
func expectSame(t *testing.T, fast *block.Node, want plainNode) {
	t.Helper()
	if fast.Len() != len(want.elements) {
		t.Fatalf("%d elements, want %d", fast.Len(), len(want.elements))
	}
	links, entries, position := 0, 0, 0
	for index := range 8 * len(want.bitmap) {
		at, ok := fast.Find(index)
		if set := want.bitmap[index/8]>>(index%8)&1 == 1; ok != set {
			t.Fatalf("an element at index %d: %v, want %v", index, ok, set)
		}
		if !ok {
			continue
		}
		if at != position {
			t.Fatalf("index %d is at position %d, want %d", index, at, position)
		}
		element := want.elements[position]
		if fast.IsLink(position) != (element.link != nil) {
			t.Fatalf("element %d is a link: %v", position, fast.IsLink(position))
		}
		if element.link != nil {
			links++
			if cid := element.link.(cidlink.Link).Cid; string(fast.Link(position)) != cid.KeyString() {
				t.Fatalf("link %d is %x, want %s", position, fast.Link(position), cid)
			}
		} else {
			entries += len(element.bucket)
			expectSameBucket(t, fast, position, element.bucket)
		}
		position++
	}
	if fast.Links() != links || fast.Entries() != entries {
		t.Fatalf("%d links and %d entries, want %d and %d", fast.Links(), fast.Entries(), links, entries)
	}
	n := 0
	fast.Indexes(func(position, index int) bool {
		if at, ok := fast.Find(index); !ok || at != position || position != n {
			t.Fatalf("Indexes: index %d at position %d; Find says %d, %v", index, position, at, ok)
		}
		n++
		return true
	})
	if n != fast.Len() {
		t.Fatalf("Indexes gives %d of %d", n, fast.Len())
	}
}

func expectSameBucket(t *testing.T, fast *block.Node, position int, want []plainEntry) {
	t.Helper()
	bucket := fast.Bucket(position)
	if bucket.Len() != len(want) {
		t.Fatalf("bucket %d has %d entries, want %d", position, bucket.Len(), len(want))
	}
	for _, entry := range want {
		if !bucket.Next() || !bytes.Equal(bucket.Key(), entry.key) {
			t.Fatalf("bucket %d has key %q, want %q", position, bucket.Key(), entry.key)
		}
		value, err := cbor.Decode(bucket.Value())
		if err != nil || !hamttest.Equal(t, value, entry.value) {
			t.Fatalf("value of %q is %x, %v", entry.key, bucket.Value(), err)
		}
		if found, ok := fast.Value(position, entry.key); !ok || !bytes.Equal(found, bucket.Value()) {
			t.Fatalf("Value of %q is %x, %v", entry.key, found, ok)
		}
		if _, ok := fast.Value(position, append(entry.key[:len(entry.key):len(entry.key)], 0)); ok && len(want) == 1 {
			t.Fatalf("there is a key after %q", entry.key)
		}
	}
	if bucket.Next() {
		t.Fatalf("bucket %d goes on", position)
	}
}

// TestDifferential reads every block that the fixtures hold, or that comes out
// when they are built, through the fast form and through the schema.
func TestDifferential(t *testing.T) {
	for _, document := range []string{
		"alice-words.md", "precip.md", "bit-widths.md", "edits.md", "values.md", "keys.md",
		"hashes.md", "collisions.md", "leftovers.md", "refused.md", "selectors.md",
	} {
		t.Run(document, func(t *testing.T) {
			hamttest.Fixtures(t, document, func(t *testing.T, c hamttest.Fixture) {
				seen := map[string]bool{}
				for _, b := range fixtureBlocks(t, c) {
					if key := string(b); !seen[key] {
						seen[key] = true
						differEitherWay(t, b)
					}
				}
				if len(seen) == 0 {
					t.Error("no blocks")
				}
			})
		})
	}
	for name, raw := range hamttest.NonCanonicalRoots() {
		t.Run(name, func(t *testing.T) { differEitherWay(t, raw) })
	}
}

// differEitherWay takes a block for a root and for a node, of each size that
// its bitmap could have: most of that is refused, which has to be right too.
func differEitherWay(t *testing.T, raw []byte) {
	t.Helper()
	differBlock(t, raw, nil)
	for _, bucketSize := range []int{1, 3} {
		differBlock(t, raw, &params.Params{BitWidth: bitWidthIn(raw), BucketSize: bucketSize})
	}
}

// bitWidthIn looks at the bitmap of what may be a node below the root.
func bitWidthIn(raw []byte) int {
	if len(raw) > 1 && raw[0] == 0x82 {
		if from, to, err := cbor.Span(raw, 1, cbor.Bytes); err == nil {
			if width, ok := params.BitWidthOf(to - from); ok {
				return width
			}
		}
	}
	return 5
}

// fixtureBlocks gives all blocks that a case holds or makes.
func fixtureBlocks(t *testing.T, c hamttest.Fixture) (all [][]byte) {
	t.Helper()
	for _, hunk := range []string{"blocks", "leftover/blocks"} {
		if body, ok := c.Hunk(hunk); ok {
			for _, b := range hamttest.ParseBlocks(t, body) {
				all = append(all, b.Bytes)
			}
		}
	}
	if _, ok := c.Operations(t, 1); !ok {
		return all
	}
	store := hamttest.NewStore()
	txn, err := builder.Prototype{Params: c.Params(t), LinkSystem: store.LinkSystem()}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		ops, ok := c.Operations(t, n)
		if !ok {
			return all
		}
		hamttest.ApplyTo(t, txn, ops)
		node, _, err := txn.Commit(t.Context())
		if errors.Is(err, fault.ErrMaxDepth) { // a step that is refused
			if txn, err = builder.NewTxn(txn.Base()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for link, err := range node.Blocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, store.Block(link))
		}
	}
}
