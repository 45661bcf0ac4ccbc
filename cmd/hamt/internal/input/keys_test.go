package input

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// keys returns what Keys reads, each as "line:key", with a ' behind those that stand
// there as they are.
func keys(text string, zero bool) (all []string, err error) {
	source := Source{Reader: strings.NewReader(text), Name: "f"}
	for key, err := range source.Keys(zero) {
		if err != nil {
			return all, err
		}
		mark := ""
		if key.Text {
			mark = "'"
		}
		all = append(all, string(rune('0'+key.Line))+":"+string(key.Key)+mark)
	}
	return all, nil
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
		bad  string
	}{
		{"", nil, ""},
		{"\n \t\n", nil, ""},
		{"Alice\n\nBob\r\nCarol", []string{"1:Alice'", "3:Bob'", "4:Carol'"}, ""},
		{" a b \n", []string{"1: a b '"}, ""},
		{"\ufeffAlice\n", []string{"1:Alice'"}, ""},
		{`"Alice"` + "\n" + ` "x"` + "\n" + `"\u0022" ` + "\n", []string{"1:Alice", `2: "x"'`, `3:"`}, ""},
		{`{"/":{"bytes":"/wA"}}` + "\n", []string{"1:\xff\x00"}, ""},
		{`{"key":"Alice","value":{"key":2}}` + "\n" + `{"op":"set","key":{"/":{"bytes":"/w"}}}`, []string{"1:Alice", "2:\xff"}, ""},
		{"a\n\"b\n", []string{"1:a'"}, "f:2:3: unexpected end"},
		{"\"a\" \"b\"\n", nil, "f:1:5: "},
		{`{"value":1}`, nil, `f:1:1: field "key" is missing`},
		{`{"/":"bafyreibjia37ltpxm33kqho3cpc5v2hlqer55biegk63o5rarar77td5za"}`, nil, `field "key" is missing`},
		{`{"key":1}`, nil, "where a key should be"},
		{`{"key":"a"} x`, nil, "after the end"},
		{"\xff\xfea\x00", nil, "UTF-16"},
	} {
		got, err := keys(c.text, false)
		if !slices.Equal(got, c.want) || (err != nil) != (c.bad != "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%q: %q, %v; want %q, %s", c.text, got, err, c.want, c.bad)
		}
	}
	for text, want := range map[string][]string{
		"":               nil,
		"a\x00b\n\x00":   {"1:a'", "2:b\n'"},
		"\x00\x00":       {"1:'", "2:'"},
		"\"a\"\x00{\xff": {`1:"a"'`, "2:{\xff'"},
	} {
		if got, err := keys(text, true); !slices.Equal(got, want) || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

// TestKeyAtOnce: a key is there as soon as its line is, however short.
func TestKeyAtOnce(t *testing.T) {
	for _, zero := range []bool{false, true} {
		end := "\n"
		if zero {
			end = "\x00"
		}
		in, typing := io.Pipe()
		send := func(text string) {
			go func() { _, _ = io.WriteString(typing, text) }() // the test ends with what is read
		}
		send("a" + end)
		n := 0
		for key, err := range (Source{Reader: in, Name: "f"}).Keys(zero) {
			if err != nil || string(key.Key) != "a" {
				t.Fatalf("%q, %v", key.Key, err)
			}
			if n++; n == 3 {
				break
			}
			send("a" + end)
		}
	}
}

// FuzzKeys writes any keys as a list and reads it.
func FuzzKeys(f *testing.F) {
	for _, key := range []string{"", "a", " ", "\"", "{", "\ufeffa", "a\r", "\r", "\u2028", "\x1f\x8b", "\xff\xfe", "(\xb5/\xfd", "\x00", "\u0085"} {
		f.Add([]byte(key), []byte("x"))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		text := append(AppendKey(nil, first), '\n')
		text = append(AppendKey(text, second), '\n')
		want := [][]byte{first, second}
		for key, err := range (Source{Reader: bytes.NewReader(text), Name: "f"}).Keys(false) {
			if err != nil || len(want) == 0 || !bytes.Equal(key.Key, want[0]) {
				t.Fatalf("%q is read as %q, %v", text, key.Key, err)
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Fatalf("%q: not read: %q", text, want)
		}
	})
}
