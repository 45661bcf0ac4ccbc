package block_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// slots is a node of py-hamt with items at some indexes, of as many in all.
func slots(length int, items map[int]string) []byte {
	raw := []byte{0x99, byte(length >> 8), byte(length)}
	if length < 256 {
		raw = []byte{0x98, byte(length)}
	}
	for index := range length {
		item, ok := items[index]
		if !ok {
			item = "\xa0"
		}
		raw = append(raw, item...)
	}
	return raw
}

// linkOf is a link in DAG-CBOR.
func linkOf(c cid.Cid) string {
	return "\xd8\x2a\x58" + string([]byte{byte(c.ByteLen() + 1), 0}) + string(c.Bytes())
}

var (
	blake3Link = linkOf(hamttest.Must(cid.NewPrefixV1(cid.Raw, multihash.BLAKE3).Sum([]byte("chunk"))))
	fileLink   = linkOf(hamttest.Must(cid.V0Builder{}.Sum([]byte("file"))))
)

// TestSlotsRefused: what is wrong with a node of py-hamt is an error of its kind.
func TestSlotsRefused(t *testing.T) {
	bucket := "\xa1\x61a" + blake3Link
	for name, c := range map[string]struct {
		raw  []byte
		kind error
		says string
	}{
		"255 items":                 {slots(255, nil), fault.ErrNotHAMT, "list of 256"},
		"257 items":                 {slots(257, nil), fault.ErrNotHAMT, "list of 256"},
		"a map":                     {[]byte("\xa0"), fault.ErrNotHAMT, "list of 256"},
		"255 items and 256 said":    {slots(256, nil)[:258], fault.ErrMalformed, ""},
		"a link with two ids":       {slots(256, map[int]string{7: "\x82" + blake3Link + blake3Link}), fault.ErrElement, "index 7"},
		"a link without id":         {slots(256, map[int]string{7: "\x80"}), fault.ErrElement, "index 7"},
		"a bare link":               {slots(256, map[int]string{7: blake3Link}), fault.ErrElement, "index 7"},
		"a number":                  {slots(256, map[int]string{255: "\x07"}), fault.ErrElement, "index 255"},
		"an id of bytes for a node": {slots(256, map[int]string{7: "\x81\x58\x22\x1e\x20" + strings.Repeat("x", 32)}), fault.ErrElement, "index 7"},
		"an id of bytes":            {slots(256, map[int]string{7: "\xa1\x61a\x58\x22\x1e\x20" + strings.Repeat("x", 32)}), fault.ErrElement, `"a"`},
		"a value":                   {slots(256, map[int]string{7: "\xa1\x61a\x01"}), fault.ErrElement, `"a"`},
		"a key that is bytes":       {slots(256, map[int]string{7: "\xa1\x41a" + blake3Link}), fault.ErrMalformed, ""},
		"a key that is not UTF-8":   {slots(256, map[int]string{7: "\xa1\x61\xff" + blake3Link}), fault.ErrMalformed, "UTF-8"},
		"unsorted by length":        {slots(256, map[int]string{7: "\xa2\x62aa" + blake3Link + "\x61b" + blake3Link}), fault.ErrBucketOrder, `"b"`},
		"unsorted":                  {slots(256, map[int]string{7: "\xa2\x61b" + blake3Link + "\x61a" + blake3Link}), fault.ErrBucketOrder, `"a"`},
		"a key twice":               {slots(256, map[int]string{7: "\xa2\x61a" + blake3Link + "\x61a" + blake3Link}), fault.ErrBucketOrder, `"a"`},
		"more entries said":         {slots(256, map[int]string{255: "\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61a" + blake3Link}), fault.ErrMalformed, ""},
		"a CID of nothing":          {slots(256, map[int]string{7: "\xa1\x61a\xd8\x2a\x41\x00"}), fault.ErrMalformed, ""},
		"a CID without its prefix":  {slots(256, map[int]string{7: "\x81\xd8\x2a\x42\x01\x02"}), fault.ErrMalformed, ""},
		"a head that is too long":   {slots(256, map[int]string{7: "\xb8\x01\x61a" + blake3Link}), fault.ErrMalformed, ""},
		"an indefinite map":         {slots(256, map[int]string{7: "\xbf\xff"}), fault.ErrMalformed, ""},
		"nothing":                   {nil, fault.ErrMalformed, ""},
		"something behind":          {append(slots(256, nil), 0xa0), fault.ErrMalformed, "follow"},
		"another tag":               {slots(256, map[int]string{7: "\xa1\x61a\xc1\x01"}), fault.ErrMalformed, "tag"},
	} {
		_, _, err := block.ParseRoot(c.raw, params.PyHAMT())
		if !errors.Is(err, c.kind) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if c.kind == fault.ErrNotHAMT {
			c.kind = fault.ErrMalformed
		}
		if _, err := block.Parse(c.raw, params.PyHAMT()); !errors.Is(err, c.kind) {
			t.Errorf("%s, below the root: %v", name, err)
		}
	}
	if _, err := block.Parse(slots(256, nil), params.PyHAMT()); !errors.Is(err, fault.ErrEmptyNode) {
		t.Errorf("an empty node below the root: %v", err)
	}
	_, _, err := block.ParseRoot(slots(256, map[int]string{1: bucket, 2: "\x81" + blake3Link}), params.Default())
	var other *fault.OtherLayout
	if !errors.Is(err, fault.ErrNotHAMT) || !errors.As(err, &other) || other.Layout != params.PyHAMT3 {
		t.Errorf("read as a HashMapRoot: %v", err)
	}
}

