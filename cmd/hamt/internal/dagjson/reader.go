package dagjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ipfs/go-cid"
)

// maxDepth is how deep collections nest at most; go-ipld-prime's codecs stop
// there too.
const maxDepth = 1024

// Reader reads DAG-JSON from text in memory. It is strict: what RFC 8259 does
// not allow is an error, and so are text that is not UTF-8, half a surrogate
// pair, and a map with a repeated key.
type Reader struct {
	text    []byte
	at      int
	scratch []byte // of strings with escapes
	key     []byte // of keys that are bytes
}

// SyntaxError says what is wrong with a text, and where.
type SyntaxError struct {
	What   string
	Offset int // in bytes
}

func (e *SyntaxError) Error() string { return e.What }

func fail(offset int, format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...), offset}
}

// NewReader makes a reader of text.
func NewReader(text []byte) *Reader { return &Reader{text: text} }

// Reset makes the reader go on with another text.
func (r *Reader) Reset(text []byte) { r.text, r.at = text, 0 }

// ToCBOR appends the DAG-CBOR form of the one value in text.
func ToCBOR(dst, text []byte) ([]byte, error) {
	r := NewReader(text)
	dst, err := r.Value(dst)
	if err != nil {
		return dst, err
	}
	return dst, r.End()
}

// End reports anything but white space in the rest of the text.
func (r *Reader) End() error {
	if r.peek() != 0 || r.at < len(r.text) {
		return r.unexpected("after the end of the value")
	}
	return nil
}

// Fields reads a map whose keys have a meaning: for each, field is called and
// has to read the value. A repeated key is an error. Another error than a
// SyntaxError that field returns becomes one that names the place of the key.
func (r *Reader) Fields(field func(name string) error) error {
	if r.peek() != '{' {
		return r.unexpected("where a map should begin")
	}
	r.at++
	var seen []string
	for n := 0; ; n++ {
		more, err := r.next(n, '}')
		if err != nil || !more {
			return err
		}
		begin := r.at
		name, err := r.mapKey()
		if err != nil {
			return err
		}
		if slices.Contains(seen, string(name)) {
			return fail(begin, "repeated field %q", name)
		}
		seen = append(seen, string(name))
		if err := field(seen[n]); err != nil && !errors.As(err, new(*SyntaxError)) {
			return fail(begin, "%v", err)
		} else if err != nil {
			return err
		}
	}
}

// String reads a string. The result is valid until the next call.
func (r *Reader) String() ([]byte, error) {
	if r.peek() != '"' {
		return nil, r.unexpected("where a string should be")
	}
	return r.str()
}

// Key reads the key of an entry: a string, or bytes in their DAG-JSON form.
// The result is valid until the next call.
func (r *Reader) Key() ([]byte, error) {
	switch r.peek() {
	case '"':
		return r.str()
	case '{':
		begin := r.at
		raw, err := r.Value(r.key[:0])
		if err != nil {
			return nil, err
		}
		r.key = raw
		if major, _, next := head(raw, 0); major == majorBytes {
			return raw[next:], nil
		}
		return nil, fail(begin, "a map or a link where a key should be")
	}
	return nil, r.unexpected("where a key should be: a string, or bytes")
}

// Bytes reads bytes. The result is valid until the next call.
func (r *Reader) Bytes() ([]byte, error) {
	if r.peek() != '{' {
		return nil, r.unexpected("where bytes should be")
	}
	return r.Key()
}

// Value appends the DAG-CBOR form of the next value.
func (r *Reader) Value(dst []byte) ([]byte, error) { return r.value(dst, 0) }

func (r *Reader) value(dst []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fail(r.at, "nesting deeper than %d", maxDepth)
	}
	switch c := r.peek(); {
	case c == '{':
		r.at++
		return r.mapValue(dst, depth, nil)
	case c == '[':
		r.at++
		return r.list(dst, depth)
	case c == '"':
		s, err := r.str()
		if err != nil {
			return dst, err
		}
		return append(appendHead(dst, majorString, uint64(len(s))), s...), nil
	case c == 'n':
		return r.word(dst, "null", simpleNull)
	case c == 't':
		return r.word(dst, "true", simpleTrue)
	case c == 'f':
		return r.word(dst, "false", simpleFalse)
	case c == '-' || '0' <= c && c <= '9':
		return r.number(dst)
	}
	return dst, r.unexpected("where a value should be")
}

