package input

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FuzzEntries reads anything in each format. What is read is written as ndjson,
// and read from that as the same.
func FuzzEntries(f *testing.F) {
	for _, text := range []string{
		"", "\n", "{}", "null", `{"key":"a","value":1}`, "{\"value\":[null],\"key\":{\"/\":{\"bytes\":\"/w\"}}}\r\n\n{",
		"{\"a\":1,\n\"b\\u0041\":{\"/\":{\"bytes\":\"\"}},\"\":-1e-7}", "id,name\r\n1,\"A\n\"\"\"\n", "a\tb\n1\t2\n",
		"\ufeff{\"key\":\"\",\"value\":1e400}", "{\"key\":\"\\ud800\",\"value\":\"\\u0000\"}", strings.Repeat("[", 2000),
	} {
		for _, format := range []Format{NDJSON, JSON, CSV, TSV} {
			f.Add(text, string(format), "", "", false)
		}
	}
	f.Add("id;name\n1;2\n", "csv", "name", ";", false)
	f.Add("1,2\n", "csv", "2", "", true)
	f.Add("{\"id\":-1,\"a\":[]}\n{\"id\":{\"/\":{\"bytes\":\"/w\"}},\"/\":1}", "ndjson", "id", "", false)
	f.Add("[{\"id\":-1,\"a\":[]},\n{\"id\":\"\",\"/\":null}]", "json", "id", "", false)
	f.Add("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xffK\xd4I\xe22\xd4\x01\x00\x1d\xca\x9e\x6b\x07\x00\x00\x00", "csv", "", "", false)
	f.Fuzz(func(t *testing.T, text, format, key, delimiter string, noHeader bool) {
		source := Source{Reader: strings.NewReader(text), Name: "fuzz", Format: Format(format), Key: key, NoHeader: noHeader}
		source.Delimiter, _ = Delimiter(delimiter)
		all, err := entries(t, source)
		if err != nil && err.Error() == "" {
			t.Error("the error says nothing")
		}
		var again strings.Builder
		var want []string
		for i, entry := range all {
			_, rest, _ := strings.Cut(entry, ":")
			_, rest, _ = strings.Cut(rest, ":")
			key, value := cutEntry(t, rest)
			fmt.Fprintf(&again, "{\"key\":%s,\"value\":%s}\n", key, value)
			want = append(want, fmt.Sprintf("%d:1:%s", i+1, rest))
		}
		if len(all) == 0 {
			return
		}
		got, err := entries(t, Source{Reader: strings.NewReader(again.String()), Format: NDJSON})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is read again as %q, %v", want, got, err)
		}
	})
}

// cutEntry cuts KEY=VALUE, where both are DAG-JSON.
func cutEntry(t *testing.T, entry string) (key, value string) {
	t.Helper()
	quoted := false
	for i := 0; i < len(entry); i++ {
		switch c := entry[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '=' && !quoted:
			return entry[:i], entry[i+1:]
		}
	}
	t.Fatalf("%q", entry)
	return "", ""
}
