package input

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// entries reads everything as "LINE:KEY=VALUE", keys and values in DAG-JSON.
func entries(t *testing.T, s Source) (all []string, err error) {
	t.Helper()
	for e, err := range s.Entries() {
		if err != nil {
			return all, err
		}
		value, err := dagjson.FromCBOR(nil, e.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d:%s=%s", e.Line, dagjson.AppendKey(nil, e.Key), value))
	}
	return all, nil
}

func TestEntries(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for _, c := range []struct {
		name   string
		format Format
		column string
		text   string
		want   []string
	}{
		{"ndjson", NDJSON, "", "{\"key\":\"a\",\"value\":1}\n\n  \r\n{\"value\":[null],\"key\":{\"/\":{\"bytes\":\"/w\"}}}",
			[]string{`1:"a"=1`, `4:{"/":{"bytes":"/w"}}=[null]`}},
		{"ndjson long line", NDJSON, "", "{\"key\":\"a\",\"value\":\"" + long + "\"}\n{\"key\":\"b\",\"value\":2}\n",
			[]string{`1:"a"="` + long + `"`, `2:"b"=2`}},
		{"ndjson empty", NDJSON, "", "", nil},
		{"json", JSON, "", "\n{ \"a\" : 1,\n\"b\\u0041\":\n{\"x\":\"}\\\"\",\n\"y\":[\"]\"]} , \"\":null,\"a\":-2.5}\n",
			[]string{`2:"a"=1`, `3:"bA"={"x":"}\"","y":["]"]}`, `5:""=null`, `5:"a"=-2.5`}},
		{"json empty map", JSON, "", " {} ", nil},
		{"json empty", JSON, "", "\n", nil},
		{"json slash", JSON, "", `{"/":"x"}`, []string{`1:"/"="x"`}},
		{"csv", CSV, "", "id,name,b\n1,Alice,x\n\n\"2\",\"Bo\nb\",\n3,C,\"\"\n",
			[]string{`2:"1"={"b":"x","name":"Alice"}`, `4:"2"={"b":"","name":"Bo\nb"}`, `6:"3"={"b":"","name":"C"}`}},
		{"csv column", CSV, "name", "\ufeffid,name\n1,Alice\n", []string{`2:"Alice"={"id":"1"}`}},
		{"csv keys only", CSV, "", "id\n1\n", []string{`2:"1"={}`}},
		{"csv empty", CSV, "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for way, reader := range map[string]io.Reader{
				"whole": strings.NewReader(c.text), "in small parts": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				got, err := entries(t, Source{reader, "f", c.format, c.column})
				if err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("%s: %.300v, want %.300v", way, got, c.want)
				}
			}
		})
	}
}

func TestBadEntries(t *testing.T) {
	for _, c := range []struct {
		format Format
		column string
		text   string
		line   int
		says   string
	}{
		{NDJSON, "", "{\"key\":\"a\",\"value\":1}\n{\"key\":\"a\",\"valeu\":1}", 2, `unknown field "valeu"`},
		{NDJSON, "", `{"key":"a"}`, 1, `field "value" is missing`},
		{NDJSON, "", `{"value":1}`, 1, `field "key" is missing`},
		{NDJSON, "", `{"key":"a","key":"b","value":1}`, 1, `repeated field "key"`},
		{NDJSON, "", `{"key":"a","value":1} x`, 1, `unexpected 'x' after the end of the value (column 23)`},
		{NDJSON, "", `{"key":"a","value":1,"op":"set"}`, 1, `unknown field "op"`},
		{NDJSON, "", `{"key":1,"value":1}`, 1, `where a key should be`},
		{NDJSON, "", `[]`, 1, `where a map should begin (column 1)`},
		{NDJSON, "", "\n\n{\"key\":\"a\",\"value\":", 3, `unexpected end`},
		{NDJSON, "", `{"key":"` + strings.Repeat("x", maxText) + `"}`, 1, `more than 64 MiB`},
		{JSON, "", `[1]`, 1, `unexpected '['`},
		{JSON, "", "{\"a\":1,\n", 2, `unexpected end within the map`},
		{JSON, "", "{\"a\":1,\n}", 2, `where a map key should be`},
		{JSON, "", "{\"a\":1\n\"b\":2}", 2, `where a comma`},
		{JSON, "", "{\"a\":[1,\n\n2,x]}", 3, `unexpected 'x'`},
		{JSON, "", "{\"a\":[1}", 1, `where a comma or the end`},
		{JSON, "", "{\"a\"\n1}", 2, `where a colon should be`},
		{JSON, "", "{\"a\":}", 1, `unexpected`},
		{JSON, "", "{\"a\":1}\n{}", 2, `after the end of the map`},
		{JSON, "", "{\"\\ud800\":1}", 1, `malformed escape`},
		{JSON, "", "{\"a\":nul}", 1, `where a value should be`},
		{CSV, "", "a,b\n1,2\n3\n", 3, `another number of columns`},
		{CSV, "", "a,b\n1,\"2\n", 2, `quote`},
		{CSV, "c", "a,b\n1,2\n", 1, `there is no column "c"`},
		{CSV, "", "a,a\n1,2\n", 1, `two columns are named "a"`},
		{CSV, "", "a,b\n1,\xff\n", 2, `column "b" is not UTF-8`},
		{CSV, "", "a,/\n1,x\n", 1, `would read as a link`},
	} {
		_, err := entries(t, Source{strings.NewReader(c.text), "f", c.format, c.column})
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%s %.40q: %v is no input error", c.format, c.text, err)
		} else if bad.Line != c.line || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%s %.40q: %v, want line %d and %q", c.format, c.text, err, c.line, c.says)
		}
	}
}

