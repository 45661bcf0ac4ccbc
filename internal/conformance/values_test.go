package conformance_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// undecodable are values that cannot be decoded, and have an end.
var undecodable = map[string]string{
	"below -2^63":           "\x3b\x80\x00\x00\x00\x00\x00\x00\x00",
	"-2^64 in a list":       "\x82\x00\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
	"1,500 levels":          strings.Repeat("\x81", 1500) + "\x00",
	"100,000 levels":        strings.Repeat("\xa1\x61k", 100_000) + "\x00",
	"levels with more":      strings.Repeat("\x82", 50_000) + strings.Repeat("\x00", 50_001),
	"NaN":                   "\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",
	"infinity":              "\x81\xf9\x7c\x00",
	"a key of a map twice":  "\xa2\x61a\x00\x61a\x01",
	"keys that are no text": "\xa1\x00\x00",
	"another tag":           "\xc1\x00",
	"a link that is none":   "\xd8\x2a\x42\x00\x01",
	"a simple value":        "\xe0",
	"a head that is long":   "\x18\x01",
}

// TestUndecodableValues: of a value that cannot be decoded, decoding fails and
// nothing else. Its bytes are read, copied and kept; what stands beside it is what
// it is. It stands in the root block, or in one below.
func TestUndecodableValues(t *testing.T) {
	for name, value := range undecodable {
		for _, below := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := hamttest.NewStore()
				link, where := undecodableMap(s, value, below)
				expectNeighbours(t, s, link, where, value)
			})
		}
	}
}

// undecodableMap stores a map of "a" (1), "bad" (the value) and "ba" (3), and of "cd"
// (4) and "ce" (5), which in a map with a node below the root are not in the block
// of the value. It returns the root, and the link of that block.
func undecodableMap(s *hamttest.Store, value string, below bool) (root, where datamodel.Link) {
	h := hamttest.Handmade{Store: s}
	b := []byte("\x82\x82\x42ba\x03\x82\x43bad" + value)
	c := []byte("\x82\x82\x42cd\x04\x82\x42ce\x05")
	if !below {
		root = h.Root("abc", h.Bucket("a", 1), b, c)
		return root, root
	}
	where = h.Put(h.Node("abc", h.Bucket("ba", 3), []byte("\x81\x82\x43bbd"+value), []byte("\x82\x82\x43bcd\x06\x82\x43bce"+value)))
	return h.Root("abc", h.Bucket("a", 1), h.Link(where), c), where
}

func expectNeighbours(t *testing.T, s *hamttest.Store, root, where datamodel.Link, value string) {
	t.Helper()
	m := hamttest.Load(t, s, root)
	bad, good := map[string]bool{}, map[string]int64{}
	for e, err := range m.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Raw()) == value {
			bad[e.KeyString()] = true
			_, err := e.Value()
			expectUndecodable(t, err, e.KeyString())
			continue
		}
		v, err := e.Value()
		if err != nil {
			t.Fatal(err)
		}
		good[e.KeyString()] = hamttest.Must(v.AsInt())
	}
	if len(bad) == 0 || len(good) < 4 || m.Length() != int64(len(bad)+len(good)) {
		t.Fatalf("%d bad and %d good of %d", len(bad), len(good), m.Length())
	}
	for key := range bad {
		_, err := m.GetString(t.Context(), key)
		expectUndecodable(t, err, key)
		if raw, ok, err := m.GetRaw(t.Context(), []byte(key)); err != nil || !ok || string(raw) != value {
			t.Errorf("GetRaw: %d bytes, %v, %v", len(raw), ok, err)
		}
		if has, err := m.HasString(t.Context(), key); err != nil || !has {
			t.Errorf("Has: %v, %v", has, err)
		}
		if _, err := m.LocateString(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	for key, want := range good {
		if v, err := m.LookupByString(key); err != nil || hamttest.Must(v.AsInt()) != want {
			t.Errorf("%q: %v, %v", key, v, err)
		}
	}
	iterated, failed := 0, 0
	for it := m.MapIterator(); !it.Done(); iterated++ {
		if _, _, err := it.Next(); err != nil {
			failed++
		}
	}
	if iterated != len(bad)+len(good) || failed != len(bad) {
		t.Errorf("MapIterator has %d entries, of which %d fail", iterated, failed)
	}
	for key, err := range m.Keys(t.Context()) {
		if _, ok := good[string(key)]; err != nil || !ok && !bad[string(key)] {
			t.Errorf("key %q, %v", key, err)
		}
	}

	reports := map[string]bool{}
	for err := range m.Verify(t.Context()) {
		var f *fault.Error
		if !errors.As(err, &f) || !errors.Is(err, fault.ErrUndecodable) || f.Link != where {
			t.Errorf("Verify: %v", err)
			continue
		}
		reports[string(f.Key)] = true
	}
	if len(reports) != len(bad) {
		t.Errorf("Verify names %d", len(reports))
	}

	expectCopied(t, s, m)
	expectEdited(t, m, bad, good, value)
	rebuilt, link, err := builder.Rebuild(t.Context(), m, builder.PrototypeOf(m), builder.BulkOptions{})
	if err != nil || link != root {
		t.Errorf("rebuilt: %v, %v", rebuilt, err)
	}

	// The substrate has no form in the data model, and still its bytes.
	raw, err := ipld.Encode(m.Substrate(), dagcbor.Encode)
	if err != nil || !bytes.Equal(raw, s.Block(root)) {
		t.Errorf("Substrate: %d bytes, %v", len(raw), err)
	}
}

func expectUndecodable(t *testing.T, err error, key string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || !errors.Is(err, fault.ErrUndecodable) || string(f.Key) != key {
		t.Errorf("%v", err)
	}
}

// expectCopied copies the blocks of a map.
func expectCopied(t *testing.T, s *hamttest.Store, m *adl.Node) {
	t.Helper()
	to := hamttest.NewStore()
	for b, err := range m.RawBlocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		to.Put(b.Link.(cidlink.Link).Cid, b.Bytes)
		if !bytes.Equal(b.Bytes, s.Block(b.Link)) {
			t.Errorf("block %s has other bytes", b.Link)
		}
	}
	if n, err := hamttest.Load(t, to, hamttest.RootOf(t, m)).Count(t.Context()); err != nil || n != m.Length() {
		t.Errorf("copied: %d entries, %v", n, err)
	}
}

