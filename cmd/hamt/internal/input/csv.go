package input

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// rows reads CSV: a header, then an entry a row, the value a map from the names
// of the other columns to strings.
func (s Source) rows() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		reader := csv.NewReader(withoutBOM(s.Reader))
		reader.ReuseRecord = true
		header, err := reader.Read()
		if err == io.EOF {
			return // empty input is the empty map
		}
		if err != nil {
			yield(Entry{}, s.csvError(reader, err))
			return
		}
		table, err := newTable(slices.Clone(header), s.KeyColumn)
		if err != nil {
			yield(Entry{}, s.At(1, err))
			return
		}
		var entry Entry
		for {
			row, err := reader.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Entry{}, s.csvError(reader, err))
				return
			}
			entry.Line, _ = reader.FieldPos(0)
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

// csvError gives an error of the CSV reader its line.
func (s Source) csvError(reader *csv.Reader, err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		line, _ := reader.FieldPos(0)
		return s.At(line, fmt.Errorf("the row has another number of columns than the header"))
	case errors.As(err, &parse):
		return s.At(parse.Line, parse.Err)
	}
	return s.failed(0, err)
}

// withoutBOM drops the mark that spreadsheets put in front of UTF-8.
func withoutBOM(r io.Reader) io.Reader {
	reader := bufio.NewReaderSize(r, 64<<10)
	if begin, err := reader.Peek(3); err == nil && bytes.Equal(begin, []byte("\ufeff")) {
		_, _ = reader.Discard(3) // was peeked, so it is there
	}
	return reader
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
