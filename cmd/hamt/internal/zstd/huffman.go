package zstd

import "math/bits"

// maxCodeBits is the length of the longest Huffman code.
const maxCodeBits = 11

// huffman is a table for decoding literals: what the next bits stand for.
type huffman struct {
	log     int // 0 where there is no table yet
	entries [1 << maxCodeBits]huffmanEntry

	weights fseTable
}

type huffmanEntry struct{ symbol, bits uint8 }

// read reads the description of a tree (RFC 8878, 4.2.1), and returns its length.
func (h *huffman) read(data []byte) (length int, err error) {
	if len(data) == 0 {
		return 0, errCorrupt
	}
	var weights [256]uint8
	n := 0
	head := int(data[0])
	if head >= 128 { // four bits each
		n = head - 127
		length = 1 + (n+1)/2
		if len(data) < length {
			return 0, errCorrupt
		}
		for i := range n {
			weights[i] = data[1+i/2] >> (4 * (1 - i&1)) & 15
		}
	} else {
		if length = 1 + head; len(data) < length {
			return 0, errCorrupt
		}
		if n, err = h.readWeights(weights[:255], data[1:length]); err != nil {
			return 0, err
		}
	}
	return length, h.build(weights[:n+1])
}

// readWeights reads weights that are compressed, and returns how many there are.
func (h *huffman) readWeights(weights []uint8, data []byte) (n int, err error) {
	length, err := h.weights.read(data, 255, 6)
	if err != nil {
		return 0, err
	}
	in, err := newBackward(data[length:])
	if err != nil {
		return 0, err
	}
	// Two states take turns, until there are no bits for the next.
	states := [2]uint32{in.read(h.weights.log), in.read(h.weights.log)}
	if in.over > 0 {
		return 0, errCorrupt
	}
	for turn := 0; ; turn ^= 1 {
		e := h.weights.entries[states[turn]]
		if n+1 >= len(weights) {
			return 0, errCorrupt
		}
		weights[n] = e.symbol
		n++
		states[turn] = uint32(e.base) + in.read(int(e.bits))
		if in.over > 0 {
			weights[n] = h.weights.entries[states[turn^1]].symbol
			return n + 1, nil
		}
	}
}

// build makes the table of the weights of symbols, the last of which is what is left.
func (h *huffman) build(weights []uint8) error {
	h.log = 0
	sum := 0
	var counts [maxCodeBits + 2]int // of symbols of each weight
	for _, w := range weights[:len(weights)-1] {
		if w > maxCodeBits {
			return errCorrupt
		}
		counts[w]++
		sum += 1 << w >> 1
	}
	if sum == 0 {
		return errCorrupt
	}
	log := bits.Len(uint(sum))
	rest := 1<<log - sum
	if log > maxCodeBits || rest&(rest-1) != 0 {
		return errCorrupt
	}
	last := uint8(bits.Len(uint(rest)))
	weights[len(weights)-1] = last
	counts[last]++
	// Symbols of small weights, which have long codes, come first.
	var at [maxCodeBits + 2]int
	for w := 2; w <= log; w++ {
		at[w] = at[w-1] + counts[w-1]<<(w-2)
	}
	for symbol, w := range weights {
		if w == 0 {
			continue
		}
		entry := huffmanEntry{uint8(symbol), uint8(log + 1 - int(w))}
		run := h.entries[at[w] : at[w]+1<<(w-1)]
		for i := range run {
			run[i] = entry
		}
		at[w] += len(run)
	}
	h.log = log
	return nil
}

// decode decodes a stream that fills dst.
func (h *huffman) decode(dst, data []byte) error {
	in, err := newBackward(data)
	if err != nil {
		return err
	}
	log := h.log
	for i := range dst {
		e := h.entries[in.peek(log)]
		if int(e.bits) > in.n {
			return errCorrupt
		}
		in.n -= int(e.bits)
		dst[i] = e.symbol
	}
	if !in.ended() {
		return errCorrupt
	}
	return nil
}