func TestChanges(t *testing.T) {
	text := `{"op":"set","key":"a","value":1}` + "\n" + `{"key":"b","op":"delete"}`
	var got []string
	for c, err := range (Source{Reader: strings.NewReader(text), Name: "f"}).Changes() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %v %s %x", c.Line, c.Delete, c.Key, c.Value))
	}
	if fmt.Sprint(got) != "[1 false a 01 2 true b ]" {
		t.Error(got)
	}
	for text, says := range map[string]string{
		`{"key":"a","value":1}`:                 `field "op" is missing`,
		`{"op":"put","key":"a","value":1}`:      `unknown op "put"`,
		`{"op":"set","key":"a"}`:                `field "value" is missing`,
		`{"op":"delete","key":"a","value":1}`:   `no meaning`,
		`{"op":"delete"}`:                       `field "key" is missing`,
		`{"op":1,"key":"a"}`:                    `where a string should be`,
		`{"op":"delete","key":"a","reason":""}`: `unknown field "reason"`,
	} {
		for _, err := range (Source{Reader: strings.NewReader(text), Name: "f"}).Changes() {
			if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "f:1: ") {
				t.Errorf("%s: %v, want %q", text, err, says)
			}
		}
	}
}

// TestReadFails: an error of the stream is passed on, and is no fault of the
// input.
func TestReadFails(t *testing.T) {
	broken := errors.New("broken")
	for _, format := range []Format{NDJSON, JSON, CSV} {
		text := map[Format]string{NDJSON: `{"key":`, JSON: `{"a":`, CSV: "a,b\n"}[format]
		s := Source{Reader: io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Name: "f", Format: format}
		if _, err := entries(t, s); !errors.Is(err, broken) || errors.As(err, new(*Error)) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// TestStops: breaking off asks the stream for nothing more.
func TestStops(t *testing.T) {
	text := map[Format]string{
		NDJSON: "{\"key\":\"a\",\"value\":1}\n{\"key\":\"b\",\"value\":1}\n", JSON: `{"a":1,"b":2}`, CSV: "a\n1\n2\n",
	}
	for format, text := range text {
		next, stop := iter.Pull2(Source{Reader: strings.NewReader(text), Name: "f", Format: format}.Entries())
		if _, err, ok := next(); err != nil || !ok {
			t.Errorf("%s: %v %v", format, err, ok)
		}
		stop()
	}
}

func TestFormatOf(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"", "a.ndjson", "ndjson"}, {"", "a.JSONL", "ndjson"}, {"", "a.json", "json"}, {"", "a.csv", "csv"}, {"", "-", "ndjson"},
		{"CSV", "-", "csv"}, {"json", "a.csv", "json"}, {"", "a.txt", ""}, {"xml", "a.csv", ""},
	} {
		got, err := FormatOf(c.name, c.file)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q %q: %q, %v", c.name, c.file, got, err)
		}
	}
}