func (r *Reader) list(dst []byte, depth int) ([]byte, error) {
	begin, n := len(dst), 0
	for ; ; n++ {
		more, err := r.next(n, ']')
		if err != nil {
			return dst, err
		}
		if !more {
			break
		}
		if dst, err = r.value(dst, depth+1); err != nil {
			return dst, err
		}
	}
	return insertHead(dst, begin, majorList, n), nil
}

// field is an entry of a map that is being read: where its key and value
// stand in the DAG-CBOR.
type field struct{ from, value, to int }

// apart is a field that is kept out of the map in which it stands.
type apart struct {
	name  string
	found bool
	at    int    // where its value begins
	value []byte // in DAG-CBOR
}

func (r *Reader) mapValue(dst []byte, depth int, out *apart) ([]byte, error) {
	begin := len(dst)
	var room [8]field
	fields := room[:0]
	for n := 0; ; n++ {
		more, err := r.next(n, '}')
		if err != nil {
			return dst, err
		}
		if !more {
			break
		}
		at := r.at
		key, err := r.mapKey()
		if err != nil {
			return dst, err
		}
		if out != nil && string(key) == out.name {
			if out.found {
				return dst, fail(at, "repeated map key %q", key)
			}
			r.peek()
			out.found, out.at = true, r.at
			if out.value, err = r.value(out.value[:0], depth+1); err != nil {
				return dst, err
			}
			continue
		}
		f := field{from: len(dst)}
		dst = append(appendHead(dst, majorString, uint64(len(key))), key...)
		f.value = len(dst)
		if dst, err = r.value(dst, depth+1); err != nil {
			return dst, err
		}
		f.to = len(dst)
		fields = append(fields, f)
	}
	if len(fields) == 1 && string(dst[begin:fields[0].value]) == slashKey {
		special, is, err := slash(dst[fields[0].value:])
		if out != nil && (is || err != nil) {
			return dst, fail(r.at-1, `a value with the one field "/" would read as a link, or as bytes`)
		}
		if err != nil {
			return dst, fail(r.at, "%v", err)
		}
		if is {
			return append(dst[:begin], special...), nil
		}
	}
	dst, err := sortFields(dst, begin, fields)
	if err != nil {
		return dst, fail(r.at, "%v", err)
	}
	return insertHead(dst, begin, majorMap, len(fields)), nil
}

// Record reads a map of which one field, named by keyField, is the key of an entry:
// a string, bytes or an integer, which is written in decimal digits. It appends the
// DAG-CBOR form of the map of the other fields to dst. The key is valid until the
// next call.
func (r *Reader) Record(dst []byte, keyField string) (key, value []byte, err error) {
	if r.peek() != '{' {
		return nil, dst, r.unexpected("where a map should begin")
	}
	begin := r.at
	r.at++
	out := apart{name: keyField, value: r.key}
	dst, err = r.mapValue(dst, 0, &out)
	r.key = out.value
	switch {
	case err != nil:
		return nil, dst, err
	case !out.found:
		return nil, dst, fail(begin, "field %q is missing, which is the key", keyField)
	}
	major, n, next := head(out.value, 0)
	switch major {
	case majorString, majorBytes:
		return out.value[next:], dst, nil
	case majorUint:
		r.key = strconv.AppendUint(r.key[:0], n, 10)
	case majorNegInt:
		r.key = strconv.AppendInt(r.key[:0], -1-int64(n), 10)
	default:
		return nil, dst, fail(out.at, "field %q is no key: a key is a string, bytes or an integer", keyField)
	}
	return r.key, dst, nil
}

// slashKey is the key "/" in DAG-CBOR: alone in a map, it makes the map a link
// or bytes.
const slashKey = "\x61/"

