package zstd

import "math/bits"

// A table of finite state entropy coding (RFC 8878, 4.1). A state is an index.
type fseTable struct {
	log     int
	entries []fseEntry
}

// fseEntry is what a state stands for, and how the next is found.
type fseEntry struct {
	base   uint16 // of the next state, to which bits are added
	symbol uint8
	bits   uint8
}

// readFSE reads a table whose symbols are at most maxSymbol, and returns the length
// of its description. It uses the memory of t.
func (t *fseTable) read(data []byte, maxSymbol, maxLog int) (length int, err error) {
	if len(data) == 0 {
		return 0, errCorrupt
	}
	in := forward{data: data}
	log := in.peek(4) + 5
	in.at += 4
	if log > maxLog {
		return 0, errCorrupt
	}
	var room [256]int16
	counts := room[:0]
	remaining := 1 << log
	for remaining > 0 && len(counts) <= maxSymbol {
		// The values from 0 to remaining+1 take n bits, and the smaller ones one less.
		n := bits.Len(uint(remaining + 1))
		short := 1<<n - 1 - (remaining + 1)
		v := in.peek(n)
		if low := v & (1<<(n-1) - 1); low < short {
			v = low
			in.at += n - 1
		} else {
			if v >= 1<<(n-1) {
				v -= short
			}
			in.at += n
		}
		count := v - 1
		counts = append(counts, int16(count))
		switch {
		case count < 0:
			remaining--
		case count > 0:
			remaining -= count
		default: // how many more zeros follow, in parts of two bits
			for {
				more := in.peek(2)
				in.at += 2
				if len(counts)+more > maxSymbol+1 || in.at > 8*len(data) {
					return 0, errCorrupt
				}
				counts = append(counts, make([]int16, more)...)
				if more < 3 {
					break
				}
			}
		}
	}
	if remaining != 0 {
		return 0, errCorrupt
	}
	if length, err = in.bytes(); err != nil {
		return 0, err
	}
	return length, t.build(counts, log)
}

// build makes the table of how often each symbol occurs, of 1<<log times: -1 is less
// than once.
func (t *fseTable) build(counts []int16, log int) error {
	size := 1 << log
	if cap(t.entries) < size {
		t.entries = make([]fseEntry, size)
	}
	t.log, t.entries = log, t.entries[:size]
	var next [256]uint16
	high := size - 1
	for symbol, count := range counts {
		next[symbol] = uint16(count)
		if count < 0 {
			t.entries[high].symbol = uint8(symbol)
			high--
			next[symbol] = 1
		}
	}
	at, step := 0, size>>1+size>>3+3
	for symbol, count := range counts {
		for range max(count, 0) {
			t.entries[at].symbol = uint8(symbol)
			for at = (at + step) & (size - 1); at > high; {
				at = (at + step) & (size - 1)
			}
		}
	}
	if at != 0 {
		return errCorrupt
	}
	for i := range t.entries {
		e := &t.entries[i]
		n := next[e.symbol]
		next[e.symbol]++
		e.bits = uint8(log + 1 - bits.Len16(n))
		e.base = n<<e.bits - uint16(size)
	}
	return nil
}

// one makes a table of one state, whose symbol always comes.
func (t *fseTable) one(symbol uint8) {
	t.log, t.entries = 0, append(t.entries[:0], fseEntry{symbol: symbol})
}
