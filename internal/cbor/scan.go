// Package cbor knows as much DAG-CBOR as a block needs that stays encoded:
// heads, a validating scan over one value, and the scalars. Whole collections
// are left to go-ipld-prime's codec, and what is accepted here is what that
// codec accepts, with one exception: a tag other than 42 is always refused.
//
// A value that is not accepted has an end all the same, which Extent finds: it
// stays where it is, as bytes, beside those that can be decoded.
package cbor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/ipfs/go-cid"
)

// Major types, as they stand in the three high bits of a head.
const (
	Uint   = 0x00
	NegInt = 0x20
	Bytes  = 0x40
	String = 0x60
	List   = 0x80
	Map    = 0xa0
	Tag    = 0xc0
	Simple = 0xe0
)

// The simple values and the floats.
const (
	simpleFalse     = 0xf4
	simpleTrue      = 0xf5
	simpleNull      = 0xf6
	simpleUndefined = 0xf7
	simpleFloat16   = 0xf9
	simpleFloat32   = 0xfa
	simpleFloat64   = 0xfb
)

// MaxDepth is the deepest nesting of lists and maps in a block, the limit of
// go-ipld-prime's codec.
const MaxDepth = 1024

var errBelowInt64 = errors.New("integer below -2^63")

// ErrTruncated is the error for bytes that end within a value.
var ErrTruncated = errors.New("unexpected end of CBOR")

// Head reads the head at off: its major type, its argument, and the offset
// after it. The argument must be written in its shortest form; indefinite
// lengths are refused.
func Head(raw []byte, off int) (major byte, arg uint64, next int, err error) {
	major, arg, next, err = head(raw, off)
	if err == nil && major != Simple && headLen(arg) != next-off {
		return 0, 0, 0, fmt.Errorf("CBOR argument %d is not in its shortest form", arg)
	}
	return major, arg, next, err
}

// head is Head of an argument in any form.
func head(raw []byte, off int) (major byte, arg uint64, next int, err error) {
	if off >= len(raw) {
		return 0, 0, 0, ErrTruncated
	}
	first := raw[off]
	major, low := first&0xe0, first&0x1f
	off++
	if low < 24 {
		return major, uint64(low), off, nil
	}
	if low > 27 {
		return 0, 0, 0, fmt.Errorf("CBOR head 0x%02x is indefinite or reserved", first)
	}
	n := 1 << (low - 24)
	if len(raw)-off < n {
		return 0, 0, 0, ErrTruncated
	}
	switch n {
	case 1:
		arg = uint64(raw[off])
	case 2:
		arg = uint64(binary.BigEndian.Uint16(raw[off:]))
	case 4:
		arg = uint64(binary.BigEndian.Uint32(raw[off:]))
	case 8:
		arg = binary.BigEndian.Uint64(raw[off:])
	}
	return major, arg, off + n, nil
}

// Expect reads a head of the given major type.
func Expect(raw []byte, off int, major byte) (arg uint64, next int, err error) {
	got, arg, next, err := Head(raw, off)
	if err != nil {
		return 0, 0, err
	}
	if got != major {
		return 0, 0, fmt.Errorf("CBOR %s where a %s belongs", majorName(got), majorName(major))
	}
	return arg, next, nil
}

// Span reads the head of bytes or a string and returns their extent.
func Span(raw []byte, off int, major byte) (from, to int, err error) {
	n, from, err := Expect(raw, off, major)
	if err != nil {
		return 0, 0, err
	}
	if n > uint64(len(raw)-from) {
		return 0, 0, ErrTruncated
	}
	return from, from + int(n), nil
}

func majorName(major byte) string {
	return [...]string{"int", "negative int", "byte string", "string", "list", "map", "tag", "simple value"}[major>>5]
}

// IsLink reports whether a link (tag 42) begins at off.
func IsLink(raw []byte, off int) bool {
	return off+1 < len(raw) && raw[off] == Tag|24 && raw[off+1] == 42
}

// Link reads the link at off and returns the extent of its binary CID.
func Link(raw []byte, off int) (from, to int, err error) {
	if !IsLink(raw, off) {
		return 0, 0, errors.New("CBOR tag other than 42 (link)")
	}
	from, to, err = Span(raw, off+2, Bytes)
	if err != nil {
		return 0, 0, err
	}
	if from == to || raw[from] != 0 {
		return 0, 0, errors.New("link without the binary multibase prefix")
	}
	from++
	if isUsualCID(raw[from:to]) {
		return from, to, nil
	}
	if _, err := cid.Cast(raw[from:to]); err != nil {
		return 0, 0, fmt.Errorf("link: %w", err)
	}
	return from, to, nil
}

