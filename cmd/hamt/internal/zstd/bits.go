package zstd

import "math/bits"

// backward reads bits from the end of data to its begin, those of a byte from the
// highest down. The highest bit that is set in the last byte only says where they
// begin.
type backward struct {
	data []byte // not yet in bits
	bits uint64 // the next n, the first of them the highest
	n    int
	over int // how many bits were read that are not there, which are zeros
}

func newBackward(data []byte) (b backward, err error) {
	if len(data) == 0 || data[len(data)-1] == 0 {
		return b, errCorrupt
	}
	last := data[len(data)-1]
	b = backward{data: data[:len(data)-1], n: bits.Len8(last) - 1}
	b.bits = uint64(last) & (1<<b.n - 1)
	return b, nil
}

// refill makes at least 56 bits ready, as long as there are any.
func (b *backward) refill() {
	for b.n <= 56 && len(b.data) > 0 {
		last := len(b.data) - 1
		b.bits = b.bits<<8 | uint64(b.data[last])
		b.data = b.data[:last]
		b.n += 8
	}
}

// read reads up to 32 bits.
func (b *backward) read(n int) uint32 {
	if b.n < n {
		b.refill()
		if b.n < n { // zeros follow
			b.over += n - b.n
			v := b.bits & (1<<b.n - 1) << (n - b.n)
			b.n = 0
			return uint32(v)
		}
	}
	b.n -= n
	return uint32(b.bits >> b.n & (1<<n - 1))
}

// peek returns the next n bits, up to 32, with zeros behind the last.
func (b *backward) peek(n int) uint32 {
	if b.n < n {
		b.refill()
		if b.n < n {
			return uint32(b.bits & (1<<b.n - 1) << (n - b.n))
		}
	}
	return uint32(b.bits >> (b.n - n) & (1<<n - 1))
}

// ended reports whether all bits were read, and no more.
func (b *backward) ended() bool { return b.n == 0 && len(b.data) == 0 && b.over == 0 }

// forward reads bits from the begin of data to its end, those of a byte from the
// lowest up.
type forward struct {
	data []byte
	at   int // in bits
}

// peek returns the next n bits, up to 16, with zeros behind the last.
func (f *forward) peek(n int) int {
	v := uint32(0)
	for i := range 3 {
		if j := f.at>>3 + i; j < len(f.data) {
			v |= uint32(f.data[j]) << (8 * i)
		}
	}
	return int(v >> (f.at & 7) & (1<<n - 1))
}

// bytes returns how many bytes were begun; more than there are is an error.
func (f *forward) bytes() (int, error) {
	n := (f.at + 7) >> 3
	if n > len(f.data) {
		return 0, errCorrupt
	}
	return n, nil
}
