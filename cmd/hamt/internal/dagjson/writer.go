package dagjson

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ipfs/go-cid"
)

// ErrNoForm is wrapped by errors about values that DAG-JSON, as it is read, cannot
// say: strings that are not UTF-8, maps that would read as a link or as bytes,
// integers below -2^63, NaN.
var ErrNoForm = errors.New("value has no DAG-JSON form")

// FromCBOR appends the DAG-JSON form of the one value in raw, without white
// space and with map keys in DAG-JSON's order. Loose encoding is no obstacle;
// a malformed value is an error.
func FromCBOR(dst, raw []byte) ([]byte, error) {
	dst, next, err := fromCBOR(dst, raw, 0, 0)
	if err == nil && next != len(raw) {
		err = errMalformed
	}
	return dst, err
}

// AppendKey appends a key: as a string where it is UTF-8, else as bytes.
func AppendKey(dst, key []byte) []byte {
	if utf8.Valid(key) {
		return appendString(dst, key)
	}
	return appendBytes(dst, key)
}

var errDeep = fmt.Errorf("%w: it nests deeper than %d", ErrNoForm, maxDepth)

var errMalformed = errors.New("value is not DAG-CBOR")

func fromCBOR(dst, raw []byte, at, depth int) (out []byte, next int, err error) {
	if depth > maxDepth {
		return dst, at, errDeep
	}
	begin := at
	major, arg, at := head(raw, at)
	switch major {
	case majorUint:
		return strconv.AppendUint(dst, arg, 10), at, nil
	case majorNegInt:
		if arg > math.MaxInt64 {
			return dst, at, fmt.Errorf("%w: an integer below -2^63", ErrNoForm)
		}
		return strconv.AppendInt(dst, -1-int64(arg), 10), at, nil
	case majorBytes, majorString:
		text, at, err := take(raw, at, arg)
		if err != nil {
			return dst, at, err
		}
		if major == majorBytes {
			return appendBytes(dst, text), at, nil
		}
		if !utf8.Valid(text) {
			return dst, at, fmt.Errorf("%w: a string in it is not UTF-8", ErrNoForm)
		}
		return appendString(dst, text), at, nil
	case majorList:
		return listFromCBOR(dst, raw, at, depth, arg)
	case majorMap:
		return mapFromCBOR(dst, raw, at, depth, arg)
	case majorTag:
		return linkFromCBOR(dst, raw, at, arg)
	case majorSimple:
		dst, err := simpleFromCBOR(dst, raw[begin], arg)
		return dst, at, err
	}
	return dst, at, errMalformed
}

func take(raw []byte, at int, n uint64) ([]byte, int, error) {
	if n > uint64(len(raw)-at) {
		return nil, at, errMalformed
	}
	return raw[at : at+int(n)], at + int(n), nil
}

func listFromCBOR(dst, raw []byte, at, depth int, n uint64) ([]byte, int, error) {
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, at, err = fromCBOR(dst, raw, at, depth+1); err != nil {
			return dst, at, err
		}
	}
	return append(dst, ']'), at, nil
}

// mapFromCBOR writes the entries in the order of their keys' bytes, which is
// another than DAG-CBOR's.
func mapFromCBOR(dst, raw []byte, at, depth int, n uint64) ([]byte, int, error) {
	type entry struct {
		key   []byte
		value int
	}
	var room [8]entry
	entries := room[:0]
	for range n {
		major, length, next := head(raw, at)
		if major != majorString {
			return dst, at, errMalformed
		}
		key, next, err := take(raw, next, length)
		if err != nil {
			return dst, at, err
		}
		if !utf8.Valid(key) {
			return dst, at, fmt.Errorf("%w: a map key in it is not UTF-8", ErrNoForm)
		}
		entries = append(entries, entry{key, next})
		if at, err = skip(raw, next, depth+1); err != nil {
			return dst, at, err
		}
	}
	if len(entries) == 1 && string(entries[0].key) == "/" {
		if _, is, err := slash(raw[entries[0].value:at]); is || err != nil {
			return dst, at, fmt.Errorf(`%w: a map in it has the one key "/"`, ErrNoForm)
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return slices.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, e.key), ':')
		var err error
		if dst, _, err = fromCBOR(dst, raw, e.value, depth+1); err != nil {
			return dst, at, err
		}
	}
	return append(dst, '}'), at, nil
}

