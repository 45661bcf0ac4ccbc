package conformance_test

import (
	"errors"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestNonCanonicalRoots: they are read; Verify names them; an edit elsewhere in the
// node and a rebuild make them canonical.
func TestNonCanonicalRoots(t *testing.T) {
	for name, raw := range hamttest.NonCanonicalRoots() {
		t.Run(name, func(t *testing.T) {
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
			if rebuilt := hamttest.MustFirst(builder.Rebuild(t.Context(), n, prototype, builder.BulkOptions{})); hamttest.RootOf(t, rebuilt) != fresh {
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
	rebuilt := hamttest.MustFirst(builder.Rebuild(t.Context(), n, builder.PrototypeOf(n), builder.BulkOptions{}))
	hamttest.ExpectContent(t, rebuilt, hamttest.Model{"\x20\x00": basicnode.NewInt(1), "\x80\x00": basicnode.NewBool(false)})
	hamttest.ExpectVerified(t, rebuilt)
}

// TestEditRefusesMisplaced edits next to a key that stands twice, once where
// its hash does not lead. Were the node collapsed with both, the block would
// be one that nobody can read.
func TestEditRefusesMisplaced(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	deep := h.Put(h.Node("bcde", h.Bucket("aab", 1), h.Bucket("aab", 2), h.Bucket("aad", 3), h.Bucket("aae", 4)))
	mid := h.Put(h.Node("apqrs", h.Link(deep), h.Bucket("ap", 1), h.Bucket("aq", 1), h.Bucket("ar", 1), h.Bucket("as", 1)))
	root := h.Root("a", h.Link(mid))
	txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, h.Store, root)))
	if _, err := txn.DeleteString(t.Context(), "aae"); err != nil {
		t.Fatal(err)
	}
	_, _, err := txn.Commit(t.Context())
	var f *fault.Error
	if !errors.Is(err, fault.ErrMisplaced) || !errors.As(err, &f) || f.Path.String() != "/97/97" || string(f.Key) != "aab" {
		t.Errorf("error %v, want one that names the key and where it is", err)
	}
	if writes := h.Store.TakeWrites(); len(writes) > 0 {
		t.Errorf("%d blocks were written", len(writes))
	}
}
