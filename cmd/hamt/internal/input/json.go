package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// mapEntries reads one map, an entry at a time.
//
// A map with one key "/" whose value is a string would be a link, and so no
// map; here it is the entry "/": what a file of entries means is not in doubt.
func (s Source) mapEntries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		text, err := s.text()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		cutter := cutter{reader: text, line: 1}
		if err := s.entriesOf(&cutter, yield); errors.Is(err, ErrEmpty) {
			yield(Entry{}, err)
		} else if err != nil {
			yield(Entry{}, s.failed(cutter.line, err))
		}
	}
}

func (s Source) entriesOf(c *cutter, yield func(Entry, error) bool) error {
	first, err := c.skipSpace()
	if err == io.EOF {
		return s.empty()
	}
	if err != nil {
		return err
	}
	if first != '{' {
		return c.unexpected(first, "where the map should begin")
	}
	var reader dagjson.Reader
	var entry Entry
	for n := 0; ; n++ {
		char, err := c.skipSpace()
		if err != nil {
			return c.early(err)
		}
		if char == '}' && n == 0 {
			break
		}
		if char != '"' {
			return c.unexpected(char, "where a map key should be")
		}
		entry.Line = c.line
		if err := c.read(&reader, char, func() error {
			key, err := reader.String()
			entry.Key = append(entry.Key[:0], key...)
			return err
		}); err != nil {
			return err
		}
		if char, err = c.skipSpace(); err != nil {
			return c.early(err)
		}
		if char != ':' {
			return c.unexpected(char, "where a colon should be")
		}
		if char, err = c.skipSpace(); err != nil {
			return c.early(err)
		}
		if err := c.read(&reader, char, func() (err error) {
			entry.Value, err = reader.Value(entry.Value[:0])
			return err
		}); err != nil {
			return err
		}
		if !yield(entry, nil) {
			return nil
		}
		if char, err = c.skipSpace(); err != nil {
			return c.early(err)
		}
		if char == '}' {
			break
		}
		if char != ',' {
			return c.unexpected(char, "where a comma or the end of the map should be")
		}
	}
	if char, err := c.skipSpace(); err == nil {
		return c.unexpected(char, "after the end of the map")
	} else if err != io.EOF {
		return err
	}
	return nil
}

// cutter cuts the text of one JSON value after the other out of a stream.
type cutter struct {
	reader *bufio.Reader
	line   int
	text   []byte
}

// skipSpace reads the next byte that is not white space.
func (c *cutter) skipSpace() (byte, error) {
	for {
		char, err := c.reader.ReadByte()
		if err != nil {
			return 0, err
		}
		switch char {
		case '\n':
			c.line++
		case ' ', '\t', '\r':
		default:
			return char, nil
		}
	}
}

// early turns the end of the input into what is wrong with it there.
func (c *cutter) early(err error) error {
	if err == io.EOF {
		return &dagjson.SyntaxError{What: "unexpected end within the map"}
	}
	return err
}

func (c *cutter) unexpected(char byte, where string) error {
	return &dagjson.SyntaxError{What: fmt.Sprintf("unexpected %q %s", char, where)}
}

// read cuts out the value that begins with first and has it read. The line is
// the right one for an error, and behind the value without one.
func (c *cutter) read(reader *dagjson.Reader, first byte, value func() error) error {
	if err := c.cut(first); err != nil {
		return c.early(err)
	}
	reader.Reset(c.text)
	err := value()
	if err == nil {
		err = reader.End()
	}
	var syntax *dagjson.SyntaxError
	if errors.As(err, &syntax) {
		c.line += bytes.Count(c.text[:min(syntax.Offset, len(c.text))], []byte("\n"))
		return err
	}
	c.line += bytes.Count(c.text, []byte("\n"))
	return err
}

// cut finds the end of a value by its quotes and brackets alone; whether what
// is between them is well-formed, the reader of the text finds.
func (c *cutter) cut(first byte) error {
	c.text = append(c.text[:0], first)
	switch first {
	case '"':
		return c.cutString()
	case '{', '[':
		return c.cutCollection()
	}
	for {
		char, err := c.reader.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch char {
		case ',', '}', ']', ':', ' ', '\t', '\r', '\n':
			return c.reader.UnreadByte()
		}
		if err := c.add(char); err != nil {
			return err
		}
	}
}

func (c *cutter) cutString() error {
	for escaped := false; ; {
		char, err := c.reader.ReadByte()
		if err != nil {
			return err
		}
		if err := c.add(char); err != nil {
			return err
		}
		switch {
		case escaped:
			escaped = false
		case char == '\\':
			escaped = true
		case char == '"':
			return nil
		}
	}
}

func (c *cutter) cutCollection() error {
	for depth := 1; depth > 0; {
		char, err := c.reader.ReadByte()
		if err != nil {
			return err
		}
		if err := c.add(char); err != nil {
			return err
		}
		switch char {
		case '"':
			if err := c.cutString(); err != nil {
				return err
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	return nil
}

func (c *cutter) add(char byte) error {
	if len(c.text) >= maxText {
		return tooLong()
	}
	c.text = append(c.text, char)
	return nil
}
