package input

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
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
		all = append(all, fmt.Sprintf("%d:%d:%s=%s", e.Line, e.Column, dagjson.AppendKey(nil, e.Key), value))
	}
	return all, nil
}

func TestEntries(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for _, c := range []struct {
		name   string
		format Format
		key    string
		text   string
		want   []string
	}{
		{"ndjson", NDJSON, "", "{\"key\":\"a\",\"value\":1}\n\n  \r\n {\"value\":[null],\"key\":{\"/\":{\"bytes\":\"/w\"}}}",
			[]string{`1:1:"a"=1`, `4:2:{"/":{"bytes":"/w"}}=[null]`}},
		{"ndjson long line", NDJSON, "", "{\"key\":\"a\",\"value\":\"" + long + "\"}\n{\"key\":\"b\",\"value\":2}\n",
			[]string{`1:1:"a"="` + long + `"`, `2:1:"b"=2`}},
		{"ndjson with a key", NDJSON, "id", "{\"name\":\"Alice\",\"id\":7,\"b\":[{\"id\":1}]}\n{\"id\":\"x\"}\n{\"id\":-3,\"key\":1,\"value\":2}",
			[]string{`1:1:"7"={"b":[{"id":1}],"name":"Alice"}`, `2:1:"x"={}`, `3:1:"-3"={"key":1,"value":2}`}},
		{"ndjson with keys of all kinds", NDJSON, "id", "{\"id\":{\"/\":{\"bytes\":\"/w\"}}}\n{\"id\":18446744073709551615}\n{\"id\":-9223372036854775808}\n{\"/\":7,\"id\":\"\"}",
			[]string{`1:1:{"/":{"bytes":"/w"}}={}`, `2:1:"18446744073709551615"={}`, `3:1:"-9223372036854775808"={}`, `4:1:""={"/":7}`}},
		{"json", JSON, "", "\n{ \"a\" : 1,\n\"b\\u0041\":\n{\"x\":\"}\\\"\",\n\"y\":[\"]\"]} , \"\":null,\"a\":-2.5}\n",
			[]string{`2:3:"a"=1`, `3:1:"bA"={"x":"}\"","y":["]"]}`, `5:14:""=null`, `5:22:"a"=-2.5`}},
		{"json empty map", JSON, "", " {} ", nil},
		{"json slash", JSON, "", `{"/":"x"}`, []string{`1:2:"/"="x"`}},
		{"json list", JSON, "id", "[{\"id\":1,\"a\":2} ,\n {\"a\":[\"]\"],\"id\":\"x\"}]\n", []string{`1:2:"1"={"a":2}`, `2:2:"x"={"a":["]"]}`}},
		{"json empty list", JSON, "id", "\n[\n]", nil},
		{"csv", CSV, "", "id,name,b\n1,Alice,x\n\n\"2\",\"Bo\nb\",\n3,C,\"\"\n",
			[]string{`2:1:"1"={"b":"x","name":"Alice"}`, `4:1:"2"={"b":"","name":"Bo\nb"}`, `6:1:"3"={"b":"","name":"C"}`}},
		{"csv column", CSV, "name", "\ufeffid,name\n1,Alice\n", []string{`2:1:"Alice"={"id":"1"}`}},
		{"csv keys only", CSV, "", "id\n1\n", []string{`2:1:"1"={}`}},
		{"csv header alone", CSV, "", "id,name\n", nil},
		{"csv with CR", CSV, "", "id,name\r1,Alice\r\r2,\"Bo\rb\"\r3,C",
			[]string{`2:1:"1"={"name":"Alice"}`, `4:1:"2"={"name":"Bo\rb"}`, `6:1:"3"={"name":"C"}`}},
		{"csv with CR LF", CSV, "", "id,name\r\n1,\"Al\r\nice\"\r\n\r\n2,B\rob\r\n3,\r\n",
			[]string{`2:1:"1"={"name":"Al\r\nice"}`, `5:1:"2"={"name":"B\rob"}`, `6:1:"3"={"name":""}`}},
		{"csv with an escaped delimiter", CSV, "", "id,name\n1,\"A;l,i\"\"ce\"\n", []string{`2:1:"1"={"name":"A;l,i\"ce"}`}},
		{"tsv", TSV, "b", "id\tb\n1,2\t\"x\ty\"\n", []string{`2:1:"x\ty"={"id":"1,2"}`}},
		{"ndjson with a mark", NDJSON, "", "\ufeff{\"key\":\"a\",\"value\":1}\n", []string{`1:1:"a"=1`}},
		{"json with a mark", JSON, "", "\ufeff{\"a\":1}", []string{`1:2:"a"=1`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for way, reader := range map[string]io.Reader{
				"whole": strings.NewReader(c.text), "in small parts": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				got, err := entries(t, Source{Reader: reader, Name: "f", Format: c.format, Key: c.key})
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

func TestNoHeader(t *testing.T) {
	for _, c := range []struct{ key, text, want string }{
		{"", "1,Alice\n2,\"Bob\"", `[1:1:"1"=["Alice"] 2:1:"2"=["Bob"]]`},
		{"2", "1,Alice,x\n", `[1:1:"Alice"=["1","x"]]`},
		{"", "\n1\n", `[2:1:"1"=[]]`},
		{"", "", "f: the input is empty"},
		{"3", "a,b\n", `f:1:1: there is no column "3": without a header they are 1 to 2`},
		{"0", "a,b\n", `f:1:1: there is no column "0": without a header they are 1 to 2`},
		{"a", "a,b\n", `f:1:1: there is no column "a": without a header they are 1 to 2`},
		{"", "a;b\n", `f:1:1: the first row is the one column "a;b": take --delimiter ';' to split it, or --delimiter , if it is one`},
		{"", "a,b\nc,d,e\n", "f:2:5: the row has another number of columns (3) than the first row (2)"},
		{"", "a,b\nc,\xff", "f:2:3: column 2 is not UTF-8"},
	} {
		got, err := entries(t, Source{Reader: strings.NewReader(c.text), Name: "f", Format: CSV, Key: c.key, NoHeader: true})
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%q: %s, want %s", c.text, text, c.want)
		}
	}
}

func TestBadEntries(t *testing.T) {
	for _, c := range []struct {
		format Format
		key    string
		text   string
		at     string // line and column
		says   string
	}{
		{NDJSON, "", "{\"key\":\"a\",\"value\":1}\n{\"key\":\"a\",\"valeu\":1}", "2:12", `unknown field "valeu"`},
		{NDJSON, "", ` {"key":"a"}`, "1:1", `field "value" is missing`},
		{NDJSON, "", `{"value":1}`, "1:1", `field "key" is missing`},
		{NDJSON, "", `{"key":"a","key":"b","value":1}`, "1:12", `repeated field "key"`},
		{NDJSON, "", `{"key":"a","value":1} x`, "1:23", `unexpected 'x' after the end of the value`},
		{NDJSON, "", `{"key":"a","value":1,"op":"set"}`, "1:22", `unknown field "op"`},
		{NDJSON, "", "{\r\n", "1:2", `unexpected end`},
		{NDJSON, "", `{"key":1,"value":1}`, "1:8", `where a key should be`},
		{NDJSON, "", `[]`, "1:1", `where a map should begin`},
		{NDJSON, "", "\n\n{\"key\":\"a\",\"value\":", "3:20", `unexpected end`},
		{NDJSON, "", `{"key":"` + strings.Repeat("x", maxText) + `"}`, "1:1", `more than 64 MiB`},
		{NDJSON, "id", "{\"id\":1}\n {\"ID\":2}", "2:2", `field "id" is missing, which is the key`},
		{NDJSON, "id", `{"id":null}`, "1:7", `field "id" is no key: a key is a string, bytes or an integer`},
		{NDJSON, "id", `{"id": 1.0}`, "1:8", `field "id" is no key`},
		{NDJSON, "id", `{"id":1,"id":2}`, "1:9", `repeated map key "id"`},
		{NDJSON, "id", `{"id":1,"a":2,"a":3}`, "1:21", `repeated map key "a"`},
		{NDJSON, "id", `{"id":1,"/":"x"}`, "1:16", `would read as a link`},
		{NDJSON, "id", `{"/":{"bytes":"AA"},"id":1}`, "1:27", `would read as a link, or as bytes`},
		{NDJSON, "id", `7`, "1:1", `where a map should begin`},
		{NDJSON, "id", `{"id":1} {"id":2}`, "1:10", `after the end of the value`},
		{JSON, "", `[1]`, "1:1", `a list: --key FIELD`},
		{JSON, "", `7`, "1:1", `unexpected '7' where the map should begin`},
		{JSON, "", "{\"a\":1,\n", "2:1", `unexpected end within the map`},
		{JSON, "", "{\"a\":1,\n}", "2:1", `where a map key should be`},
		{JSON, "", "{\"a\":1\n \"b\":2}", "2:2", `where a comma`},
		{JSON, "", "{\"a\":[1,\n\n2,x]}", "3:3", `unexpected 'x'`},
		{JSON, "", "{\"a\":[1}", "1:8", `where a comma or the end of the collection`},
		{JSON, "", "{\"a\":[1}]}", "1:8", `where a comma or the end`},
		{JSON, "", "{\"a\"\n1}", "2:1", `where a colon should be`},
		{JSON, "", "{\"a\":}", "1:6", `unexpected`},
		{JSON, "", "{\"a\":1}\n{}", "2:1", `after the end of the map`},
		{JSON, "", "{\"\\ud800\":1}", "1:3", `malformed escape`},
		{JSON, "", "{\"a\":nul}", "1:6", `where a value should be`},
		{JSON, "id", ` {"a":1}`, "1:2", `--key is for a list of maps`},
		{JSON, "id", ` 7`, "1:2", `unexpected '7' where the list should begin`},
		{JSON, "id", "[{\"id\":1},\n7]", "2:1", `unexpected '7' where a map should begin`},
		{JSON, "id", "[{\"id\":1},]", "1:11", `unexpected ']' where a map should begin`},
		{JSON, "id", "[{\"id\":1}\n{\"id\":1}]", "2:1", `where a comma or the end of the list should be`},
		{JSON, "id", "[{\"id\":1},{\n\"id\":[]}]", "2:6", `field "id" is no key`},
		{JSON, "id", "[{\"id\":1},{\"a\":1}]", "1:11", `field "id" is missing`},
		{JSON, "id", "[{\"id\":1},", "1:11", `unexpected end within the list`},
		{JSON, "id", "[{\"id\":1}],", "1:11", `unexpected ',' after the end of the list`},
		{CSV, "", "a,b\n1,2\n3\n", "3:1", `another number of columns (1) than the header (2)`},
		{CSV, "", "a,b\n1,2,3,4\n", "2:5", `another number of columns (4) than the header (2)`},
		{CSV, "", "a,b\n1,\"2\n", "2:3", `quote`},
		{CSV, "", "\n id;name\n1;x\n", "2:1", `--delimiter ';'`},
		{CSV, "", "id\tname\n1\tx\n", "1:1", `--delimiter tab`},
		{CSV, "", "id|name\n", "1:1", `--delimiter '|'`},
		{CSV, "x", "id;name\n", "1:1", `--delimiter ';'`},
		{CSV, "", "a,b\n1,x\"y\n", "2:4", `quote`},
		{CSV, "", "a,b\n1,\"x\"y\n", "2:5", `quote`},
		{CSV, "", "a,b\r1,2\r3\r", "3:1", `another number of columns`},
		{CSV, "", "a\n\"" + strings.Repeat("x", maxText+1), "2:67108866", `more than 64 MiB`},
		{TSV, "", "a,b\n1,2\t3\n", "2:5", `another number of columns`},
		{CSV, "", "\xff\xfea\x00", "1:1", `UTF-16`},
		{JSON, "", "\xfe\xff\x00{", "1:1", `UTF-16`},
		{NDJSON, "", "\xff\xfe{\x00", "1:1", `UTF-16`},
		{CSV, "c", "a,b\n1,2\n", "1:1", `there is no column "c"`},
		{CSV, "", "a,a\n1,2\n", "1:1", `two columns are named "a"`},
		{CSV, "", "a,b\n\"\n\",\xff\n", "3:3", `column "b" is not UTF-8`},
		{CSV, "", "a,/\n1,x\n", "1:1", `would read as a link`},
	} {
		_, err := entries(t, Source{Reader: strings.NewReader(c.text), Name: "f", Format: c.format, Key: c.key})
		if !errors.As(err, new(*Error)) {
			t.Errorf("%s %.40q: %v is no input error", c.format, c.text, err)
		} else if !strings.HasPrefix(err.Error(), "f:"+c.at+": ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %.40q: %v, want %s and %q", c.format, c.text, err, c.at, c.says)
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
			if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "f:1:") {
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

// TestEmpty: where there is nothing there is no map.
func TestEmpty(t *testing.T) {
	for _, format := range []Format{NDJSON, JSON, CSV} {
		for _, text := range []string{"", "\n", "\r\n\n", "\ufeff", "\ufeff\n", "  \n\t\n"} {
			all, err := entries(t, Source{Reader: strings.NewReader(text), Name: "f", Format: format})
			if len(all) != 0 || !errors.Is(err, ErrEmpty) || !strings.HasPrefix(err.Error(), "f: ") {
				t.Errorf("%s %q: %v, %v", format, text, all, err)
			}
		}
	}
	// No changes are changes like any others.
	for _, err := range (Source{Reader: strings.NewReader("\n"), Name: "f"}).Changes() {
		t.Error(err)
	}
}

func TestDelimiter(t *testing.T) {
	for text, want := range map[string]rune{
		";": ';', ",": ',', "|": '|', "tab": '\t', `\t`: '\t', "\t": '\t', "é": 'é', "": 0, ";;": 0, "\"": 0, "\n": 0, "\r": 0, "\xff": 0,
	} {
		if got, err := Delimiter(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, c := range []struct {
		delimiter rune
		text      string
		want      string
	}{
		{';', "id;name\n1;\"a;b\"\n", `[2:1:"1"={"name":"a;b"}]`},
		{'\t', "id\tname\n1\ta,b\n", `[2:1:"1"={"name":"a,b"}]`},
		{'é', "idéname\n1éa\n", `[2:1:"1"={"name":"a"}]`},
		{',', "id;name\n1;a\n", `[2:1:"1;a"={}]`},
	} {
		got, err := entries(t, Source{Reader: strings.NewReader(c.text), Format: CSV, Delimiter: c.delimiter})
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

// FuzzRows compares what is read with what encoding/csv reads. It differs where
// there are CRs, and in what is too long for one entry.
func FuzzRows(f *testing.F) {
	for _, text := range []string{"", "a,b\n1,2\n", "\"a\"\"\n\",b\n\n,\n", "\"\"\n", "a\"", "\"a\"b", "\"a", "\xff,é\n", ",", "\n\n\"\""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "\r", "")
		reader := csv.NewReader(strings.NewReader(text))
		reader.FieldsPerRecord = -1
		var want [][]string
		var wantErr error
		for {
			row, err := reader.Read()
			if err == io.EOF {
				break
			}
			if wantErr = err; err != nil {
				break
			}
			for i := range row {
				line, column := reader.FieldPos(i)
				row[i] = fmt.Sprintf("%d:%d:%s", line, column, row[i])
			}
			want = append(want, row)
		}
		ours := newRowReader(bufio.NewReader(strings.NewReader(text)), ',', Position{"f", 1, 1})
		var got [][]string
		for {
			row, err := ours.read()
			if err == io.EOF && wantErr == nil {
				break
			}
			if err != nil {
				var bad *csv.ParseError
				if !errors.As(wantErr, &bad) {
					t.Fatalf("%q: %v", text, err)
				}
				// What nothing closes encoding/csv reports where the input ends.
				if err != errOpenQuote && ours.wrong != (Position{"f", bad.Line, bad.Column}) {
					t.Fatalf("%q: %v at %v, want %v", text, err, ours.wrong, bad)
				}
				break
			}
			row = slices.Clone(row)
			for i := range row {
				row[i] = fmt.Sprintf("%d:%d:%s", ours.begins[i].Line, ours.begins[i].Column, row[i])
			}
			got = append(got, row)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: %q, want %q (%v)", text, got, want, wantErr)
		}
	})
}

// TestBeginning: no more is asked for than is needed to tell what a stream begins with.
func TestBeginning(t *testing.T) {
	for text, want := range map[string]struct {
		is    string
		reads int
	}{
		"b\n": {"", 1}, "": {"", 1}, "xz": {"", 2}, "xyz": {"xyz", 3}, "xab": {"", 2}, "ab": {"ab", 2}, "a": {"", 2},
	} {
		reads := 0
		in := bufio.NewReader(iotest.OneByteReader(strings.NewReader(text)))
		counted := bufio.NewReader(readerFunc(func(p []byte) (int, error) { reads++; return in.Read(p[:1]) }))
		got := beginning(counted, "ab", "xyz")
		if got != want.is || reads != want.reads {
			t.Errorf("%q: %q after %d reads, want %q after %d", text, got, reads, want.is, want.reads)
		}
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
