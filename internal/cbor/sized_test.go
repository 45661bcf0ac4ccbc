package cbor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec"
	plaincbor "github.com/ipld/go-ipld-prime/codec/cbor"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	jsoncodec "github.com/ipld/go-ipld-prime/codec/json"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

var codecs = map[string]struct {
	decode codec.Decoder
	encode codec.Encoder
}{
	"dag-json": {dagjson.Decode, dagjson.Encode},
	"json":     {jsoncodec.Decode, jsoncodec.Encode},
	"cbor":     {plaincbor.Decode, plaincbor.Encode},
	"dag-cbor": {dagcbor.Decode, dagcbor.Encode},
	"by keys":  {byKeys, byLookup},
}

// byKeys decodes DAG-JSON through every other method of an assembler.
func byKeys(na datamodel.NodeAssembler, r io.Reader) error {
	nb := basicnode.Prototype.Any.NewBuilder()
	if err := dagjson.Decode(nb, r); err != nil {
		return err
	}
	return copyByKeys(na, nb.Build(), 0)
}

func copyByKeys(na datamodel.NodeAssembler, n datamodel.Node, depth int) error {
	switch {
	case depth == 3:
		return na.AssignNode(n)
	case n.Kind() == datamodel.Kind_List:
		la, err := na.BeginList(n.Length())
		if err != nil {
			return err
		}
		for it := n.ListIterator(); !it.Done(); {
			_, v, err := it.Next()
			if err == nil {
				err = copyByKeys(la.AssembleValue(), v, depth+1)
			}
			if err != nil {
				return err
			}
		}
		return la.Finish()
	case n.Kind() == datamodel.Kind_Map:
		ma, err := na.BeginMap(n.Length())
		if err != nil {
			return err
		}
		for it := n.MapIterator(); !it.Done(); {
			k, v, err := it.Next()
			if err == nil {
				err = ma.AssembleKey().AssignNode(k)
			}
			if err == nil {
				err = copyByKeys(ma.AssembleValue(), v, depth+1)
			}
			if err != nil {
				return err
			}
		}
		return ma.Finish()
	}
	return datamodel.Copy(n, na)
}

// byLookup encodes DAG-JSON of what the lookups of a node return.
func byLookup(n datamodel.Node, w io.Writer) error {
	again, err := byLookups(n)
	if err != nil {
		return err
	}
	return dagjson.Encode(again, w)
}

func byLookups(n datamodel.Node) (datamodel.Node, error) {
	nb := basicnode.Prototype.Any.NewBuilder()
	switch n.Kind() {
	case datamodel.Kind_List:
		la, err := nb.BeginList(n.Length())
		if err != nil {
			return nil, err
		}
		for i := range n.Length() {
			v, err := n.LookupBySegment(datamodel.PathSegmentOfInt(i))
			if err == nil && i%3 == 2 { // back, and to it again
				if _, err = n.LookupByIndex(0); err == nil {
					v, err = n.LookupByIndex(i)
				}
			}
			if err == nil {
				v, err = byLookups(v)
			}
			if err == nil {
				err = la.AssembleValue().AssignNode(v)
			}
			if err != nil {
				return nil, err
			}
		}
		if _, err := n.LookupByIndex(n.Length()); !errors.As(err, new(datamodel.ErrNotExists)) {
			return nil, fmt.Errorf("behind the end: %w", err)
		}
		if err := la.Finish(); err != nil {
			return nil, err
		}
		return nb.Build(), nil
	case datamodel.Kind_Map:
		ma, err := nb.BeginMap(n.Length())
		if err != nil {
			return nil, err
		}
		for it := n.MapIterator(); !it.Done(); {
			k, _, err := it.Next()
			if err != nil {
				return nil, err
			}
			v, err := n.LookupByNode(k)
			if err == nil {
				v, err = byLookups(v)
			}
			if err == nil {
				err = ma.AssembleKey().AssignNode(k)
			}
			if err == nil {
				err = ma.AssembleValue().AssignNode(v)
			}
			if err != nil {
				return nil, err
			}
		}
		if _, err := n.LookupByString("\x00not there"); !errors.As(err, new(datamodel.ErrNotExists)) {
			return nil, fmt.Errorf("no such key: %w", err)
		}
		if err := ma.Finish(); err != nil {
			return nil, err
		}
		return nb.Build(), nil
	}
	return n, nil
}

// throughCodecs holds what is read from and written in other codecs without nodes
// against what comes of nodes.
func throughCodecs(t *testing.T, raw []byte) (through int) {
	t.Helper()
	node, err := ipld.Decode(raw, dagcbor.Decode)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range codecs {
		var want, got bytes.Buffer
		wantErr, gotErr := c.encode(node, &want), cbor.ToCodec(c.encode, raw, &got)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%x in %s: %v, want %v", raw, name, gotErr, wantErr)
		}
		if wantErr != nil {
			continue
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%x is %q in %s, want %q", raw, got.Bytes(), name, want.Bytes())
		}
		decoded, wantErr := ipld.Decode(want.Bytes(), c.decode)
		raw, gotErr := cbor.FromCodec(c.decode, want.Bytes())
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%q from %s: %v, want %v", want.Bytes(), name, gotErr, wantErr)
		}
		if wantErr != nil {
			continue
		}
		if want, err := cbor.AppendUnchecked(nil, decoded); err != nil || !bytes.Equal(raw, want) {
			t.Fatalf("from %s: %x, want %x (%v)", name, raw, want, err)
		}
		through++
	}
	return through
}

