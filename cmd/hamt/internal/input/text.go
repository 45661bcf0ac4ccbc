package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrEmpty is the error for input in which there is nothing: no line of ndjson, no
// JSON value, no header of a CSV. More often than an empty map it means that what
// should have written it has failed.
var ErrEmpty = errors.New("the input is empty")

func (s Source) empty() error { return fmt.Errorf("%s: %w", s.Name, ErrEmpty) }

// byteOrderMark is what some programs put in front of UTF-8.
const byteOrderMark = "\ufeff"

// peek returns what a stream begins with: n bytes where the first is one of those
// given, else that alone, since who waits for an answer to it sends no second.
func peek(r *bufio.Reader, n int, first string) []byte {
	head, _ := r.Peek(1) // an error comes again with the next read
	if len(head) > 0 && strings.IndexByte(first, head[0]) >= 0 {
		head, _ = r.Peek(n)
	}
	return head
}

// text returns the input decompressed and without the mark that some programs put
// in front of UTF-8. An error says that it is in UTF-16, which has such a mark of
// its own.
func (s Source) text() (*bufio.Reader, error) {
	reader, err := decompressed(s.Reader)
	if err != nil {
		return nil, failed(s.begin(), err)
	}
	mark := peek(reader, 3, "\xff\xfe\xef")
	switch {
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return nil, bad(s.begin(), errors.New("the input is in UTF-16: it has to be in UTF-8"))
	case bytes.Equal(mark, []byte(byteOrderMark)):
		_, err := reader.Discard(len(mark))
		return reader, err
	}
	return reader, nil
}
