package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// rowReader reads the rows of a CSV. It differs from encoding/csv's reader in
// what that takes for granted: what is between quotes stays as it is, CR LF too,
// and lines may end in CR alone. Everything else agrees, which a differential fuzz
// test holds: blank lines are no rows, a quote within quotes is two, and neither
// stands in a field without quotes.
//
// Lines end in CR alone where the first line does; else a CR that no LF follows is
// a character of its field.
type rowReader struct {
	in        *bufio.Reader
	delimiter rune

	first bool     // the first line end is still to come
	cr    bool     // CR alone ends a line
	at    Position // of what is read next
	wrong Position // of what there is an error about

	text   []byte     // of all fields of the row
	ends   []int      // of the fields, in text
	begins []Position // of the fields, where they have quotes of those
	fields []string
	quoted bool // some field of the row had quotes
}

func newRowReader(in *bufio.Reader, delimiter rune, begin Position) *rowReader {
	return &rowReader{in: in, delimiter: delimiter, first: true, at: begin}
}

var (
	errBareQuote = errors.New(`a quote (") in a field that does not begin with one`)
	errQuote     = errors.New(`a quote (") in a quoted field that is not doubled`)
	errOpenQuote = errors.New(`a quote (") that nothing closes`)
)

// endOf are the ends of a field.
type endOf uint8

const (
	endField endOf = iota
	endRow
	endInput
)

// read returns the next row, valid until the next call; io.EOF at the end.
func (r *rowReader) read() ([]string, error) {
	for {
		r.text, r.ends, r.begins, r.quoted = r.text[:0], r.ends[:0], r.begins[:0], false
		end, err := r.field()
		for err == nil && end == endField {
			end, err = r.field()
		}
		if err != nil {
			return nil, err
		}
		if blank := len(r.ends) == 1 && len(r.text) == 0 && !r.quoted; !blank {
			break
		}
		if end == endInput {
			return nil, io.EOF
		}
	}
	all, begin := string(r.text), 0
	r.fields = r.fields[:0]
	for _, end := range r.ends {
		r.fields = append(r.fields, all[begin:end])
		begin = end
	}
	return r.fields, nil
}

// next reads a character, and says how many bytes it has. What there may be an
// error about is where it begins.
func (r *rowReader) next() (char rune, size int, err error) {
	r.wrong = r.at
	char, size, err = r.in.ReadRune()
	r.at.Column += size
	return char, size, err
}

// newLine is to be called behind the end of a line.
func (r *rowReader) newLine() { r.at = r.at.newLine() }

// field reads one field into text, and what ends it.
func (r *rowReader) field() (endOf, error) {
	r.begins = append(r.begins, r.at)
	char, size, err := r.next()
	if err == nil && char == '"' {
		r.quoted = true
		return r.quotedField()
	}
	for ; err == nil; char, size, err = r.next() {
		switch end, is, err := r.end(char); {
		case err != nil:
			return 0, err
		case is:
			r.ends = append(r.ends, len(r.text))
			return end, nil
		case char == '"':
			return 0, errBareQuote
		}
		if err := r.add(char, size); err != nil {
			return 0, err
		}
	}
	r.ends = append(r.ends, len(r.text))
	return endInput, notEOF(err)
}

// quotedField reads a field behind its first quote.
func (r *rowReader) quotedField() (endOf, error) {
	opened := r.wrong
	for {
		char, size, err := r.next()
		if err == io.EOF {
			r.wrong = opened // where to look for it
			return 0, errOpenQuote
		}
		if err != nil {
			return 0, err
		}
		if char == '"' {
			quote := r.wrong
			char, size, err = r.next()
			if err != nil {
				r.ends = append(r.ends, len(r.text))
				return endInput, notEOF(err)
			}
			if char != '"' {
				end, is, err := r.end(char)
				if err == nil && !is {
					r.wrong, err = quote, errQuote
				}
				r.ends = append(r.ends, len(r.text))
				return end, err
			}
		}
		if err := r.add(char, size); err != nil {
			return 0, err
		}
		if char == '\n' || char == '\r' && !r.followedByLF() {
			r.newLine()
		}
	}
}

// end reports whether a character outside quotes ends a field, and which end that
// is.
func (r *rowReader) end(char rune) (end endOf, is bool, err error) {
	switch char {
	case r.delimiter:
		return endField, true, nil
	case '\r':
		lf := r.followedByLF()
		if lf {
			_, _ = r.in.Discard(1) // was peeked, so it is there
		} else if _, err := r.in.Peek(1); !r.cr && !r.first && !errors.Is(err, io.EOF) {
			return 0, false, nil
		}
		if r.first {
			r.first, r.cr = false, !lf
		}
	case '\n':
		r.first = false
	default:
		return 0, false, nil
	}
	r.newLine()
	return endRow, true, nil
}

func (r *rowReader) followedByLF() bool {
	next, err := r.in.Peek(1)
	return err == nil && next[0] == '\n'
}

// add appends a character; a byte that is no UTF-8 stays what it is.
func (r *rowReader) add(char rune, size int) error {
	if len(r.text) >= maxText {
		return tooLong()
	}
	if char == utf8.RuneError && size == 1 {
		if err := r.in.UnreadRune(); err != nil {
			return err
		}
		b, err := r.in.ReadByte()
		r.text = append(r.text, b)
		return err
	}
	r.text = utf8.AppendRune(r.text, char)
	return nil
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Delimiter reads how a delimiter is written: a character, or "tab".
func Delimiter(text string) (rune, error) {
	if text == "tab" || text == `\t` {
		return '\t', nil
	}
	char, size := utf8.DecodeRuneInString(text)
	if size == 0 || size != len(text) || char == utf8.RuneError || slices.Contains([]rune("\"\r\n"), char) {
		return 0, fmt.Errorf("it is not one character, or tab")
	}
	return char, nil
}
