package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// jsonEntries reads one map or, with a key field, one list of maps, an entry at a
// time.
//
// A map with one key "/" whose value is a string would be a link, and so no
// map; here it is the entry "/": what a file of entries means is not in doubt.
func (s Source) jsonEntries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		text, err := s.text()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		c := cutter{reader: text, at: s.begin()}
		err = s.entriesOf(&c, yield)
		if errors.Is(err, ErrEmpty) {
			yield(Entry{}, err)
		} else if err != nil {
			yield(Entry{}, failed(c.at, err))
		}
	}
}

// entriesOf visits the entries. Where it returns an error, the cutter is at what is
// wrong.
func (s Source) entriesOf(c *cutter, yield func(Entry, error) bool) error {
	first, err := c.skipSpace()
	if err == io.EOF {
		return s.empty()
	}
	if err != nil {
		return err
	}
	switch {
	case s.Key == "" && first == '[':
		return &dagjson.SyntaxError{What: "a list: --key FIELD says which field of its maps is the key"}
	case s.Key == "" && first != '{':
		return c.unexpected(first, "where the map should begin")
	case s.Key != "" && first == '{':
		return &dagjson.SyntaxError{What: "one map, whose keys are the keys: --key is for a list of maps"}
	case s.Key != "" && first != '[':
		return c.unexpected(first, "where the list should begin")
	}
	c.pass()
	what, end, next := "map", byte('}'), c.entry
	if s.Key != "" {
		what, end, next = "list", ']', func(e *Entry, first byte) error { return c.record(e, first, s.Key) }
	}
	var entry Entry
	for n := 0; ; n++ {
		char, err := c.skipSpace()
		if err != nil {
			return c.early(err, what)
		}
		if char == end && n == 0 {
			break
		}
		if err := next(&entry, char); err != nil {
			return c.early(err, what)
		}
		if !yield(entry, nil) {
			return nil
		}
		if char, err = c.skipSpace(); err != nil {
			return c.early(err, what)
		}
		if char == end {
			break
		}
		if char != ',' {
			return c.unexpected(char, "where a comma or the end of the "+what+" should be")
		}
		c.pass()
	}
	c.pass()
	if char, err := c.skipSpace(); err == nil {
		return c.unexpected(char, "after the end of the "+what)
	} else if err != io.EOF {
		return err
	}
	return nil
}

// cutter cuts the text of one JSON value after the other out of a stream.
type cutter struct {
	reader *bufio.Reader
	at     Position // of the next byte, or where skipSpace stopped of the one it returned
	text   []byte
	json   dagjson.Reader
}

// entry reads an entry of a map, which begins with the first byte of its key.
func (c *cutter) entry(e *Entry, first byte) error {
	if first != '"' {
		return c.unexpected(first, "where a map key should be")
	}
	e.Position = c.at
	if err := c.read(first, func() error {
		key, err := c.json.String()
		e.Key = append(e.Key[:0], key...)
		return err
	}); err != nil {
		return err
	}
	char, err := c.skipSpace()
	if err != nil {
		return err
	}
	if char != ':' {
		return c.unexpected(char, "where a colon should be")
	}
	c.pass()
	if char, err = c.skipSpace(); err != nil {
		return err
	}
	return c.read(char, func() (err error) {
		e.Value, err = c.json.Value(e.Value[:0])
		return err
	})
}

// record reads an element of a list of maps, of which one field is the key.
func (c *cutter) record(e *Entry, first byte, field string) error {
	if first != '{' {
		return c.unexpected(first, "where a map should begin")
	}
	e.Position = c.at
	return c.read(first, func() (err error) {
		e.Key, e.Value, err = c.json.Record(e.Value[:0], field)
		return err
	})
}

// skipSpace reads the next byte that is not white space, and stays at it.
func (c *cutter) skipSpace() (byte, error) {
	for {
		char, err := c.reader.ReadByte()
		if err != nil {
			return 0, err
		}
		switch char {
		case '\n':
			c.at = c.at.newLine()
		case ' ', '\t', '\r':
			c.pass()
		default:
			return char, nil
		}
	}
}

// pass goes past a byte that is no line end.
func (c *cutter) pass() { c.at.Column++ }

// early turns the end of the input into what is wrong with it there.
func (c *cutter) early(err error, what string) error {
	if err == io.EOF {
		return &dagjson.SyntaxError{What: "unexpected end within the " + what}
	}
	return err
}

func (c *cutter) unexpected(char byte, where string) error {
	return &dagjson.SyntaxError{What: fmt.Sprintf("unexpected %q %s", char, where)}
}

// read cuts out the value that begins with first and has it read. The cutter is
// then at an error or, without one, behind the value.
func (c *cutter) read(first byte, value func() error) error {
	from := c.at
	if err := c.cut(first); err != nil {
		c.at = from.after(c.text)
		return err
	}
	c.json.Reset(c.text)
	err := value()
	if err == nil {
		err = c.json.End()
	}
	text := c.text
	var syntax *dagjson.SyntaxError
	if errors.As(err, &syntax) {
		text = text[:min(syntax.Offset, len(text))]
	}
	c.at = from.after(text)
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
