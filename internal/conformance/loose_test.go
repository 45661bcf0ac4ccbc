package conformance_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// looseRoots are roots that can be read and are not canonical: one entry with
// a key of two zero bytes under the identity hash, at index 0, and next to it
// one at index 4. What is loose is in the first value, or around it.
func looseRoots() map[string][]byte {
	root := func(value string) []byte {
		return []byte("\xa3\x64hamt\x82\x41\x11\x82\x81\x82\x42\x00\x00" + value + "\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00\x6abucketSize\x02")
	}
	return map[string][]byte{
		"float of 16 bits":    root("\xf9\x3c\x00"),
		"float of 32 bits":    root("\xfa\x3f\x80\x00\x00"),
		"undefined":           root("\xf7"),
		"keys out of order":   root("\xa2\x61b\x01\x61a\x02"),
		"within a list":       root("\x82\x01\xa1\x61k\xf7"),
		"fields out of order": []byte("\xa3\x6abucketSize\x02\x64hamt\x82\x41\x11\x82\x81\x82\x42\x00\x00\x01\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00"),
		"empty bucket":        []byte("\xa3\x64hamt\x82\x41\x13\x83\x81\x82\x42\x00\x00\x01\x80\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00\x6abucketSize\x02"),
	}
}

// TestLooseRoots: they are read; Verify names them; an edit elsewhere in the
// node and a rebuild make them canonical.
func TestLooseRoots(t *testing.T) {
	for name, raw := range looseRoots() {
		t.Run(name, func(t *testing.T) {
			differEitherWay(t, raw)
			s := hamttest.NewStore()
			b := hamttest.BlockOf(raw)
			s.Put(b.Link.(cidlink.Link).Cid, raw)
			n := hamttest.Load(t, s, b.Link)
			content := hamttest.Model{"\x80\x00": basicnode.NewBool(false)}
			content["\x00\x00"] = hamttest.Must(n.Get(t.Context(), []byte{0, 0}))
			hamttest.ExpectContent(t, n, content)

			want := fault.ErrNotCanonical
			if name == "empty bucket" {
				want = fault.ErrEmptyBucket
			}
			reports := 0
			for err := range n.Verify(t.Context()) {
				if reports++; !errors.Is(err, want) {
					t.Errorf("Verify says %v", err)
				}
			}
			if reports != 1 {
				t.Errorf("%d reports", reports)
			}

			prototype := builder.PrototypeOf(n)
			fresh := hamttest.RootOf(t, hamttest.Build(t, prototype, content))
			if rebuilt := hamttest.Must(builder.Rebuild(t.Context(), n, prototype, builder.BulkOptions{})); hamttest.RootOf(t, rebuilt) != fresh {
				t.Errorf("root %s by Rebuild, want %s", hamttest.RootOf(t, rebuilt), fresh)
			}
			content["\xa0\x00"] = datamodel.Null
			txn := hamttest.Must(builder.NewTxn(n))
			if err := txn.Set([]byte("\xa0\x00"), datamodel.Null); err != nil {
				t.Fatal(err)
			}
			next, link, err := txn.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := hamttest.RootOf(t, hamttest.Build(t, prototype, content)); link != want {
				t.Errorf("root %s after an edit, want %s", link, want)
			}
			hamttest.ExpectVerified(t, next)
		})
	}
}

