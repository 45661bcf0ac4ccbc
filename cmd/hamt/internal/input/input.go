package input

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// Format is how entries are written.
type Format string

const (
	// NDJSON is a line {"key":K,"value":V} of DAG-JSON for each entry.
	NDJSON Format = "ndjson"
	// JSON is one DAG-JSON map, whose entries are the entries.
	JSON Format = "json"
	// CSV has a header; one column is the key, the value is a map of the rest.
	CSV Format = "csv"
)

// FormatOf finds the format of a name, or with an empty name that of a file,
// by its extension. Standard input is ndjson.
func FormatOf(name, file string) (Format, error) {
	switch f := Format(strings.ToLower(name)); f {
	case NDJSON, JSON, CSV:
		return f, nil
	case "":
	default:
		return "", fmt.Errorf("there is no format %q: take ndjson, json or csv", name)
	}
	if file == "-" {
		return NDJSON, nil
	}
	switch strings.ToLower(filepath.Ext(file)) {
	case ".ndjson", ".jsonl":
		return NDJSON, nil
	case ".json":
		return JSON, nil
	case ".csv":
		return CSV, nil
	}
	return "", fmt.Errorf("%s: its name does not tell the format: take --format ndjson, json or csv", file)
}

// Entry is one entry. Key and Value are valid until the next entry is asked for.
type Entry struct {
	Key   []byte
	Value []byte // in DAG-CBOR
	Line  int    // where it begins, from 1
}

// Source is a stream of data and how to read it.
type Source struct {
	Reader    io.Reader
	Name      string // of the file, for errors
	Format    Format
	KeyColumn string // in CSV; empty for the first
	Delimiter rune   // of columns in CSV; 0 for a comma, where the header has one
}

// Entries reads all entries in their order. The iteration is over after an
// error, which wraps ErrEmpty where there is nothing at all.
func (s Source) Entries() iter.Seq2[Entry, error] {
	switch s.Format {
	case JSON:
		return s.mapEntries()
	case CSV:
		return s.rows()
	}
	return s.lines()
}

// Error is something wrong in the input.
type Error struct {
	Name string
	Line int
	Err  error
}

// Error is FILE:LINE: and what is wrong.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %v", e.Name, e.Line, e.Err) }

// Unwrap gives what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// At says in which line something is wrong.
func (s Source) At(line int, err error) error { return &Error{s.Name, line, err} }

// failed is At for what may be wrong with reading, too: that is no fault of
// the input, and goes on as it is.
func (s Source) failed(line int, err error) error {
	if errors.As(err, new(*dagjson.SyntaxError)) {
		return s.At(line, err)
	}
	return fmt.Errorf("%s: %w", s.Name, err)
}

// maxText bounds what is held in memory at a time: a line, or an entry of a
// map. The largest block is a few MiB, and JSON needs up to six times a block.
const maxText = 64 << 20

func tooLong() error {
	return &dagjson.SyntaxError{What: fmt.Sprintf("more than %d MiB in one entry", maxText>>20)}
}
