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
		for _, format := range []Format{NDJSON, JSON, CSV} {
			f.Add(text, string(format), "", "")
		}
	}
	f.Add("id;name\n1;2\n", "csv", "name", ";")
	f.Fuzz(func(t *testing.T, text, format, column, delimiter string) {
		source := Source{Reader: strings.NewReader(text), Name: "fuzz", Format: Format(format)}
		if source.Format == CSV {
			source.KeyColumn = column
			source.Delimiter, _ = Delimiter(delimiter)
		}
		all, err := entries(t, source)
		if err != nil && err.Error() == "" {
			t.Error("the error says nothing")
		}
		var again strings.Builder
		var want []string
		for i, entry := range all {
			_, rest, _ := strings.Cut(entry, ":")
			key, value := cutEntry(t, rest)
			fmt.Fprintf(&again, "{\"key\":%s,\"value\":%s}\n", key, value)
			want = append(want, fmt.Sprintf("%d:%s", i+1, rest))
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