// Links visits the binary CIDs of the links in values that Extent has accepted.
func Links(raw []byte) iter.Seq[[]byte] {
	return func(yield func(binaryCID []byte) bool) {
		for off := 0; off < len(raw); {
			if IsLink(raw, off) {
				if from, to, err := Link(raw, off); err == nil {
					if !yield(raw[from:to]) {
						return
					}
					off = to
					continue
				}
			}
			major, arg, next, err := looseHead(raw, off)
			if err != nil {
				return
			}
			if off = next; major == Bytes || major == String {
				off += int(arg)
			}
		}
	}
}

// Extent returns the offset after the value at off, if it is well-formed CBOR
// without indefinite lengths: whatever is in it, at any depth. It takes no memory.
func Extent(raw []byte, off int) (next int, err error) {
	for values := uint64(1); values > 0; values-- { // that are to come
		major, arg, next, err := looseHead(raw, off)
		if err != nil {
			return 0, err
		}
		off = next
		left, items := uint64(len(raw)-off), uint64(0)
		switch major {
		case Bytes, String:
			if arg > left {
				return 0, ErrTruncated
			}
			off += int(arg)
		case List:
			items = arg
		case Map:
			if arg > left { // so that twice as many are no overflow
				return 0, ErrTruncated
			}
			items = 2 * arg
		case Tag:
			items = 1
		}
		if items > left || values-1 > left-items { // each takes a byte at least
			return 0, ErrTruncated
		}
		values += items
	}
	return off, nil
}

// looseHead is Head of an argument in any form but that of an indefinite length.
func looseHead(raw []byte, off int) (major byte, arg uint64, next int, err error) {
	major, arg, next, err = head(raw, off)
	if err == nil && major == Simple && next == off+2 && arg < 32 {
		return 0, 0, 0, fmt.Errorf("CBOR simple value %d in two bytes", arg)
	}
	return major, arg, next, err
}

// IsPlainCID reports whether a CID has the form that nearly every one has: version
// 1, a codec below 0x80, sha2-256. Those need no cid.Cast, which allocates.
func IsPlainCID[Binary ~string | ~[]byte](b Binary) bool {
	return len(b) == 36 && b[0] == 1 && b[1] < 0x80 && b[2] == 0x12 && b[3] == 32
}

// isUsualCID reports whether a CID is of version 1 or 0 with single bytes for the
// codec and the hash and a digest of 32 bytes: it is valid, and need not be cast to
// know that.
func isUsualCID(b []byte) bool {
	switch len(b) {
	case 36:
		return b[0] == 1 && b[1] < 0x80 && b[2] < 0x80 && b[3] == 32
	case 34:
		return b[0] == 0x12 && b[1] == 32
	}
	return false
}

// PlainLink reads the link at off if it has the form that nearly every link has: to
// a plain CID of a DAG-CBOR block. It returns the offset after it.
func PlainLink(raw []byte, off int) (next int, ok bool) {
	const head, length = "\xd8\x2a\x58\x25\x00\x01\x71\x12\x20", 9 + 32
	if len(raw)-off < length || string(raw[off:off+len(head)]) != head {
		return 0, false
	}
	return off + length, true
}

// PlainEntry reads the entry at off, a list of two, if it has the form that
// most entries have: a key of less than 256 bytes, and as the value a plain link,
// a number that is not negative, null or a boolean. It returns the extent of the
// key, and the offset after the value.
func PlainEntry(raw []byte, off int) (from, to, next int, ok bool) {
	rest := raw[off:]
	if len(rest) < 3 || rest[0] != List|2 {
		return 0, 0, 0, false
	}
	length := int(rest[1]) - Bytes
	from = off + 2
	if length == 24 && rest[2] >= 24 {
		length = int(rest[2])
		from++
	} else if length < 0 || length > 23 {
		return 0, 0, 0, false
	}
	to = from + length
	if to >= len(raw) {
		return 0, 0, 0, false
	}
	value := raw[to:]
	switch first := value[0]; {
	case first < 24, first == simpleNull, first == simpleTrue, first == simpleFalse:
		return from, to, to + 1, true
	case first == Uint|24:
		return from, to, to + 2, len(value) >= 2 && value[1] >= 24
	case first == Uint|25:
		return from, to, to + 3, len(value) >= 3 && value[1] != 0
	case first == Uint|26:
		return from, to, to + 5, len(value) >= 5 && value[1]|value[2] != 0
	case first == Tag|24:
		next, ok = PlainLink(raw, to)
		return from, to, next, ok
	}
	return 0, 0, 0, false
}

