package cbor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// differ holds the scanner against go-ipld-prime's codec: what one accepts the
// other accepts, with the exceptions that the package comment names, and they
// make the same node of it.
func differ(t *testing.T, raw []byte) {
	t.Helper()
	next, nonCanonical, err := cbor.Skip(raw, 0, 0)
	if end, extentErr := cbor.Extent(raw, 0); err == nil && (extentErr != nil || end != next) {
		t.Fatalf("%x ends at %d, and not at %d (%v)", raw, next, end, extentErr)
	} else if extentErr == nil {
		if _, decodeErr := cbor.Decode(raw[:end]); (decodeErr == nil) != (err == nil) {
			t.Fatalf("%x: %v, and decoding it: %v", raw, err, decodeErr)
		}
		for range cbor.Links(raw[:end]) { // which ends
		}
	}
	truth, truthErr := ipld.Decode(raw, dagcbor.Decode)
	var again []byte
	if truthErr == nil {
		var err error
		if again, err = ipld.Encode(truth, dagcbor.Encode); err != nil {
			t.Fatalf("the codec does not encode what it decoded: %v", err)
		}
	}
	if err != nil || next != len(raw) {
		// What is refused is refused by the codec too, or is nothing that the
		// codec would write (a tag on something that is no link, say).
		if truthErr == nil && bytes.Equal(again, raw) {
			t.Fatalf("%x: %v, stopped at %d, and the codec takes it", raw, err, next)
		}
		return
	}
	if truthErr != nil {
		t.Fatalf("%x is taken, and the codec says %v", raw, truthErr)
	}
	if nonCanonical == bytes.Equal(again, raw) {
		t.Fatalf("%x: nonCanonical is %v, and the codec writes %x", raw, nonCanonical, again)
	}
	node, err := cbor.Decode(raw)
	if err != nil {
		t.Fatalf("%x: %v", raw, err)
	}
	if node.Kind() != truth.Kind() {
		t.Fatalf("%x is of kind %v, want %v", raw, node.Kind(), truth.Kind())
	}
	if got, err := cbor.Append([]byte("before"), node, nil); err != nil && !tooDeep(raw) || err == nil && string(got) != "before"+string(again) {
		t.Fatalf("%x is appended as %x, %v; want %x", raw, got, err, again)
	}
	if err := cbor.Check(raw); !tooDeep(raw) && (err == nil) == nonCanonical {
		t.Fatalf("%x: Check says %v, and nonCanonical is %v", raw, err, nonCanonical)
	}
}

// tooDeep says that a value is fine by itself and nests too deep for an entry.
func tooDeep(raw []byte) bool {
	_, _, err := cbor.Skip(raw, 0, cbor.ValueDepth)
	return err != nil
}

