package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// appendEntry appends an entry as a line of ndjson.
func appendEntry(dst []byte, e adl.Entry) ([]byte, error) {
	dst = dagjson.AppendKey(append(dst, `{"key":`...), e.Key())
	dst, err := dagjson.FromCBOR(append(dst, `,"value":`...), e.Raw())
	return append(dst, '}'), err
}

// jsonMap is the formatter of one DAG-JSON map.
type jsonMap struct{ begun bool }

var errNoText = errors.New("the key is not UTF-8: ndjson and cbor say it")

func (j *jsonMap) entry(dst []byte, e adl.Entry) ([]byte, error) {
	if !utf8.Valid(e.Key()) {
		return dst, errNoText
	}
	before := ",\n"
	if !j.begun {
		before = "{\n"
	}
	j.begun = true
	dst = dagjson.AppendKey(append(dst, before...), e.Key())
	return dagjson.FromCBOR(append(dst, ':'), e.Raw())
}

func (j *jsonMap) end(dst []byte) []byte {
	if !j.begun {
		return append(dst, "{}\n"...)
	}
	return append(dst, "\n}\n"...)
}

// cborSequence is the formatter of a CBOR sequence.
type cborSequence struct{}

func (cborSequence) entry(dst []byte, e adl.Entry) ([]byte, error) {
	return dagjson.AppendPair(dst, e.Key(), e.Raw()), nil
}

func (cborSequence) end(dst []byte) []byte { return dst }

// csvTable is the formatter of a CSV.
type csvTable struct {
	columns []string // of the fields of values; nil where values have one column
	chosen  bool     // by the user, so that other fields are left out
	begun   bool
	cells   [][]byte // of one row
}

func newCSVTable(columns []string) (*csvTable, error) {
	for i, column := range columns {
		if slices.Contains(columns[:i], column) {
			return nil, usage("--columns has %q twice", column)
		}
	}
	return &csvTable{columns: columns, chosen: columns != nil}, nil
}

func (t *csvTable) entry(dst []byte, e adl.Entry) ([]byte, error) {
	if !t.begun {
		if err := t.begin(e); err != nil {
			return dst, err
		}
		dst = t.header(dst)
	}
	if !utf8.Valid(e.Key()) {
		return dst, errNoText
	}
	dst = appendCell(dst, e.Key(), t.columns != nil && len(t.columns) == 0)
	if t.columns == nil {
		cell, err := cellOf(e.Raw())
		return append(appendCell(append(dst, ','), cell, false), '\n'), err
	}
	clear(t.cells)
	isMap, err := dagjson.EachField(e.Raw(), func(name, value []byte) (err error) {
		i := slices.Index(t.columns, string(name))
		if i < 0 && t.chosen {
			return nil
		}
		if i < 0 {
			return fmt.Errorf("the value has a field %q, which the first value has not: --columns says which to print", name)
		}
		t.cells[i], err = cellOf(value)
		return err
	})
	if err == nil && !isMap {
		err = errors.New("the value is no map, as those before it are: ndjson says it")
	}
	for _, cell := range t.cells {
		dst = appendCell(append(dst, ','), cell, false)
	}
	return append(dst, '\n'), err
}

// begin takes the columns from the first value, unless they were chosen.
func (t *csvTable) begin(first adl.Entry) error {
	t.begun = true
	if !t.chosen {
		fields := []string{}
		isMap, err := dagjson.EachField(first.Raw(), func(name, _ []byte) error {
			fields = append(fields, string(name))
			return nil
		})
		if err != nil {
			return err
		}
		if isMap {
			t.columns = fields
		}
	}
	t.cells = make([][]byte, len(t.columns))
	return nil
}

// header appends the first row.
func (t *csvTable) header(dst []byte) []byte {
	// Columns have different names, that of the key, too.
	key := "key"
	for slices.Contains(t.columns, key) {
		key += "_"
	}
	dst = append(dst, key...)
	if t.columns == nil {
		return append(dst, ",value\n"...)
	}
	for _, column := range t.columns {
		dst = appendCell(append(dst, ','), []byte(column), false)
	}
	return append(dst, '\n')
}

func (t *csvTable) end(dst []byte) []byte {
	if t.begun {
		return dst
	}
	return t.header(dst)
}

// cellOf returns the text of a value in a CSV.
func cellOf(raw []byte) ([]byte, error) {
	if text, ok := dagjson.Content(raw); ok && !dagjson.IsBytes(raw) {
		if !utf8.Valid(text) {
			return nil, fmt.Errorf("%w: it is not UTF-8", dagjson.ErrNoForm)
		}
		return text, nil
	}
	if link, ok := dagjson.Link(raw); ok {
		return []byte(link), nil
	}
	text, err := dagjson.FromCBOR(nil, raw)
	if string(text) == "null" {
		return nil, err
	}
	return text, err
}

// appendCell appends the text of a cell, in quotes where it needs some: also an empty one
// that is alone in its row, which would be no row.
func appendCell(dst, text []byte, alone bool) []byte {
	plain := !bytes.ContainsAny(text, "\",\r\n") && (len(text) > 0 || !alone) &&
		strings.TrimSpace(string(text)) == string(text) && !bytes.HasPrefix(text, []byte("\ufeff"))
	if plain {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, b := range text {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}
