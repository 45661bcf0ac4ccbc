package input

import (
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// Format is how entries are written.
type Format string

const (
	// NDJSON is a line {"key":K,"value":V} of DAG-JSON for each entry or, with a
	// key field, a map.
	NDJSON Format = "ndjson"
	// JSON is one DAG-JSON map, whose entries are the entries or, with a key field,
	// a list of maps.
	JSON Format = "json"
	// CSV has a header; one column is the key, the value is a map of the rest.
	CSV Format = "csv"
	// TSV is CSV with tabs for commas.
	TSV Format = "tsv"
)

// Columns reports whether a format is one of rows and columns.
func (f Format) Columns() bool { return f == CSV || f == TSV }

// extensions tell the format of a file by its name.
var extensions = map[string]Format{
	".ndjson": NDJSON, ".jsonl": NDJSON, ".json": JSON, ".csv": CSV, ".tsv": TSV, ".tab": TSV,
}

// FormatOf finds the format of a name, or with an empty name that of a file,
// by its extension, behind which that of a compressed file may stand. Standard
// input is ndjson.
func FormatOf(name, file string) (Format, error) {
	switch f := Format(strings.ToLower(name)); f {
	case NDJSON, JSON, CSV, TSV:
		return f, nil
	case "":
	default:
		return "", fmt.Errorf("there is no format %q: take ndjson, json, csv or tsv", name)
	}
	if file == "-" {
		return NDJSON, nil
	}
	base := strings.ToLower(file)
	if extension := filepath.Ext(base); slices.Contains([]string{".gz", ".zst"}, extension) {
		base = strings.TrimSuffix(base, extension)
	}
	if f, ok := extensions[filepath.Ext(base)]; ok {
		return f, nil
	}
	return "", fmt.Errorf("%s: its name does not tell the format: take --format ndjson, json, csv or tsv", file)
}

// Entry is one entry. Key and Value are valid until the next entry is asked for.
type Entry struct {
	Key   []byte
	Value []byte // in DAG-CBOR
	Position
}

// Source is a stream of data and how to read it.
type Source struct {
	Reader io.Reader
	Name   string // of the file, for errors
	Format Format
	// Key names the column or the field that is the key, or without a header counts
	// the columns from 1. Empty it is the first column; in ndjson and JSON lines or
	// entries are then what they are without.
	Key       string
	Delimiter rune // of columns in CSV; 0 for a comma, where the header has one
	NoHeader  bool // the first row of a CSV is an entry, and values are lists
}

// Entries reads all entries in their order. The iteration is over after an
// error, which wraps ErrEmpty where there is nothing at all.
func (s Source) Entries() iter.Seq2[Entry, error] {
	switch s.Format {
	case JSON:
		return s.jsonEntries()
	case CSV, TSV:
		return s.rows()
	}
	return s.lines()
}

// Entries reads the entries of all sources, one after the other. It goes on with the
// next source after an error that wraps ErrEmpty, if it is not broken off.
func Entries(sources []Source) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, s := range sources {
			for entry, err := range s.Entries() {
				if !yield(entry, err) {
					return
				}
			}
		}
	}
}

// maxText bounds what is held in memory at a time: a line, or an entry of a
// map. The largest block is a few MiB, and JSON needs up to six times a block.
const maxText = 64 << 20

func tooLong() error {
	return &dagjson.SyntaxError{What: fmt.Sprintf("more than %d MiB in one entry", maxText>>20)}
}