// oddities are values at the edges of the format, in hex.
var oddities = []string{
	"", "00", "17", "1817", "1818", "18ff", "1900ff", "190100", "1a0000ffff", "1a00010000", "1b00000000ffffffff",
	"1b0000000100000000", "1b7fffffffffffffff", "1b8000000000000000", "1bffffffffffffffff",
	"20", "3b7fffffffffffffff", "3b8000000000000000", "3bffffffffffffffff",
	"40", "4161", "42", "5f", "5f4161ff", "60", "6161", "61ff", "62c328", "7f6161ff",
	"80", "8100", "9800", "9b7fffffffffffffff", "9bffffffffffffffff", "9f00ff",
	"a0", "a16161f6", "a2616100616200", "a2616200616100", "a2616100616100", "a261620061610061", "a26262620061 6100",
	"a24161004162", "a10000", "bf616100ff", "bb7fffffffffffffff",
	"c0", "c000", "d82a", "d82a00", "d82a40", "d82a4100", "d82a4101", "d82a6100", "d82b4100", "d9002a4100", "c6d82a4100",
	"d82a58250001711220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"d82a58230012 20e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", // CIDv0
	"d82a4500017100 00", "d82a450001550000", "d82a4700015500026869",
	"f4", "f5", "f6", "f7", "f8", "f800", "f8ff", "f90000", "f93c00", "f97bff", "f97c00", "f97e00", "f9fc00", "f90001", "f98000",
	"fa3fc00000", "fa7f800000", "fa7fc00000", "fb3ff8000000000000", "fb7ff0000000000000", "fb7ff8000000000000", "fb8000000000000000",
	"fb", "fc", "ff", "0000",
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestOddities(t *testing.T) {
	for _, digits := range oddities {
		raw := unhex(t, digits)
		differ(t, raw)
		if len(raw) > 0 { // as an item of a list, and as a value in a map
			differ(t, append([]byte{0x81}, raw...))
			differ(t, append([]byte{0xa1, 0x61, 'k'}, raw...))
			differ(t, append([]byte{0xa2, 0x61, 'k', 0x00}, raw...))
		}
	}
}

// TestTruncated cuts a value that has everything at each of its bytes.
func TestTruncated(t *testing.T) {
	whole := unhex(t, "86a2616b1901f4626b6b3903e7581a00000000000000000000000000000000000000000000000000006361c3a9"+
		"d82a58250001711220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855fb3ff8000000000000f6")
	differ(t, whole)
	for n := range whole {
		if _, _, err := cbor.Skip(whole[:n], 0, 0); err == nil {
			t.Errorf("%d bytes of %d are taken", n, len(whole))
		}
		differ(t, whole[:n])
	}
}

func TestNesting(t *testing.T) {
	for _, opener := range []string{"\x81", "\xa1\x60"} {
		for _, depth := range []int{1, cbor.MaxDepth - cbor.ValueDepth, cbor.MaxDepth - cbor.ValueDepth + 1, cbor.MaxDepth, cbor.MaxDepth + 1, 100_000} {
			raw := []byte(strings.Repeat(opener, depth) + "\x00")
			differ(t, raw)
			// An entry of a root's bucket may hold what the whole block may,
			// less the five levels around it.
			if err := cbor.Check(raw); (err == nil) != (depth <= cbor.MaxDepth-cbor.ValueDepth) {
				t.Errorf("%d levels: %v", depth, err)
			} else if err != nil && !errors.Is(err, fault.ErrValue) {
				t.Errorf("%d levels: error %v is not ErrValue", depth, err)
			}
		}
	}
}

// TestClaimedLengthAllocatesNothing nests maps that each claim as many entries
// as there are bytes: what is allocated must follow from what is there.
func TestClaimedLengthAllocatesNothing(t *testing.T) {
	const size = 1 << 18
	// Keys "b" and "a": the order is broken at once. The value of "a" is the
	// next such map.
	level := []byte{0xba, 0, 3, 0, 0, 0x61, 'b', 0xf6, 0x61, 'a'}
	raw := bytes.Repeat(level, 64)
	raw = append(raw, make([]byte, size)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := cbor.Skip(raw, 0, 0); err == nil {
		t.Fatal("it is taken")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4*size {
		t.Errorf("%d bytes were allocated for a block of %d", got, len(raw))
	}
}

// TestLinearInNesting reads hostile nesting of a size at which anything that
// looks at a level twice would take for ever.
func TestLinearInNesting(t *testing.T) {
	level := []byte{0xa2, 0x61, 'b', 0xf6, 0x61, 'a'} // keys out of order, again and again
	raw := append(bytes.Repeat(level, 1000), 0xf6)
	next, nonCanonical, err := cbor.Skip(raw, 0, 0)
	if err != nil || next != len(raw) || !nonCanonical {
		t.Fatal(next, nonCanonical, err)
	}
	differ(t, raw)
}

// TestFloat16 goes through all half-precision floats.
func TestFloat16(t *testing.T) {
	for half := range 1 << 16 {
		differ(t, []byte{0xf9, byte(half >> 8), byte(half)})
		raw := []byte{0xf9, byte(half >> 8), byte(half)}
		node, err := cbor.Decode(raw)
		truth, truthErr := ipld.Decode(raw, dagcbor.Decode)
		if truthErr != nil { // NaN and the infinities
			if _, _, skipErr := cbor.Skip(raw, 0, 0); skipErr == nil || err == nil {
				t.Fatalf("%04x: %v, %v", half, skipErr, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := node.AsFloat()
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := truth.AsFloat(); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Fatalf("%04x is %v, want %v", half, got, want)
		}
	}
}

// TestAppendRefuses lists the nodes that have no DAG-CBOR form. What stood in
// the destination stays.
func TestAppendRefuses(t *testing.T) {
	list := func(item datamodel.Node) datamodel.Node {
		nb := basicnode.Prototype.List.NewBuilder()
		la, _ := nb.BeginList(1)
		if err := la.AssembleValue().AssignNode(item); err != nil {
			t.Fatal(err)
		}
		if err := la.Finish(); err != nil {
			t.Fatal(err)
		}
		return nb.Build()
	}
	for name, node := range map[string]datamodel.Node{
		"nil":                nil,
		"absent":             datamodel.Absent,
		"NaN":                basicnode.NewFloat(math.NaN()),
		"infinity":           basicnode.NewFloat(math.Inf(-1)),
		"NaN in a list":      list(basicnode.NewFloat(math.NaN())),
		"infinity in a list": list(list(basicnode.NewFloat(math.Inf(1)))),
		"nil link":           basicnode.NewLink(nil),
	} {
		dst, err := cbor.Append([]byte("before"), node, nil)
		if !errors.Is(err, fault.ErrValue) {
			t.Errorf("%s: error %v, want ErrValue", name, err)
		}
		if string(dst) != "before" {
			t.Errorf("%s: the destination is %q", name, dst)
		}
	}
}

// TestCanonical makes canonical what is readable only, and hands back the rest.
func TestCanonical(t *testing.T) {
	for nonCanonical, want := range map[string]string{
		"f7":                   "f6",
		"f93c00":               "fb3ff0000000000000",
		"82fa3fc00000f7":       "82fb3ff8000000000000f6",
		"a2616200616100":       "a2616100616200",
		"a26261610061 6200":    "a2616200 62616100",
		"a16161a2616200616100": "a16161a2616100616200",
		"1818":                 "1818",
	} {
		if got := cbor.Canonical(unhex(t, nonCanonical)); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s becomes %x, want %s", nonCanonical, got, want)
		}
	}
}

// plainEntry holds PlainEntry against what knows every form: where it says yes,
// there is an entry with that key, and a value that is canonical.
func plainEntry(t *testing.T, raw []byte) {
	from, to, next, ok := cbor.PlainEntry(raw, 0)
	if !ok {
		return
	}
	wantFrom, wantTo, err := cbor.Span(raw, 1, cbor.Bytes)
	if err != nil || raw[0] != cbor.List|2 || from != wantFrom || to != wantTo {
		t.Fatalf("%x: a key from %d to %d, not from %d to %d (%v)", raw, from, to, wantFrom, wantTo, err)
	}
	if end, nonCanonical, err := cbor.Skip(raw, to, 0); err != nil || nonCanonical || end != next {
		t.Fatalf("%x: the value ends at %d, not at %d (nonCanonical: %v, %v)", raw, next, end, nonCanonical, err)
	}
}

// TestPlainEntry tries every first byte of a value, with few and many bytes
// after it, and keys of all lengths that are written differently.
func TestPlainEntry(t *testing.T) {
	link := unhex(t, "d82a58250001711220"+strings.Repeat("ab", 32))
	values := [][]byte{link, link[:len(link)-1], link[:9]}
	for first := range 256 {
		for _, rest := range []string{"", "00", "17", "18", "0000", "0001", "0100", "00000000", "0000ffff", "00010000", "0000000000000000", "0000000100000000"} {
			values = append(values, append([]byte{byte(first)}, unhex(t, rest)...))
		}
	}
	plain := 0
	for _, length := range []int{0, 1, 23, 24, 255, 256} {
		head := cbor.AppendBytes([]byte{cbor.List | 2}, make([]byte, length))
		for _, value := range values {
			raw := append(slices.Clip(head), value...)
			plainEntry(t, raw)
			if _, _, _, ok := cbor.PlainEntry(raw, 0); ok {
				plain++
			}
		}
	}
	for _, digits := range []string{"", "82", "8240", "8258", "825800", "82581700", "8141ab00", "8261ab00", "824100"} {
		plainEntry(t, unhex(t, digits))
	}
	if plain < 5*24*12 {
		t.Errorf("only %d entries were plain", plain)
	}
}

func FuzzSkip(f *testing.F) {
	for _, digits := range oddities {
		f.Add(unhex(f, digits))
	}
	f.Add(unhex(f, "a36468616d7482582000000000000000000000000000000000000200000000000000000000002000008281824a7072656369702f302e310181824a7072656369702f302e30006768617368416c67126a6275636b657453697a6505"))
	f.Add(unhex(f, "82466b6579206f6e1903e8"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		differ(t, raw)
		plainEntry(t, raw)
	})
}

// TestExtent finds the end of what cannot be decoded, and of nothing that has none.
func TestExtent(t *testing.T) {
	deep := strings.Repeat("81", 1<<20) + "00"
	wide := strings.Repeat("82", 1<<20) + strings.Repeat("00", 1<<20+1)
	for name, digits := range map[string]string{
		"below -2^63": "3b8000000000000000", "-2^64": "3bffffffffffffffff", "in a list": "82003bffffffffffffffff",
		"deep": deep, "deep, and no tail": wide, "NaN": "f97e00", "infinity": "fb7ff0000000000000",
		"a key twice": "a2616100616101", "keys that are no text": "a1 0000", "a map as a key": "a1a000",
		"another tag": "c100", "tags of tags": "c1c1c100", "a tag of no link": "d82a00", "a bad link": "d82a4100",
		"a simple value": "e0", "another": "f820", "a long head": "1817", "a long head of a list": "9a0000000100", "not UTF-8": "61ff",
	} {
		raw := unhex(t, digits)
		if end, err := cbor.Extent(append(raw, 0), 0); err != nil || end != len(raw) {
			t.Errorf("%s: it ends at %d of %d, %v", name, end, len(raw), err)
		}
		if got := cbor.Canonical(raw); !bytes.Equal(got, raw) && name != "not UTF-8" {
			t.Errorf("%s: it becomes %x", name, got)
		}
		differ(t, raw)
	}
	for name, digits := range map[string]string{
		"nothing": "", "half a head": "19", "too short a string": "6261", "too short a list": "8200", "half a map": "a100",
		"a tag of nothing": "c1", "indefinite": "9f00ff", "a break": "ff", "a reserved head": "1c", "a short simple value": "f81f",
		"a claim": "9bffffffffffffffff00", "a claim of a map": "bb800000000000000000", "claims": "9b7fffffffffffffff9bffffffffffffffff00",
	} {
		if end, err := cbor.Extent(unhex(t, digits), 0); err == nil {
			t.Errorf("%s: it ends at %d", name, end)
		}
	}
}

// TestExtentTakesNoMemory, whatever nests in it.
func TestExtentTakesNoMemory(t *testing.T) {
	raw := bytes.Repeat([]byte{0x82}, 1<<20)
	raw = append(raw, make([]byte, 1<<20+1)...)
	if n := testing.AllocsPerRun(1, func() {
		if end, err := cbor.Extent(raw, 0); err != nil || end != len(raw) {
			t.Fatal(end, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
