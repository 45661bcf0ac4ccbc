package embedded

import (
	"math/bits"

	"github.com/ipfs/go-cid"
)

// marks are a set of blocks, of a bit for each entry of a pack's index.
type marks map[*openPack][]uint64

func (m marks) has(at place) bool {
	words := m[at.pack]
	return at.number >= 0 && at.number/64 < len(words) && words[at.number/64]&(1<<(at.number%64)) != 0
}

func (m marks) set(at place) {
	words := m[at.pack]
	if grow := at.number/64 + 1 - len(words); grow > 0 {
		words = append(words, make([]uint64, grow)...)
		m[at.pack] = words
	}
	words[at.number/64] |= 1 << (at.number % 64)
}

// hasAny reports whether the set has a block in any of some packs.
func (m marks) hasAny(packs []*openPack, c cid.Cid) bool {
	for _, p := range packs {
		if p.Pack == nil {
			continue
		}
		if e, ok, err := p.Find(c); ok && err == nil && m.has(place{p, e.Number}) {
			return true
		}
	}
	return false
}

// add adds another set.
func (m marks) add(other marks) {
	for p, words := range other {
		if grow := len(words) - len(m[p]); grow > 0 {
			m[p] = append(m[p], make([]uint64, grow)...)
		}
		for i, word := range words {
			m[p][i] |= word
		}
	}
}

// count returns how many blocks of a pack the set has.
func (m marks) count(p *openPack) (n int) {
	for _, word := range m[p] {
		n += bits.OnesCount64(word)
	}
	return n
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
