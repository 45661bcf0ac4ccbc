package input

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrEmpty is the error for input in which there is nothing: no line of ndjson, no
// JSON value, no header of a CSV. More often than an empty map it means that what
// should have written it has failed.
var ErrEmpty = errors.New("the input is empty")

func (s Source) empty() error { return fmt.Errorf("%s: %w", s.Name, ErrEmpty) }

// byteOrderMark is what some programs put in front of UTF-8.
const byteOrderMark = "\ufeff"

// beginning returns the one of texts that a stream begins with, or "". It asks for no
// more bytes than may yet be of one, since who waits for an answer sends no more.
func beginning(r *bufio.Reader, texts ...string) string {
	for n := 1; ; n++ {
		head, _ := r.Peek(n) // an error comes again with the next read
		texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool {
			return len(head) < n || !strings.HasPrefix(text, string(head))
		})
		switch {
		case len(texts) == 0:
			return ""
		case len(texts[0]) == n:
			return texts[0]
		}
	}
}

// text returns the input decompressed and without the mark that some programs put
// in front of UTF-8. An error says that it is in UTF-16, which has such a mark of
// its own.
func (s Source) text() (*bufio.Reader, error) {
	reader, err := decompressed(s.Reader)
	if err != nil {
		return nil, failed(s.begin(), err)
	}
	switch mark := beginning(reader, "\xff\xfe", "\xfe\xff", byteOrderMark); mark {
	case byteOrderMark:
		_, err := reader.Discard(len(mark))
		return reader, err
	case "":
	default:
		return nil, bad(s.begin(), errors.New("the input is in UTF-16: it has to be in UTF-8"))
	}
	return reader, nil
}
