package input

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
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
				yield(line{}, failed(Position{s.Name, n, 1}, err))
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

// Lines visits the lines that are not blank, without their ends. They are valid until
// the next. The iteration is over after an error.
func (s Source) Lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for line, err := range s.eachLine() {
			text := bytes.TrimSuffix(bytes.TrimSuffix(line.text, []byte("\n")), []byte("\r"))
			if !yield(text, err) || err != nil {
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

// begin is where what is not blank in a line begins.
func (s Source) beginOf(l line) Position {
	return Position{s.Name, l.number, 1 + len(l.text) - len(bytes.TrimLeft(l.text, " \t\r"))}
}

// lines reads ndjson.
func (s Source) lines() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var record record
		empty := true
		for line, err := range s.eachLine() {
			empty = false
			if err == nil && s.Key != "" {
				err = record.readKeyed(line.text, s.Key)
				err = s.inLine(line, err)
			} else if err == nil {
				err = record.read(line.text, false)
				err = s.inLine(line, err)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(Entry{record.key, record.value, s.beginOf(line)}, nil) {
				return
			}
		}
		if empty {
			yield(Entry{}, s.empty())
		}
	}
}

// inLine adds the place to an error of the reader of a line.
func (s Source) inLine(l line, err error) error {
	if err == nil {
		return nil
	}
	return In(bytes.TrimRight(l.text, "\r\n"), Position{s.Name, l.number, 1}, err)
}