// randomValue returns a value in canonical DAG-CBOR.
func randomValue(r *rand.Rand, depth int) []byte {
	switch kind := r.IntN(12); {
	case kind < 3 && depth > 0:
		n := r.IntN(5)
		raw := cbor.AppendHead(nil, cbor.List, uint64(n))
		for range n {
			raw = append(raw, randomValue(r, depth-1)...)
		}
		return raw
	case kind < 6 && depth > 0:
		m := map[string]any{}
		for range r.IntN(6) {
			m[strings.Repeat("k", r.IntN(4))+fmt.Sprint(r.IntN(20))] = nil
		}
		raw := cbor.AppendHead(nil, cbor.Map, uint64(len(m)))
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		for len(keys) > 0 { // in order, the slow way
			least := 0
			for i := range keys {
				if cbor.CompareKeys(keys[i], keys[least]) < 0 {
					least = i
				}
			}
			raw = append(cbor.AppendString(raw, keys[least]), randomValue(r, depth-1)...)
			keys = append(keys[:least], keys[least+1:]...)
		}
		return raw
	case kind == 7:
		return cbor.AppendString(nil, fmt.Sprint(r.IntN(1000)))
	case kind == 8:
		return cbor.AppendBytes(nil, make([]byte, r.IntN(30)))
	case kind == 9:
		return cbor.AppendCID(nil, []byte("\x01\x71\x12\x20"+strings.Repeat(string(rune('a'+r.IntN(26))), 32)))
	case kind == 10:
		raw, _ := cbor.AppendFloat(nil, r.NormFloat64())
		return raw
	case kind == 11:
		return [][]byte{{0xf4}, {0xf5}, {0xf6}}[r.IntN(3)]
	}
	i := r.Int64() >> r.IntN(64)
	return cbor.AppendInt(nil, i-r.Int64()>>r.IntN(64))
}

func TestThroughCodecs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	through := 0
	for range 3000 {
		through += throughCodecs(t, randomValue(r, 5))
	}
	deep := []byte(strings.Repeat("\xa2\x61a\x00\x62bb", 1000) + "\x00")
	through += throughCodecs(t, deep)
	if through < 9000 {
		t.Errorf("only %d went through: the test has tested little", through)
	}
}

// TestFromCodec: the keys of maps come in DAG-CBOR's order, at every level; what comes
// twice stays, for who reads the value to refuse.
func TestFromCodec(t *testing.T) {
	for text, want := range map[string]string{
		`{"bb":{"z":1,"a":2},"a":[{"c":{},"b":[]}]}`: "a26161" + "81a2616280" + "6163a0" + "626262" + "a2616102617a01",
		`{"a":1,"a":2}`: "a26161016161" + "02",
		`[]`:            "80",
		` "x" `:         "6178",
	} {
		got, err := cbor.FromCodec(dagjson.Decode, []byte(text))
		if err != nil || fmt.Sprintf("%x", got) != want {
			t.Errorf("%s: %x, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{``, `[`, `{"a"`, `{"a":`, `[1`, `[1]2`, `{"/":"x"}`, strings.Repeat("[", 2000)} {
		if got, err := cbor.FromCodec(dagjson.Decode, []byte(text)); err == nil {
			t.Errorf("%.20s: %x", text, got)
		}
	}
	// A decoder without a limit of its own, and one that assembles nothing.
	for name, decode := range map[string]func(na datamodel.NodeAssembler) error{
		"deep": func(na datamodel.NodeAssembler) error {
			for {
				la, err := na.BeginList(1)
				if err != nil {
					return err
				}
				na = la.AssembleValue()
			}
		},
		"nothing":    func(datamodel.NodeAssembler) error { return nil },
		"unfinished": func(na datamodel.NodeAssembler) error { _, err := na.BeginMap(1); return err },
		"a number as a key": func(na datamodel.NodeAssembler) error {
			ma, err := na.BeginMap(1)
			if err != nil {
				return err
			}
			return ma.AssembleKey().AssignInt(1)
		},
	} {
		_, err := cbor.FromCodec(func(na datamodel.NodeAssembler, _ io.Reader) error { return decode(na) }, nil)
		if err == nil || name == "deep" && !errors.Is(err, fault.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nan, err := cbor.FromCodec(func(na datamodel.NodeAssembler, _ io.Reader) error {
		return na.AssignFloat(math.NaN())
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cbor.Decode(nan); err == nil {
		t.Errorf("NaN is %x", nan)
	}
}

// TestCodecMemory wants no more memory than a block justifies, whatever is in it.
func TestCodecMemory(t *testing.T) {
	const n = 200_000
	for name, item := range map[string]string{"maps": `{"a":1}`, "empty maps": `{}`, "unsorted maps": `{"bb":0,"a":1}`, "lists": `[]`, "numbers": `1`, "strings": `"s"`} {
		text := []byte("[" + strings.Repeat(item+",", n) + item + "]")
		if !json.Valid(text) {
			t.Fatal(name)
		}
		peak := peakHeap(func() {
			raw, err := cbor.FromCodec(dagjson.Decode, text)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			out.Grow(len(text))
			if err := cbor.ToCodec(dagjson.Encode, raw, &out); err != nil {
				t.Fatal(err)
			}
		})
		if most := 24*len(text) + 2<<20; peak > most {
			t.Errorf("%s: %d bytes of memory for %d", name, peak, len(text))
		}
	}
}
