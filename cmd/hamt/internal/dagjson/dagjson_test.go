package dagjson

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	peer "github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/node/basicnode"
)

const someCID = "bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova"

var values = []string{
	`null`, `true`, `false`, `0`, `-1`, `23`, `24`, `-24`, `-25`, `256`, `65536`, `4294967296`,
	`9223372036854775807`, `-9223372036854775808`, `1.5`, `-0.25`, `1e-7`, `1e21`, `123456789.125`,
	`""`, `"a"`, `"é\u0000\n\t\"\\/"`, `"\ud83d\ude00"`, `"` + strings.Repeat("long", 100) + `"`,
	`[]`, `[1,[2,[3]],{}]`, `{}`, `{"b":1,"a":2,"aa":3,"":4}`, ` { "a" : [ 1 , 2 ] } `,
	`{"/":"` + someCID + `"}`, `{"/":{"bytes":""}}`, `{"/":{"bytes":"AQID/+8"}}`, `{"/":{"bytes":"AQ=="}}`,
	`{"/":1}`, `{"/":{"bytes":1}}`, `{"/":{"bytes":"","more":1}}`, `{"/":"x","more":1}`, `{"/":[]}`,
	`{"a":{"/":"` + someCID + `"},"b":[{"/":{"bytes":"AQ"}}]}`,
}

// TestToCBORLikePeer holds the DAG-CBOR against the one that go-ipld-prime's
// codecs make of the same text.
func TestToCBORLikePeer(t *testing.T) {
	for _, text := range values {
		want, err := viaPeer([]byte(text))
		if err != nil {
			t.Fatalf("%s: the peer fails: %v", text, err)
		}
		got, err := ToCBOR(nil, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", text, got, want)
		}
	}
}

func viaPeer(text []byte) ([]byte, error) {
	builder := basicnode.Prototype.Any.NewBuilder()
	if err := peer.Decode(builder, bytes.NewReader(text)); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err := dagcbor.Encode(builder.Build(), &out)
	return out.Bytes(), err
}

func TestRoundTrip(t *testing.T) {
	more := []string{`1.0`, `-0.0`, `100.0`, `18446744073709551615`, `9223372036854775808`, `1e300`, "\"\u2028\u007f\""}
	for _, text := range append(more, values...) {
		raw, err := ToCBOR(nil, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		written, err := FromCBOR(nil, raw)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := ToCBOR(nil, written)
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%s became %s, which is %x, not %x (%v)", text, written, again, raw, err)
		}
	}
}