// skip finds the end of a value.
func skip(raw []byte, at, depth int) (next int, err error) {
	if depth > maxDepth {
		return at, errDeep
	}
	major, arg, at := head(raw, at)
	items := uint64(0)
	switch major {
	case malformed:
		return at, errMalformed
	case majorBytes, majorString:
		_, at, err = take(raw, at, arg)
		return at, err
	case majorTag:
		items = 1
	case majorList:
		items = arg
	case majorMap:
		if arg > uint64(len(raw)) {
			return at, errMalformed
		}
		items = 2 * arg
	}
	for range items {
		if at, err = skip(raw, at, depth+1); err != nil {
			return at, err
		}
	}
	return at, nil
}

func linkFromCBOR(dst, raw []byte, at int, tag uint64) ([]byte, int, error) {
	c, next, err := takeLink(raw, at, tag)
	if err != nil {
		return dst, at, err
	}
	dst = append(dst, `{"/":"`...)
	return append(append(dst, c.String()...), `"}`...), next, nil
}

func simpleFromCBOR(dst []byte, head byte, arg uint64) ([]byte, error) {
	switch head {
	case simpleFalse:
		return append(dst, "false"...), nil
	case simpleTrue:
		return append(dst, "true"...), nil
	case simpleNull, simpleUndefined:
		return append(dst, "null"...), nil
	case simpleFloat16:
		return appendJSONFloat(dst, half(uint16(arg)))
	case simpleFloat32:
		return appendJSONFloat(dst, float64(math.Float32frombits(uint32(arg))))
	case simpleFloat64:
		return appendJSONFloat(dst, math.Float64frombits(arg))
	}
	return dst, errMalformed
}

// appendJSONFloat writes a float as ECMAScript does, but never without a
// fraction or an exponent: they are what tells a float from an integer.
func appendJSONFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%w: %v", ErrNoForm, f)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07, where ECMAScript has e-7
			dst = append(dst[:n-2], dst[n-1])
		}
		return dst, nil
	}
	begin := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if !slices.Contains(dst[begin:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst, nil
}

// AppendOpaque appends bytes, in their DAG-JSON form.
func AppendOpaque(dst, b []byte) []byte { return appendBytes(dst, b) }

func appendBytes(dst, b []byte) []byte {
	dst = append(dst, `{"/":{"bytes":"`...)
	dst = base64.RawStdEncoding.AppendEncode(dst, b)
	return append(dst, `"}}`...)
}

// appendString writes a string that is UTF-8. It escapes what go-ipld-prime does:
// control characters below the space, and the two line ends that JavaScript has
// beside others.
func appendString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	begin := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			if c == 0xe2 && len(s) > i+2 && s[i+1] == 0x80 && s[i+2]&^1 == 0xa8 { // U+2028 and U+2029
				dst = append(append(dst, s[begin:i]...), '\\', 'u', '2', '0', '2', hex[s[i+2]&15])
				begin = i + 3
			}
			continue
		}
		dst = append(dst, s[begin:i]...)
		begin = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[begin:]...), '"')
}

// takeLink reads a link behind its tag.
func takeLink(raw []byte, at int, tag uint64) (c cid.Cid, next int, err error) {
	major, length, next := head(raw, at)
	if tag != linkTag || major != majorBytes || length < 1 {
		return cid.Undef, at, errMalformed
	}
	text, next, err := take(raw, next, length)
	if err != nil {
		return cid.Undef, at, err
	}
	if c, err = cid.Cast(text[1:]); err != nil {
		return cid.Undef, at, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return c, next, nil
}