// Skip validates the value at off, whose lists and maps stand at the given
// depth of nesting, and returns the offset after it. nonCanonical reports whether
// it holds something that is readable but not canonical: a float of fewer than 64
// bits, undefined for null, or map keys that are out of order.
func Skip(raw []byte, off, depth int) (next int, nonCanonical bool, err error) {
	if off >= len(raw) {
		return 0, false, ErrTruncated
	}
	if raw[off] >= Simple {
		return skipSimple(raw, off)
	}
	major, arg, next, err := Head(raw, off)
	if err != nil {
		return 0, false, err
	}
	switch major {
	case Uint:
		return next, false, nil
	case NegInt:
		if arg > math.MaxInt64 {
			return 0, false, errBelowInt64
		}
		return next, false, nil
	case Bytes, String:
		if arg > uint64(len(raw)-next) {
			return 0, false, ErrTruncated
		}
		return next + int(arg), false, nil
	case Tag:
		_, next, err = Link(raw, off)
		return next, false, err
	}
	if depth >= MaxDepth {
		return 0, false, fmt.Errorf("lists and maps nest deeper than %d", MaxDepth)
	}
	if arg > uint64(len(raw)-next) { // every item takes a byte at least
		return 0, false, ErrTruncated
	}
	if major == Map {
		return skipMap(raw, next, int(arg), depth)
	}
	for range arg {
		var l bool
		if next, l, err = Skip(raw, next, depth+1); err != nil {
			return 0, false, err
		}
		nonCanonical = nonCanonical || l
	}
	return next, nonCanonical, nil
}

func skipMap(raw []byte, off, n, depth int) (next int, nonCanonical bool, err error) {
	// The keys are kept rather than found again when the order breaks: hostile
	// nesting would make a second look at each level cost the square.
	var room [8][]byte
	keys := room[:0]
	var seen map[string]struct{} // only once the order is broken
	for range n {
		from, to, err := Span(raw, off, String)
		if err != nil {
			return 0, false, fmt.Errorf("map key: %w", err)
		}
		key := raw[from:to]
		if seen == nil && len(keys) > 0 && CompareKeys(keys[len(keys)-1], key) >= 0 {
			nonCanonical = true
			seen = map[string]struct{}{} // not of n: that is only what the block claims
			for _, k := range keys {
				seen[string(k)] = struct{}{}
			}
		}
		if seen == nil {
			keys = append(keys, key)
		} else if _, twice := seen[string(key)]; twice {
			return 0, false, fmt.Errorf("map key %q stands twice", key)
		} else {
			seen[string(key)] = struct{}{}
		}
		var l bool
		if off, l, err = Skip(raw, to, depth+1); err != nil {
			return 0, false, err
		}
		nonCanonical = nonCanonical || l
	}
	return off, nonCanonical, nil
}

func skipSimple(raw []byte, off int) (next int, nonCanonical bool, err error) {
	size := 0
	switch raw[off] {
	case simpleFalse, simpleTrue, simpleNull:
		return off + 1, false, nil
	case simpleUndefined:
		return off + 1, true, nil
	case simpleFloat16:
		size = 2
	case simpleFloat32:
		size = 4
	case simpleFloat64:
		size = 8
	default:
		return 0, false, fmt.Errorf("CBOR simple value 0x%02x", raw[off])
	}
	if len(raw)-off-1 < size {
		return 0, false, ErrTruncated
	}
	if f := float(raw, off); math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false, errors.New("NaN or infinity")
	}
	return off + 1 + size, size != 8, nil
}

// float reads the float at off, of any width.
func float(raw []byte, off int) float64 {
	switch raw[off] {
	case simpleFloat16:
		return float16(binary.BigEndian.Uint16(raw[off+1:]))
	case simpleFloat32:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(raw[off+1:])))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(raw[off+1:]))
}

// float16 widens a half-precision float (RFC 8949, appendix D).
func float16(half uint16) float64 {
	exponent, mantissa := int(half>>10)&0x1f, float64(half&0x3ff)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		f = math.Inf(1)
		if mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exponent-25)
	}
	if half&0x8000 != 0 {
		return -f
	}
	return f
}

// headLen returns the length of the shortest head for an argument.
func headLen(arg uint64) int {
	switch {
	case arg < 24:
		return 1
	case arg <= math.MaxUint8:
		return 2
	case arg <= math.MaxUint16:
		return 3
	case arg <= math.MaxUint32:
		return 5
	}
	return 9
}
