package input

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// rows reads CSV: a header, then an entry a row, the value a map from the names
// of the other columns to strings.
func (s Source) rows() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		text, err := s.text()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		reader := newRowReader(text, cmp.Or(s.Delimiter, ','))
		header, err := reader.read()
		for err == nil && len(header) == 1 && !reader.quoted && strings.TrimSpace(header[0]) == "" {
			header, err = reader.read()
		}
		if err == io.EOF {
			yield(Entry{}, s.empty())
			return
		}
		if err != nil {
			yield(Entry{}, s.csvError(reader, err))
			return
		}
		header = slices.Clone(header)
		table, err := newTable(header, s.KeyColumn)
		if other := s.otherDelimiter(header); other != nil {
			err = other
		}
		if err != nil {
			yield(Entry{}, s.At(reader.line, err))
			return
		}
		var entry Entry
		for {
			row, err := reader.read()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Entry{}, s.csvError(reader, err))
				return
			}
			if entry.Line = reader.line; len(row) != len(header) {
				yield(Entry{}, s.At(entry.Line, errors.New("the row has another number of columns than the header")))
				return
			}
			entry.Key = append(entry.Key[:0], row[table.key]...)
			if entry.Value, err = table.value(entry.Value[:0], row); err != nil {
				yield(Entry{}, s.At(entry.Line, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// csvError gives an error of the reader of rows its line.
func (s Source) csvError(reader *rowReader, err error) error {
	if slices.Contains([]error{errQuote, errBareQuote, errOpenQuote}, err) {
		return s.At(reader.at, err)
	}
	return s.failed(reader.at, err)
}

// otherDelimiter returns an error where the header is one column only since it is
// split at something else. Who says what the delimiter is knows.
func (s Source) otherDelimiter(header []string) error {
	if s.Delimiter != 0 || len(header) != 1 {
		return nil
	}
	for _, delimiter := range []struct{ char, flag string }{{";", "';'"}, {"\t", "tab"}, {"|", "'|'"}} {
		if strings.Contains(header[0], delimiter.char) {
			return fmt.Errorf("the header is the one column %q: take --delimiter %s to split it, or --delimiter , if it is one",
				header[0], delimiter.flag)
		}
	}
	return nil
}

// table is what the header says.
type table struct {
	header []string
	key    int
	order  []int // of the other columns, in DAG-CBOR's order of map keys
}

func newTable(header []string, keyColumn string) (*table, error) {
	t := &table{header: header}
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("column name %q is not UTF-8", name)
		}
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("two columns are named %q", name)
		}
	}
	if keyColumn != "" {
		if t.key = slices.Index(header, keyColumn); t.key < 0 {
			return nil, fmt.Errorf("there is no column %q: the header is %q", keyColumn, header)
		}
	}
	for i := range header {
		if i != t.key {
			t.order = append(t.order, i)
		}
	}
	slices.SortFunc(t.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(header[a]), len(header[b])), cmp.Compare(header[a], header[b]))
	})
	if len(t.order) == 1 && header[t.order[0]] == "/" {
		return nil, fmt.Errorf(`a value with the one column "/" would read as a link`)
	}
	return t, nil
}

// value appends the value of a row in DAG-CBOR.
func (t *table) value(dst []byte, row []string) ([]byte, error) {
	dst = dagjson.AppendMapHead(dst, len(t.order))
	for _, i := range t.order {
		if !utf8.ValidString(row[i]) {
			return nil, fmt.Errorf("column %q is not UTF-8", t.header[i])
		}
		dst = dagjson.AppendText(dagjson.AppendText(dst, t.header[i]), row[i])
	}
	return dst, nil
}
