package embedded

import "math/bits"

// marks are a set of blocks, of a bit for each entry of a pack's index.
type marks map[*openPack][]uint64

func (m marks) has(at place) bool {
	words := m[at.pack]
	return at.number/64 < len(words) && words[at.number/64]&(1<<(at.number%64)) != 0
}

func (m marks) set(at place) {
	words := m[at.pack]
	if grow := at.number/64 + 1 - len(words); grow > 0 {
		words = append(words, make([]uint64, grow)...)
		m[at.pack] = words
	}
	words[at.number/64] |= 1 << (at.number % 64)
}

// take removes some block from the set, and returns it, if there is one.
func (m marks) take() (at place, ok bool) {
	for p, words := range m {
		for i := len(words) - 1; i >= 0; i-- {
			if words[i] != 0 {
				n := 63 - bits.LeadingZeros64(words[i])
				words[i] &^= 1 << n
				m[p] = words[:i+1]
				return place{p, 64*i + n}, true
			}
		}
		delete(m, p)
	}
	return place{}, false
}
