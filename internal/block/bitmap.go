package block

import (
	"encoding/binary"
	"math/bits"
)

// onesBefore counts the bits set in the first n bytes of a bitmap.
func onesBefore(bitmap []byte, n int) (ones int) {
	at := 0
	for ; at+8 <= n; at += 8 {
		ones += bits.OnesCount64(binary.LittleEndian.Uint64(bitmap[at:]))
	}
	for ; at < n; at++ {
		ones += bits.OnesCount8(bitmap[at])
	}
	return ones
}

// appendBigEndian appends a bitmap as Filecoin writes it: as one big-endian
// number without leading zero bytes.
func appendBigEndian(dst, bitmap []byte) []byte {
	high := len(bitmap)
	for high > 0 && bitmap[high-1] == 0 {
		high--
	}
	for at := high - 1; at >= 0; at-- {
		dst = append(dst, bitmap[at])
	}
	return dst
}

// fromBigEndian is the reverse, into a bitmap of n bytes. It returns false if the
// number does not fit or has a leading zero byte.
func fromBigEndian(number []byte, n int) ([]byte, bool) {
	if len(number) > n || len(number) > 0 && number[0] == 0 {
		return nil, false
	}
	bitmap := make([]byte, n)
	for i, b := range number {
		bitmap[len(number)-1-i] = b
	}
	return bitmap, true
}
