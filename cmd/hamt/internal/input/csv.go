package input

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// rows reads CSV: a header, then an entry a row, the value a map from the names
// of the other columns to strings. Without a header it is a list of strings.
func (s Source) rows() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		text, err := s.text()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if err := s.eachRow(newRowReader(text, s.delimiter(), s.begin()), yield); err != nil {
			yield(Entry{}, err)
		}
	}
}

func (s Source) delimiter() rune {
	if s.Format == TSV {
		return '\t'
	}
	return cmp.Or(s.Delimiter, ',')
}

func (s Source) eachRow(reader *rowReader, yield func(Entry, error) bool) error {
	first, err := reader.read()
	for err == nil && len(first) == 1 && !reader.quoted && strings.TrimSpace(first[0]) == "" {
		first, err = reader.read()
	}
	if err == io.EOF {
		return s.empty()
	}
	if err != nil {
		return s.csvError(reader, err)
	}
	if err := s.otherDelimiter(first); err != nil {
		return bad(reader.begins[0], err)
	}
	var t *table
	row := first
	if s.NoHeader {
		t, err = newUnnamed(len(first), s.Key)
	} else {
		t, err = newTable(slices.Clone(first), s.Key)
		row = nil
	}
	if err != nil {
		return bad(reader.begins[0], err)
	}
	var entry Entry
	for {
		if row == nil {
			row, err = reader.read()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.csvError(reader, err)
		}
		if len(row) != t.columns {
			return bad(reader.begins[min(len(row)-1, t.columns)], t.anotherNumber(len(row)))
		}
		entry.Position = reader.begins[0]
		entry.Key = append(entry.Key[:0], row[t.key]...)
		wrong := 0
		if entry.Value, wrong = t.value(entry.Value[:0], row); wrong >= 0 {
			return bad(reader.begins[wrong], fmt.Errorf("column %s is not UTF-8", t.name(wrong)))
		}
		if !yield(entry, nil) {
			return nil
		}
		row = nil
	}
}

// csvError gives an error of the reader of rows its place.
func (s Source) csvError(reader *rowReader, err error) error {
	if slices.Contains([]error{errQuote, errBareQuote, errOpenQuote}, err) {
		return bad(reader.wrong, err)
	}
	return failed(reader.wrong, err)
}

// otherDelimiter returns an error where the first row is one column only since it is
// split at something else. Who says what the delimiter is knows.
func (s Source) otherDelimiter(first []string) error {
	if s.Delimiter != 0 || s.Format == TSV || len(first) != 1 {
		return nil
	}
	for _, delimiter := range []struct{ char, flag string }{{";", "';'"}, {"\t", "tab"}, {"|", "'|'"}} {
		if strings.Contains(first[0], delimiter.char) {
			what := "header"
			if s.NoHeader {
				what = "first row"
			}
			return fmt.Errorf("the %s is the one column %q: take --delimiter %s to split it, or --delimiter , if it is one",
				what, first[0], delimiter.flag)
		}
	}
	return nil
}

// table is what is known of all rows.
type table struct {
	columns int
	header  []string // nil where there is none
	key     int
	order   []int // of the other columns in a value: DAG-CBOR's order of map keys
}

func newTable(header []string, key string) (*table, error) {
	t := &table{columns: len(header), header: header}
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("column name %q is not UTF-8", name)
		}
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("two columns are named %q", name)
		}
	}
	if key != "" {
		if t.key = slices.Index(header, key); t.key < 0 {
			return nil, fmt.Errorf("there is no column %q: the header is %q", key, header)
		}
	}
	t.others()
	slices.SortFunc(t.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(header[a]), len(header[b])), cmp.Compare(header[a], header[b]))
	})
	if len(t.order) == 1 && header[t.order[0]] == "/" {
		return nil, fmt.Errorf(`a value with the one column "/" would read as a link`)
	}
	return t, nil
}

// newUnnamed makes a table without a header, whose key is a number from 1.
func newUnnamed(columns int, key string) (*table, error) {
	t := &table{columns: columns}
	if key != "" {
		n, err := strconv.Atoi(key)
		if err != nil || n < 1 || n > columns {
			return nil, fmt.Errorf("there is no column %q: without a header they are 1 to %d", key, columns)
		}
		t.key = n - 1
	}
	t.others()
	return t, nil
}

// others puts the columns that are not the key into order.
func (t *table) others() {
	for i := range t.columns {
		if i != t.key {
			t.order = append(t.order, i)
		}
	}
}

// name returns what a column is called.
func (t *table) name(column int) string {
	if t.header == nil {
		return strconv.Itoa(column + 1)
	}
	return strconv.Quote(t.header[column])
}

// anotherNumber is the error for a row of n columns.
func (t *table) anotherNumber(n int) error {
	what := "header"
	if t.header == nil {
		what = "first row"
	}
	return fmt.Errorf("the row has another number of columns (%d) than the %s (%d)", n, what, t.columns)
}

// value appends the value of a row in DAG-CBOR, or returns the column that is wrong:
// one that is not UTF-8. Else that is -1.
func (t *table) value(dst []byte, row []string) (value []byte, wrong int) {
	if t.header == nil {
		dst = dagjson.AppendListHead(dst, len(t.order))
	} else {
		dst = dagjson.AppendMapHead(dst, len(t.order))
	}
	for _, i := range t.order {
		if !utf8.ValidString(row[i]) {
			return nil, i
		}
		if t.header != nil {
			dst = dagjson.AppendText(dst, t.header[i])
		}
		dst = dagjson.AppendText(dst, row[i])
	}
	return dst, -1
}
