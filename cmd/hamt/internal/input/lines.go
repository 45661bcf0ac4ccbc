package input

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// eachLine visits the lines that are not blank. The text is valid until the
// next.
func (s Source) eachLine() iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		reader, err := s.text()
		if err != nil {
			yield(line{}, err)
			return
		}
		var long []byte
		for n := 1; ; n++ {
			text, err := reader.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				long, err = readLong(reader, append(long[:0], text...))
				text = long
			}
			if err != nil && err != io.EOF {
				yield(line{}, s.failed(n, err))
				return
			}
			if len(bytes.TrimSpace(text)) > 0 && !yield(line{text, n}, nil) {
				return
			}
			if err == io.EOF {
				return
			}
		}
	}
}

type line struct {
	text   []byte
	number int
}

// readLong reads the rest of a line that is longer than the reader's buffer.
func readLong(reader *bufio.Reader, text []byte) ([]byte, error) {
	for {
		part, err := reader.ReadSlice('\n')
		if len(text)+len(part) > maxText {
			return nil, tooLong()
		}
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
	}
}

// lines reads ndjson.
func (s Source) lines() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var record record
		empty := true
		for line, err := range s.eachLine() {
			empty = false
			if err == nil {
				err = s.inLine(line, record.read(line.text, false))
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(Entry{record.key, record.value, line.number}, nil) {
				return
			}
		}
		if empty {
			yield(Entry{}, s.empty())
		}
	}
}

// inLine adds the line to an error, and the column where it is known.
func (s Source) inLine(l line, err error) error {
	if err == nil {
		return nil
	}
	var syntax *dagjson.SyntaxError
	if errors.As(err, &syntax) {
		return s.At(l.number, atColumn{syntax, syntax.Offset + 1})
	}
	return s.At(l.number, err)
}

type atColumn struct {
	error
	column int
}

func (e atColumn) Error() string { return fmtColumn(e.error, e.column) }
func (e atColumn) Unwrap() error { return e.error }