// slash gives the DAG-CBOR of {"/": value}, if that is a link or bytes.
func slash(value []byte) (dagCBOR []byte, is bool, err error) {
	major, n, next := head(value, 0)
	switch {
	case major == majorString:
		c, err := cid.Decode(string(value[next:]))
		if err != nil {
			return nil, true, fmt.Errorf("link %q is not a CID: %w", value[next:], err)
		}
		return AppendLink(nil, c.Bytes()), true, nil
	case major == majorMap && n == 1 && bytes.HasPrefix(value[next:], []byte("\x65bytes")):
		inner := value[next+len("\x65bytes"):]
		major, _, next := head(inner, 0)
		if major != majorString {
			return nil, false, nil
		}
		// DAG-JSON has no padding; go-ipld-prime takes it all the same.
		b, err := base64.RawStdEncoding.Strict().DecodeString(string(bytes.TrimRight(inner[next:], "=")))
		if err != nil {
			return nil, true, fmt.Errorf("bytes are not in base64: %w", err)
		}
		return append(appendHead(nil, majorBytes, uint64(len(b))), b...), true, nil
	}
	return nil, false, nil
}

// sortFields brings the fields that begin at begin into DAG-CBOR's order:
// shorter keys first, then by bytes. In the encoded form that is the order of
// the bytes, since the length stands in front.
func sortFields(dst []byte, begin int, fields []field) ([]byte, error) {
	compare := func(a, b field) int { return bytes.Compare(dst[a.from:a.value], dst[b.from:b.value]) }
	sorted := true
	for i := 1; i < len(fields) && sorted; i++ {
		sorted = compare(fields[i-1], fields[i]) < 0
	}
	if sorted {
		return dst, nil
	}
	slices.SortFunc(fields, compare)
	for i := 1; i < len(fields); i++ {
		if compare(fields[i-1], fields[i]) == 0 {
			_, _, next := head(dst, fields[i].from)
			return dst, fmt.Errorf("repeated map key %q", dst[next:fields[i].value])
		}
	}
	unsorted := bytes.Clone(dst[begin:])
	dst = dst[:begin]
	for _, f := range fields {
		dst = append(dst, unsorted[f.from-begin:f.to-begin]...)
	}
	return dst, nil
}

// mapKey reads a key and the colon behind it.
func (r *Reader) mapKey() ([]byte, error) {
	if r.peek() != '"' {
		return nil, r.unexpected("where a map key should be")
	}
	key, err := r.str()
	if err != nil {
		return nil, err
	}
	if r.peek() != ':' {
		return nil, r.unexpected("where a colon should be")
	}
	r.at++
	return key, nil
}

// next says whether there is another element in a collection that has had n,
// and goes past the comma or the end.
func (r *Reader) next(n int, end byte) (more bool, err error) {
	switch c := r.peek(); {
	case c == end:
		r.at++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		r.at++
		if r.peek() == end {
			return false, r.unexpected("after a comma")
		}
		return true, nil
	}
	return false, r.unexpected("where a comma or the end of the collection should be")
}

