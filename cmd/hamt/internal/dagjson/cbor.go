package dagjson

import (
	"encoding/binary"
	"math"
	"slices"
)

// The major types of CBOR, in their place in a head.
const (
	majorUint   = 0 << 5
	majorNegInt = 1 << 5
	majorBytes  = 2 << 5
	majorString = 3 << 5
	majorList   = 4 << 5
	majorMap    = 5 << 5
	majorTag    = 6 << 5
	majorSimple = 7 << 5
)

const (
	simpleFalse     = majorSimple | 20
	simpleTrue      = majorSimple | 21
	simpleNull      = majorSimple | 22
	simpleUndefined = majorSimple | 23
	simpleFloat16   = majorSimple | 25
	simpleFloat32   = majorSimple | 26
	simpleFloat64   = majorSimple | 27
)

// linkTag is CBOR's tag of a CID, which follows as bytes behind a zero byte.
const linkTag = 42

// malformed is the major type that head gives for what is no head.
const malformed = 0xff

// head reads the head at an offset. The argument of a simple value is the
// number's bits or the simple value itself.
func head(raw []byte, at int) (major byte, arg uint64, next int) {
	if at >= len(raw) {
		return malformed, 0, at
	}
	major, info := raw[at]&0xe0, raw[at]&0x1f
	at++
	if info < 24 {
		return major, uint64(info), at
	}
	if info > 27 {
		return malformed, 0, at
	}
	width := 1 << (info - 24)
	if len(raw)-at < width {
		return malformed, 0, at
	}
	for _, b := range raw[at : at+width] {
		arg = arg<<8 | uint64(b)
	}
	return major, arg, at + width
}

// appendHead appends a head, its argument in the shortest form.
func appendHead(dst []byte, major byte, arg uint64) []byte {
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, major|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

// insertHead puts the head of a collection of n in front of its elements.
func insertHead(dst []byte, at int, major byte, n int) []byte {
	var room [9]byte
	return slices.Insert(dst, at, appendHead(room[:0], major, uint64(n))...)
}

// AppendMapHead begins a DAG-CBOR map of n entries. Its keys have to follow in
// DAG-CBOR's order: shorter ones first, then by bytes.
func AppendMapHead(dst []byte, n int) []byte { return appendHead(dst, majorMap, uint64(n)) }

// AppendListHead begins a DAG-CBOR list of n elements.
func AppendListHead(dst []byte, n int) []byte { return appendHead(dst, majorList, uint64(n)) }

// AppendText appends a string in DAG-CBOR.
func AppendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majorString, uint64(len(s))), s...)
}

// AppendBytes appends bytes in DAG-CBOR.
func AppendBytes(dst, b []byte) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, simpleFloat64), math.Float64bits(f))
}

// AppendLink appends a link to a CID, which is binary, in DAG-CBOR.
func AppendLink(dst, binaryCID []byte) []byte {
	dst = appendHead(appendHead(dst, majorTag, linkTag), majorBytes, uint64(len(binaryCID))+1)
	return append(append(dst, 0), binaryCID...)
}

// half widens a 16-bit float.
func half(bits uint16) float64 {
	sign, exponent, fraction := bits>>15, int(bits>>10&0x1f), float64(bits&0x3ff)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 0x1f:
		f = math.Inf(1)
		if fraction != 0 {
			return math.NaN()
		}
	default:
		f = math.Ldexp(fraction+1024, exponent-25)
	}
	if sign != 0 {
		return -f
	}
	return f
}