// expectEdited changes every good value, one by one, then the bad ones.
func expectEdited(t *testing.T, m *adl.Node, bad map[string]bool, good map[string]int64, value string) {
	t.Helper()
	for key := range good {
		txn := hamttest.Must(builder.NewTxn(m))
		if err := txn.SetString(key, basicnode.NewInt(9)); err != nil {
			t.Fatal(err)
		}
		edited, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		m = hamttest.Must(hamt.Load(t.Context(), ptr(edited.LinkSystem()), hamttest.RootOf(t, edited))) // as it is stored
		for other := range bad {
			if raw, _, err := m.GetRaw(t.Context(), []byte(other)); err != nil || string(raw) != value {
				t.Errorf("after an edit of %q: %d bytes, %v", key, len(raw), err)
			}
		}
	}
	want := hamttest.Model{}
	for key := range good {
		want[key] = basicnode.NewInt(9)
	}
	txn := hamttest.Must(builder.NewTxn(m))
	first := true
	for key := range bad { // one is set, the others are deleted
		if first {
			want[key] = basicnode.NewInt(9)
			if err := txn.SetString(key, want[key]); err != nil {
				t.Fatal(err)
			}
		} else if existed, err := txn.DeleteString(t.Context(), key); err != nil || !existed {
			t.Fatal(existed, err)
		}
		first = false
	}
	mended, link, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, mended, want)
	if fresh := hamttest.Build(t, builder.PrototypeOf(m), want); hamttest.RootOf(t, fresh) != link {
		t.Errorf("mended, the root is %s, want %s", link, hamttest.RootOf(t, fresh))
	}
	hamttest.ExpectVerified(t, mended)
}

func ptr[T any](v T) *T { return &v }

// TestNoEnd: where a value has no end, nobody knows where the next one begins.
func TestNoEnd(t *testing.T) {
	for name, value := range map[string]string{
		"indefinite": "\x9f\x00\xff", "cut short": "\x62a", "too few": "\x9a\x00\x01\x00\x00\x00", "a reserved head": "\x1c",
	} {
		s := hamttest.NewStore()
		link, _ := undecodableMap(s, value, false)
		if _, err := hamt.Load(t.Context(), s.LinkSystem(), link); !errors.Is(err, fault.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUndecodableLinks: the links in such a value are found, which a copy of what
// values link to needs.
func TestUndecodableLinks(t *testing.T) {
	s := hamttest.NewStore()
	to := hamttest.BlockOf([]byte("target")).Link
	link := string((hamttest.Handmade{}).Link(to))
	root, _ := undecodableMap(s, "\x84\x3b\xff\xff\xff\xff\xff\xff\xff\xff\x18\x00\xd8\x2a\x41\x01"+link, false)
	m := hamttest.Load(t, s, root)
	_, inValues, err := m.BlockLinks(adl.Block{Link: root, Bytes: s.Block(root)})
	if err != nil || len(inValues) != 1 || inValues[0] != to {
		t.Errorf("%v, %v", inValues, err)
	}
}