// peek goes past white space and gives the byte behind it, 0 at the end.
func (r *Reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (r *Reader) unexpected(where string) error {
	if r.at >= len(r.text) {
		return fail(r.at, "unexpected end %s", where)
	}
	c, _ := utf8.DecodeRune(r.text[r.at:])
	return fail(r.at, "unexpected %q %s", c, where)
}

func (r *Reader) word(dst []byte, word string, simple byte) ([]byte, error) {
	if !bytes.HasPrefix(r.text[r.at:], []byte(word)) {
		return dst, r.unexpected("where a value should be")
	}
	r.at += len(word)
	return append(dst, simple), nil
}

// number reads a number: an integer unless it has a fraction or an exponent.
func (r *Reader) number(dst []byte) ([]byte, error) {
	begin := r.at
	digits := func() (n int) {
		for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
			r.at++
			n++
		}
		return n
	}
	is := func(any string) bool {
		return r.at < len(r.text) && bytes.IndexByte([]byte(any), r.text[r.at]) >= 0
	}
	if is("-") {
		r.at++
	}
	zero, whole := is("0"), digits()
	if whole == 0 || zero && whole > 1 {
		return dst, fail(begin, "malformed number")
	}
	float := false
	if is(".") {
		float = true
		r.at++
		if digits() == 0 {
			return dst, fail(begin, "malformed number")
		}
	}
	if is("eE") {
		float = true
		r.at++
		if is("+-") {
			r.at++
		}
		if digits() == 0 {
			return dst, fail(begin, "malformed number")
		}
	}
	text := string(r.text[begin:r.at])
	if float {
		f, err := strconv.ParseFloat(text, 64)
		// What is too small is no zero, although ParseFloat and go-ipld-prime make it one.
		mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
		if err != nil || f == 0 && strings.ContainsAny(mantissa, "123456789") {
			return dst, fail(begin, "number %s is out of range", text)
		}
		return appendFloat(dst, f), nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		if i < 0 {
			return appendHead(dst, majorNegInt, uint64(-1-i)), nil
		}
		return appendHead(dst, majorUint, uint64(i)), nil
	}
	// DAG-CBOR reaches further up than int64, and so does go-ipld-prime's
	// UintNode. Further down it would, but no Node can hold it.
	u, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return dst, fail(begin, "integer %s is not from %d to %d", text, int64(math.MinInt64), uint64(math.MaxUint64))
	}
	return appendHead(dst, majorUint, u), nil
}

// str reads a string whose opening quote is next. The result is valid until
// the next call.
func (r *Reader) str() ([]byte, error) {
	r.at++
	begin := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			s := r.text[begin:r.at]
			r.at++
			if !utf8.Valid(s) {
				return nil, fail(begin, "a string is not UTF-8")
			}
			return s, nil
		case c == '\\':
			return r.escaped(begin)
		case c < ' ':
			return nil, r.unexpected("in a string")
		}
		r.at++
	}
	return nil, r.unexpected("in a string")
}

// escaped goes on with a string in which there is an escape.
func (r *Reader) escaped(begin int) ([]byte, error) {
	s := append(r.scratch[:0], r.text[begin:r.at]...)
	defer func() { r.scratch = s[:0] }()
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			if !utf8.Valid(s) {
				return nil, fail(begin, "a string is not UTF-8")
			}
			return s, nil
		case c == '\\':
			char, err := r.escape()
			if err != nil {
				return nil, err
			}
			s = utf8.AppendRune(s, char)
			continue
		case c < ' ':
			return nil, r.unexpected("in a string")
		}
		s = append(s, c)
		r.at++
	}
	return nil, r.unexpected("in a string")
}

// escape reads one escape. Half a surrogate pair is an error: it has no UTF-8
// form, and putting U+FFFD in its place would make different keys the same.
func (r *Reader) escape() (rune, error) {
	begin := r.at
	malformed := func() (rune, error) {
		return 0, fail(begin, "malformed escape in a string")
	}
	r.at += 2
	if r.at > len(r.text) {
		return malformed()
	}
	switch c := r.text[r.at-1]; c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
	default:
		return malformed()
	}
	char, ok := r.hex4()
	if !ok || 0xdc00 <= char && char < 0xe000 {
		return malformed()
	}
	if char < 0xd800 || char >= 0xe000 {
		return char, nil
	}
	if !bytes.HasPrefix(r.text[r.at:], []byte(`\u`)) {
		return malformed()
	}
	r.at += 2
	low, ok := r.hex4()
	if !ok || low < 0xdc00 || low >= 0xe000 {
		return malformed()
	}
	return 0x10000 + (char-0xd800)<<10 + (low - 0xdc00), nil
}

func (r *Reader) hex4() (rune, bool) {
	if r.at+4 > len(r.text) {
		return 0, false
	}
	var char rune
	for _, c := range r.text[r.at : r.at+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		char = char<<4 | rune(c)
	}
	r.at += 4
	return char, true
}
