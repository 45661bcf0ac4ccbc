package links

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func sum(t *testing.T, codec, hash uint64, data []byte) cid.Cid {
	t.Helper()
	c, err := cid.V1Builder{Codec: codec, MhType: hash}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encoded(t *testing.T, node datamodel.Node, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	block, err := ipld.Encode(node, dagcbor.Encode)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func list(t *testing.T, entries func(datamodel.ListAssembler)) []byte {
	t.Helper()
	node, err := qp.BuildList(basicnode.Prototype.Any, -1, entries)
	return encoded(t, node, err)
}

// TestOf wants the links of all that a map may link to.
func TestOf(t *testing.T) {
	one, two := sum(t, cid.Raw, multihash.SHA2_256, []byte("one")), sum(t, cid.DagCBOR, multihash.BLAKE3, []byte("two"))
	old := cid.NewCidV0(one.Hash())
	link := func(c cid.Cid) qp.Assemble { return qp.Link(cidlink.Link{Cid: c}) }
	mixed := list(t, func(l datamodel.ListAssembler) {
		qp.ListEntry(l, link(one))
		qp.ListEntry(l, qp.Bytes([]byte{0xd8, 42, 0x58, 0x25}))
		qp.ListEntry(l, qp.Float(1.5))
		qp.ListEntry(l, qp.Int(-3_000_000_000))
		qp.ListEntry(l, qp.Null())
		qp.ListEntry(l, qp.Map(2, func(m datamodel.MapAssembler) {
			qp.MapEntry(m, "\xd8\x2a", link(two))
			qp.MapEntry(m, "x", qp.List(1, func(l datamodel.ListAssembler) { qp.ListEntry(l, link(old)) }))
		}))
		qp.ListEntry(l, qp.Bool(true))
		qp.ListEntry(l, link(one))
	})
	long := list(t, func(l datamodel.ListAssembler) {
		qp.ListEntry(l, qp.Bytes(make([]byte, 15<<20))) // more than the decoder takes
		qp.ListEntry(l, link(one))
	})
	for name, test := range map[string]struct {
		codec uint64
		block []byte
		want  string
	}{
		"all kinds":         {cid.DagCBOR, mixed, fmt.Sprint([]cid.Cid{one, old, two, one}, true, nil)},
		"a link alone":      {cid.DagCBOR, encoded(t, basicnode.NewLink(cidlink.Link{Cid: two}), nil), fmt.Sprint([]cid.Cid{two}, true, nil)},
		"15 MiB":            {cid.DagCBOR, long, fmt.Sprint([]cid.Cid{one}, true, nil)},
		"a loose float":     {cid.DagCBOR, append([]byte{0x82, 0xf9, 0x3c, 0, 0xd8, 42, 0x58, 37, 0}, one.Bytes()...), fmt.Sprint([]cid.Cid{one}, true, nil)},
		"DAG-JSON":          {cid.DagJSON, []byte(`[{"/":"` + one.String() + `"}]`), fmt.Sprint([]cid.Cid{one}, true, nil)},
		"protobuf":          {cid.DagProtobuf, append([]byte("\x12\x26\x0a\x24"), one.Bytes()...), fmt.Sprint([]cid.Cid{one}, true, nil)},
		"links before data": {cid.DagProtobuf, append(append([]byte("\x12\x26\x0a\x24"), one.Bytes()...), "\x0a\x01x"...), fmt.Sprint([]cid.Cid{one}, true, nil)},
		"JSON":              {0x200, []byte(`{"a":[{"/":"` + one.String() + `"}]}`), fmt.Sprint([]cid.Cid(nil), true, nil)},
		"CBOR":              {0x51, mixed, fmt.Sprint([]cid.Cid{one, old, two, one}, true, nil)},
		"raw":               {cid.Raw, mixed, fmt.Sprint([]cid.Cid(nil), true, nil)},
		"an unknown codec":  {0x300000, mixed, fmt.Sprint([]cid.Cid(nil), false, nil)},
	} {
		links, known, err := Of(cid.NewCidV1(test.codec, one.Hash()), test.block)
		if got := fmt.Sprint(links, known, err); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if links, known, err := Of(two, []byte("no CBOR")); err == nil || !known || links != nil {
		t.Errorf("no CBOR: %v, %v, %v", links, known, err)
	}
	if links, err := InDagCBOR(mixed); err != nil || len(links) != 4 {
		t.Errorf("%v, %v", links, err)
	}
}

// TestLike finds the links of blocks that cannot be decoded.
func TestLike(t *testing.T) {
	one, two := sum(t, cid.Raw, multihash.SHA2_256, []byte("one")), sum(t, cid.DagCBOR, multihash.BLAKE3, []byte("two"))
	good := list(t, func(l datamodel.ListAssembler) {
		qp.ListEntry(l, qp.Link(cidlink.Link{Cid: one}))
		qp.ListEntry(l, qp.Bytes([]byte{0xd8, 42, 0x58, 0x25})) // and no link
		qp.ListEntry(l, qp.Link(cidlink.Link{Cid: two}))
	})
	deep := append(bytes.Repeat([]byte{0x81}, 2048), good...)
	huge := append([]byte{0x82, 0x3b, 255, 255, 255, 255, 255, 255, 255, 255}, good...)
	for name, block := range map[string][]byte{"nested too deep": deep, "an integer below -2^63": huge, "cut": good[:len(good)-1], "whole": good} {
		want := []cid.Cid{one, two}
		if name == "cut" {
			want = want[:1]
		}
		if got := Like(block); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestAsDecoded finds the same links without decoding as with it, in whatever
// changes of a few bytes make of a block.
func TestAsDecoded(t *testing.T) {
	one := sum(t, cid.Raw, multihash.SHA2_256, []byte("one"))
	good := list(t, func(l datamodel.ListAssembler) {
		qp.ListEntry(l, qp.Link(cidlink.Link{Cid: one}))
		qp.ListEntry(l, qp.Map(1, func(m datamodel.MapAssembler) {
			qp.MapEntry(m, "key", qp.Link(cidlink.Link{Cid: one}))
		}))
		qp.ListEntry(l, qp.String("text"))
	})
	random := rand.New(rand.NewPCG(1, 2))
	read := 0
	for range 20_000 {
		block := bytes.Clone(good)
		for range 1 + random.IntN(3) {
			block[random.IntN(len(block))] = byte(random.Uint32())
		}
		node, err := ipld.Decode(block, dagcbor.Decode)
		if err != nil {
			continue // which is stricter in some points
		}
		read++
		links, err := InDagCBOR(block)
		if err != nil {
			t.Fatalf("%x: %v", block, err)
		}
		var want []cid.Cid
		collect(t, node, &want)
		if fmt.Sprint(links) != fmt.Sprint(want) {
			t.Fatalf("%x: %v, want %v", block, links, want)
		}
	}
	if read < 100 {
		t.Errorf("%d blocks could be read: the test has tested nothing", read)
	}
}

func collect(t *testing.T, node datamodel.Node, all *[]cid.Cid) {
	t.Helper()
	switch node.Kind() {
	case datamodel.Kind_Link:
		link, err := node.AsLink()
		if err != nil {
			t.Fatal(err)
		}
		c, err := stores.CIDOf(link)
		if err != nil {
			t.Fatal(err)
		}
		*all = append(*all, c)
	case datamodel.Kind_List:
		for i := node.ListIterator(); !i.Done(); {
			_, value, err := i.Next()
			if err != nil {
				t.Fatal(err)
			}
			collect(t, value, all)
		}
	case datamodel.Kind_Map:
		for i := node.MapIterator(); !i.Done(); {
			_, value, err := i.Next()
			if err != nil {
				t.Fatal(err)
			}
			collect(t, value, all)
		}
	}
}

// TestWhatCannotBeDecoded has links all the same.
func TestWhatCannotBeDecoded(t *testing.T) {
	one := sum(t, cid.Raw, multihash.SHA2_256, []byte("one"))
	link := "\xd8\x2a\x58\x25\x00" + one.KeyString()
	for name, block := range map[string]string{
		"below -2^63":           "\x82\x3b\xff\xff\xff\xff\xff\xff\xff\xff" + link,
		"deep":                  strings.Repeat("\x81", 2<<20) + link,
		"deep, and no tail":     strings.Repeat("\x82", 1<<20) + link + strings.Repeat("\x00", 1<<20),
		"a key twice":           "\xa2\x61a" + link + "\x61a\x00",
		"keys that are no text": "\xa1" + link + "\x00",
		"NaN":                   "\x82\xf9\x7e\x00" + link,
		"another tag":           "\xc1" + link,
		"a tag of no link":      "\x82\xd8\x2a\x41\x00" + link,
		"a long head":           "\x9a\x00\x00\x00\x01" + link,
		"indefinite":            "\x9f\xbf\x61a" + link + "\xff\x5f\x41a\xff\xff",
	} {
		links, err := InDagCBOR([]byte(block))
		if err != nil || len(links) != 1 || !links[0].Equals(one) {
			t.Errorf("%s: %v, %v", name, links, err)
		}
	}
	for name, block := range map[string]string{
		"cut short":            "\x82" + link,
		"cut short in a link":  link[:20],
		"cut short in a map":   "\xa1\x61a",
		"too many are claimed": "\x9b\xff\xff\xff\xff\xff\xff\xff\xff" + link,
		"too many in a map":    "\xbb\x80\x00\x00\x00\x00\x00\x00\x01" + link,
		"followed by more":     link + "\x00",
		"a reserved head":      "\x1c" + link,
		"a break alone":        "\xff",
		"a break too early":    "\x9f\x82\x00\xff\x00",
		"no break":             "\x9f" + link,
		"a number of no end":   "\x1f",
		"a tag of no end":      "\xdf\x00",
		"deep and indefinite":  strings.Repeat("\x9f", 1025) + strings.Repeat("\xff", 1025),
	} {
		if links, err := InDagCBOR([]byte(block)); err == nil {
			t.Errorf("%s: %v", name, links)
		}
	}
}

// TestMemory wants the links of a block to cost what is in the block, in all codecs, and
// not what would be made of it.
func TestMemory(t *testing.T) {
	const n = 300_000
	one := sum(t, cid.Raw, multihash.SHA2_256, []byte("one"))
	last := `{"/":"` + one.String() + `"}`
	for name, test := range map[string]struct {
		codec uint64
		block []byte
	}{
		"DAG-JSON": {cid.DagJSON, []byte("[" + strings.Repeat(`{"a":1},`, n) + last + "]")},
		"DAG-CBOR": {cid.DagCBOR, append(append([]byte{0x9a, 0, 4, 0x93, 0xe1}, bytes.Repeat([]byte("\xa1\x61a\x01"), n)...), "\xd8\x2a\x58\x25\x00"+one.KeyString()...)},
		"DAG-PB":   {cid.DagProtobuf, append([]byte("\x12\x26\x0a\x24"+one.KeyString()+"\x0a\xc0\x8d\xb7\x01"), make([]byte, 3_000_000)...)},
	} {
		links, peak := []cid.Cid(nil), 0
		peak = peakHeap(func() {
			var err error
			if links, _, err = Of(cid.NewCidV1(test.codec, one.Hash()), test.block); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		})
		if len(links) != 1 || !links[0].Equals(one) {
			t.Errorf("%s: %v", name, links)
		}
		if most := 6*len(test.block) + 2<<20; peak > most {
			t.Errorf("%s: %d bytes of memory for %d", name, peak, len(test.block))
		}
	}
}

// peakHeap returns about the most memory that f has in use at a time, more than
// before.
func peakHeap(f func()) int {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, most, done := stats.HeapAlloc, stats.HeapAlloc, atomic.Bool{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !done.Load() {
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
			runtime.Gosched()
		}
	}()
	f()
	done.Store(true)
	<-ended
	return int(most - before)
}