// TestMisplacedKeys: a key where its hash does not lead is in the iteration,
// found by no lookup, named by Verify and moved by Rebuild; no edit next to it
// loses it in silence.
func TestMisplacedKeys(t *testing.T) {
	raw := []byte("\xa3\x64hamt\x82\x41\x11\x82\x81\x82\x42\x20\x00\x01\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00\x6abucketSize\x02")
	s := hamttest.NewStore()
	b := hamttest.BlockOf(raw)
	s.Put(b.Link.(cidlink.Link).Cid, raw)
	n := hamttest.Load(t, s, b.Link)
	if ok, err := n.Has(t.Context(), []byte{0x20, 0}); ok || err != nil {
		t.Errorf("it is found: %v, %v", ok, err)
	}
	reports := 0
	for err := range n.Verify(t.Context()) {
		reports++
		hamttest.ExpectFaultAt(t, err, fault.ErrMisplaced, b.Link, nil)
	}
	if reports != 1 || n.Length() != 2 {
		t.Errorf("%d reports, %d entries", reports, n.Length())
	}
	txn := hamttest.Must(builder.NewTxn(n))
	if err := txn.Set([]byte{0, 0}, datamodel.Null); err != nil { // into the same bucket
		t.Fatal(err)
	}
	if _, _, err := txn.Commit(t.Context()); !errors.Is(err, fault.ErrMisplaced) {
		t.Errorf("Commit says %v", err)
	}
	rebuilt := hamttest.Must(builder.Rebuild(t.Context(), n, builder.PrototypeOf(n), builder.BulkOptions{}))
	hamttest.ExpectContent(t, rebuilt, hamttest.Model{"\x20\x00": basicnode.NewInt(1), "\x80\x00": basicnode.NewBool(false)})
	hamttest.ExpectVerified(t, rebuilt)
}

// TestTreesTooDeep: a link where the hash has no bits left is refused when its
// node is loaded, whatever the hash: that is what bounds a walk over blocks
// that a store makes up.
func TestTreesTooDeep(t *testing.T) {
	for _, alg := range []multicodec.Code{multicodec.Identity, multicodec.Sha2_256, multicodec.Murmur3X64_64, clusteredHashCode} {
		t.Run(fmt.Sprint(alg), func(t *testing.T) {
			p := params.Params{HashAlg: alg, BitWidth: 3, BucketSize: 1}
			s := &hostileStore{blocks: []hamttest.Block{hamttest.BlockOf(chainRoot(alg)), hamttest.BlockOf(chainNode())}, cancel: func() {}, left: 1 << 20}
			n := mustLoad(t, s)
			if n.Params() != p {
				t.Fatalf("parameters %v", n.Params())
			}
			_, err := n.Count(t.Context())
			var f *fault.Error
			if !errors.Is(err, fault.ErrMaxDepth) || !errors.As(err, &f) {
				t.Fatalf("error %v", err)
			}
			levels := map[multicodec.Code]int{multicodec.Identity: params.MaxDepth, multicodec.Sha2_256: 85, multicodec.Murmur3X64_64: 21, clusteredHashCode: 5}
			if len(f.Path) != levels[alg] {
				t.Errorf("refused at depth %d, want %d", len(f.Path), levels[alg])
			}
			if _, err := n.Get(t.Context(), make([]byte, 1000)); alg == multicodec.Identity && !errors.Is(err, fault.ErrMaxDepth) {
				t.Errorf("Get says %v", err) // of zeros, which lead all the way
			}
		})
	}
}

// TestEmptyKeyBelowALink looks an empty key up whose digest is empty, too: it can
// stand in the root alone, and is looked for where its index, of zeros only, has
// become a link that is in memory.
func TestEmptyKeyBelowALink(t *testing.T) {
	content := hamttest.Model{}
	for i := range 8 {
		content[string([]byte{0, byte(i)})] = basicnode.NewInt(int64(i))
	}
	s, root := hamttest.Stored(t, params.Params{HashAlg: multicodec.Identity, BitWidth: 4, BucketSize: 1}, content)
	n := hamttest.Load(t, s, root)
	for range 3 {
		if value, err := n.Get(t.Context(), []byte{0, 5}); err != nil || hamttest.Must(value.AsInt()) != 5 {
			t.Fatalf("%v, %v", value, err)
		}
		if there, err := n.Has(t.Context(), nil); err != nil || there {
			t.Fatalf("%v, %v", there, err)
		}
	}
}