func TestForms(t *testing.T) {
	for text, want := range map[string]string{
		`1.0`:                            `1.0`,
		`1.0e0`:                          `1.0`,
		`{"b":1,"aa":2}`:                 `{"aa":2,"b":1}`,
		`{"/":{"bytes":"AQ=="}}`:         `{"/":{"bytes":"AQ"}}`,
		`"\u0001\u001f\u007f/"`:          "\"\\u0001\\u001f\u007f/\"",
		"\"x\u2028y\u2029\u202a\u20a8\"": "\"x\\u2028y\\u2029\u202a\u20a8\"",
		`1e-7`:                           `1e-7`,
		`-1.5e-8`:                        `-1.5e-8`,
		`9.9e-9`:                         `9.9e-9`,
		`1e-10`:                          `1e-10`,
		`1e-100`:                         `1e-100`,
		`1e21`:                           `1e+21`,
		`0.000001`:                       `0.000001`,
		`5e-324`:                         `5e-324`,
		`0e-400`:                         `0.0`,
		`-0.000e-999`:                    `-0.0`,
		` [ 1 , "x" ] `:                  `[1,"x"]`,
		`{"/":"z` + someCID[:0] + `"}`:   ``,
	} {
		if want == "" {
			continue
		}
		raw, err := ToCBOR(nil, []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := FromCBOR(nil, raw); err != nil || string(got) != want {
			t.Errorf("%s is written %s (%v), want %s", text, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		``, ` `, `nul`, `nulL`, `tru`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `+1`, `1e400`, `1e-400`, `-0.001E-500`, `NaN`, `0x10`,
		`18446744073709551616`, `-9223372036854775809`,
		`"`, `"\`, `"\x"`, `"\u12"`, `"\ud800"`, `"\udc00"`, `"\ud800x"`, `"\ud800\u0041"`, "\"\n\"", "\"\xff\"", "\"\\n\xff\"",
		`[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `]`, `[1}`,
		`{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{1:2}`, `{"a" 1}`, `{"a":1 "b":2}`,
		`{"a":1,"a":2}`, `{"b":1,"a":1,"b":2}`, `{"a":1}x`, `1 2`, "1\x00",
		`{"/":"not a CID"}`, `{"/":{"bytes":"*"}}`, `{"/":{"bytes":"A"}}`,
		strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000),
	} {
		if raw, err := ToCBOR(nil, []byte(text)); err == nil {
			t.Errorf("%.40q is taken for %x", text, raw)
		} else if !errors.As(err, new(*SyntaxError)) {
			t.Errorf("%.40q: %T", text, err)
		}
	}
}

func TestFromCBORRefused(t *testing.T) {
	for _, c := range []struct {
		raw    string
		noForm bool
	}{
		{"", false}, {"\x18", false}, {"\x61", false}, {"\x61\xff", true}, {"\x9f\xff", false}, {"\x81", false},
		{"\xa1\x61", false}, {"\xa1\x01\x01", false}, {"\xa1\x61\xff\x01", true}, {"\xd8\x2a\x41\x00", false},
		{"\xd8\x2b\x41\x00", false}, {"\xa1\x61/\x61x", true}, {"\xa1\x61/\xa1\x65bytes\x60", true},
		{"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x01", true}, {"\xe0", false}, {"\xff", false}, {"\x01\x01", false},
		{"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", false}, {"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", false},
		{"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", true}, {strings.Repeat("\x81", 100_000), true},
	} {
		text, err := FromCBOR(nil, []byte(c.raw))
		if err == nil {
			t.Errorf("%.20x is taken for %s", c.raw, text)
		} else if errors.Is(err, ErrNoForm) != c.noForm {
			t.Errorf("%.20x: %v", c.raw, err)
		}
	}
}

func TestLooseFloats(t *testing.T) {
	for raw, want := range map[string]string{
		"\xf9\x3c\x00": "1.0", "\xf9\xc0\x00": "-2.0", "\xf9\x00\x01": "5.960464477539063e-8", "\xf9\x7b\xff": "65504.0",
		"\xfa\x40\x48\x00\x00": "3.125", "\xf7": "null", "\x18\x01": "1",
	} {
		if got, err := FromCBOR(nil, []byte(raw)); err != nil || string(got) != want {
			t.Errorf("%x: %s (%v), want %s", raw, got, err, want)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, key := range []string{"", "a", "é", "\x00", "\xff\x00", "/", "\ufffd"} {
		text := AppendKey(nil, []byte(key))
		r := NewReader(text)
		got, err := r.Key()
		if err != nil || string(got) != key || r.End() != nil {
			t.Errorf("%q is written %s and read %q (%v)", key, text, got, err)
		}
	}
	for _, text := range []string{`1`, `null`, `[]`, `{}`, `{"/":"` + someCID + `"}`, ``} {
		if key, err := NewReader([]byte(text)).Key(); err == nil {
			t.Errorf("%s is taken for the key %q", text, key)
		}
	}
}

func TestFields(t *testing.T) {
	r := NewReader([]byte(`{"key":{"/":{"bytes":"/w"}},"value":[1],"op":"set"}`))
	var got string
	err := r.Fields(func(name string) (err error) {
		var b []byte
		switch name {
		case "key":
			b, err = r.Key()
		case "op":
			b, err = r.String()
		default:
			b, err = r.Value(nil)
		}
		got += fmt.Sprintf("%s=%x ", name, b)
		return err
	})
	if want := "key=ff value=8101 op=736574 "; err != nil || got != want || r.End() != nil {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
}

// FuzzToCBOR: whatever is accepted is what go-ipld-prime makes of it, and comes
// back the same. (It accepts more, so only that direction can be tested.)
func FuzzToCBOR(f *testing.F) {
	for _, text := range values {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		raw, err := ToCBOR(nil, text)
		if err != nil {
			return
		}
		want, err := viaPeer(text)
		if err == nil && !bytes.Equal(raw, want) {
			t.Fatalf("%q is %x, and %x for the peer", text, raw, want)
		}
		written, err := FromCBOR(nil, raw)
		if err != nil {
			if errors.Is(err, ErrNoForm) {
				return
			}
			t.Fatalf("%q: %x cannot be written: %v", text, raw, err)
		}
		if again, err := ToCBOR(nil, written); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%q: %x is written %s, which is %x (%v)", text, raw, written, again, err)
		}
	})
}

// FuzzToPeer: what is written is what go-ipld-prime writes of the same value, but
// for floats without a fraction, which it writes as integers, and integers above
// int64, which it does not write.
func FuzzToPeer(f *testing.F) {
	for _, text := range append([]string{`"\u2028\u007f\u0080"`, `1e-7`, `[1.5e-9,1e-10,1e20]`, `{"a":-1e-8}`}, values...) {
		raw, err := ToCBOR(nil, []byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := FromCBOR(nil, raw)
		if err != nil {
			return
		}
		builder := basicnode.Prototype.Any.NewBuilder()
		if err := dagcbor.Decode(builder, bytes.NewReader(raw)); err != nil {
			return // it is stricter
		}
		var want bytes.Buffer
		if err := peer.Encode(builder.Build(), &want); err != nil {
			if strings.Contains(err.Error(), "out of range of int64") {
				return
			}
			t.Fatalf("%x is written %s, and by the peer not: %v", raw, text, err)
		}
		if got := wholeFloat.ReplaceAll(text, []byte("$1")); !bytes.Equal(got, wholeFloat.ReplaceAll(want.Bytes(), []byte("$1"))) {
			t.Fatalf("%x is written %s, and by the peer %s", raw, text, &want)
		}
	})
}

// wholeFloat is a float without a fraction. Within strings it does no harm: both
// sides are treated alike.
var wholeFloat = regexp.MustCompile(`(\d)\.0\b`)

func FuzzFromCBOR(f *testing.F) {
	for _, text := range values {
		raw, err := ToCBOR(nil, []byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := FromCBOR(nil, raw)
		if err != nil {
			return
		}
		if _, err := ToCBOR(nil, text); err != nil && !strings.Contains(err.Error(), "repeated map key") {
			t.Fatalf("%x is written %s, which cannot be read: %v", raw, text, err)
		}
	})
}

func BenchmarkToCBOR(b *testing.B) {
	text := []byte(`[{"column":1,"line":2},{"column":261,"line":2}]`)
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = ToCBOR(dst[:0], text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToCBORPeer(b *testing.B) {
	text := []byte(`[{"column":1,"line":2},{"column":261,"line":2}]`)
	for b.Loop() {
		if _, err := viaPeer(text); err != nil {
			b.Fatal(err)
		}
	}
}