// TestSlotsRead: buckets of any size, values and children of any CID, full nodes.
func TestSlotsRead(t *testing.T) {
	full := map[int]string{}
	for index := range 256 {
		full[index] = "\x81" + fileLink
	}
	many := "\xb8\x1e"
	for i := range 30 {
		many += "\x61" + string(rune('A'+i)) + fileLink
	}
	for name, c := range map[string]struct {
		raw            []byte
		links, entries int
		odd            bool
	}{
		"empty":     {slots(256, nil), 0, 0, false},
		"full":      {slots(256, full), 256, 0, false},
		"many":      {slots(256, map[int]string{0: many, 255: "\x81" + blake3Link}), 1, 30, true},
		"text keys": {slots(256, map[int]string{9: "\xa3\x60" + blake3Link + "\x62\xc3\xa4" + fileLink + "\x63\xe2\x82\xac" + blake3Link}), 0, 3, false},
	} {
		node, p, err := block.ParseRoot(c.raw, params.PyHAMT())
		if err != nil || node.Links() != c.links || node.Entries() != c.entries || node.HasOddBucket() != c.odd || p != params.PyHAMT() {
			t.Errorf("%s: %+v, %v", name, node, err)
			continue
		}
		walkBlock(t, node)
		if !bytes.Equal(node.Raw(), c.raw) || !block.Canonical(node, p, true) {
			t.Errorf("%s is not written as it was read", name)
		}
		expectTakenOver(t, node)
	}
}

// expectTakenOver cuts the elements of a node in two, in every place, and puts them
// into another as they are encoded.
func expectTakenOver(t *testing.T, node *block.Node) {
	t.Helper()
	var indexes []int
	node.Indexes(func(_, index int) bool {
		indexes = append(indexes, index)
		return true
	})
	for cut := range len(indexes) + 1 {
		first, second := block.NewEncoder(params.PyHAMT()), block.NewEncoder(params.PyHAMT())
		if cut > 0 {
			first.AddElements(indexes[:cut], node.Elements(0, cut))
		}
		if cut < len(indexes) {
			second.AddElements(indexes[cut:], node.Elements(cut, len(indexes)))
		}
		first.Join(second)
		if !bytes.Equal(first.AppendRoot(nil), node.Raw()) {
			t.Fatalf("cut at %d: another node", cut)
		}
	}
}

// FuzzSlots reads nodes of py-hamt: what is taken is written as it was, and what
// stands in it is what go-ipld-prime decodes.
func FuzzSlots(f *testing.F) {
	f.Add(slots(256, nil))
	f.Add(slots(256, map[int]string{3: "\x81" + blake3Link, 4: "\xa2\x61a" + fileLink + "\x61b" + blake3Link, 255: "\xa1\x60" + blake3Link}))
	f.Add(slots(255, map[int]string{3: "\x82" + blake3Link + blake3Link}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		node, p, err := block.ParseRoot(raw, params.PyHAMT())
		if err != nil {
			var fault *fault.Error
			if !errors.As(err, &fault) {
				t.Fatalf("error %T", err)
			}
			return
		}
		walkBlock(t, node)
		if !block.Canonical(node, p, true) {
			t.Fatal("it is not written as it was read")
		}
		expectTakenOver(t, node)
		expectPlain(t, node, raw)
	})
}

// expectPlain expects of a node what go-ipld-prime decodes.
func expectPlain(t *testing.T, node *block.Node, raw []byte) {
	t.Helper()
	list := hamttest.Must(ipld.Decode(raw, dagcbor.Decode))
	if list.Length() != 256 {
		t.Fatalf("%d items", list.Length())
	}
	for index := range 256 {
		item := hamttest.Must(list.LookupByIndex(int64(index)))
		position, there := node.Find(index)
		if !there {
			if item.Kind() != datamodel.Kind_Map || item.Length() != 0 {
				t.Fatalf("index %d is missing", index)
			}
			continue
		}
		if node.IsLink(position) {
			if link := hamttest.Must(hamttest.Must(item.LookupByIndex(0)).AsLink()); item.Length() != 1 || link.Binary() != string(node.Link(position)) {
				t.Fatalf("link at %d", index)
			}
			continue
		}
		bucket := node.Bucket(position)
		if int64(bucket.Len()) != item.Length() {
			t.Fatalf("%d entries at %d, want %d", bucket.Len(), index, item.Length())
		}
		for bucket.Next() {
			value := hamttest.Must(item.LookupByString(string(bucket.Key())))
			if encoded := hamttest.Must(ipld.Encode(value, dagcbor.Encode)); !bytes.Equal(encoded, bucket.Value()) {
				t.Fatalf("value of %q", bucket.Key())
			}
		}
	}
}
