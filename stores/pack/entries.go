package pack

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"iter"
	"math"
	"slices"

	"github.com/multiformats/go-multihash"
)

// entries are the blocks of a pack that is being written, by multihash: where
// the section of each begins. They take about 60 bytes a block.
type entries struct {
	groups []entryGroup
	seed   maphash.Seed
	count  int
}

// entryGroup are the entries whose hashes are of one function and length.
type entryGroup struct {
	code  uint64
	width int
	count int
	// chunks hold chunkEntries entries each, as the index has them: so that
	// nothing is moved when there are more.
	chunks [][]byte
	// slots are a hash table with linear probing: 1 more than the number of an
	// entry. It is at most half full.
	slots []uint32
}

const chunkEntries = 4096

func (g *entryGroup) entry(i int) []byte {
	return g.chunks[i/chunkEntries][i%chunkEntries*g.width:][:g.width]
}

func (g *entryGroup) digest(i int) []byte { return g.entry(i)[:g.width-offsetBytes] }

func (e *entries) group(code uint64, digest string) *entryGroup {
	for i := range e.groups {
		if g := &e.groups[i]; g.code == code && g.width == len(digest)+offsetBytes {
			return g
		}
	}
	return nil
}

// add adds an entry, unless there is one with the multihash.
func (e *entries) add(hash string, at int64) error {
	code, digest, err := splitHash(hash)
	if err != nil {
		return err
	}
	if e.groups == nil {
		e.seed = maphash.MakeSeed()
	}
	g := e.group(code, digest)
	if g == nil {
		e.groups = append(e.groups, entryGroup{code: code, width: len(digest) + offsetBytes, slots: make([]uint32, 16)})
		g = &e.groups[len(e.groups)-1]
	}
	slot, found := g.slot(e.seed, digest)
	if found {
		return nil
	}
	if g.count%chunkEntries == 0 {
		g.chunks = append(g.chunks, nil)
	}
	chunk := &g.chunks[g.count/chunkEntries]
	*chunk = binary.LittleEndian.AppendUint64(append(*chunk, digest...), uint64(at))
	g.count++
	e.count++
	g.slots[slot] = uint32(g.count)
	if 2*g.count > len(g.slots) {
		g.grow(e.seed)
	}
	return nil
}

// slot returns where the slots have a digest, or have room for it.
func (g *entryGroup) slot(seed maphash.Seed, digest string) (slot int, found bool) {
	mask := len(g.slots) - 1
	for slot = int(maphash.String(seed, digest)) & mask; ; slot = (slot + 1) & mask {
		i := g.slots[slot]
		if i == 0 {
			return slot, false
		}
		if string(g.digest(int(i-1))) == digest {
			return slot, true
		}
	}
}

func (g *entryGroup) grow(seed maphash.Seed) {
	g.slots = make([]uint32, 2*len(g.slots))
	mask := len(g.slots) - 1
	for i := range g.count {
		slot := int(maphash.Bytes(seed, g.digest(i))) & mask
		for g.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		g.slots[slot] = uint32(i + 1)
	}
}

// find returns the entry of a multihash. Its number stays the same while no
// entries are added.
func (e *entries) find(hash string) (found Entry, ok bool) {
	code, digest, err := splitHash(hash)
	if err != nil {
		return found, false
	}
	g := e.group(code, digest)
	if g == nil {
		return found, false
	}
	slot, ok := g.slot(e.seed, digest)
	if !ok {
		return found, false
	}
	n := int(g.slots[slot] - 1)
	for i := 0; &e.groups[i] != g; i++ {
		found.Number += e.groups[i].count
	}
	return Entry{found.Number + n, g.offset(n)}, true
}

// entry returns the offset and the multihash of an entry by its number.
func (e *entries) entry(number int) (at int64, hash multihash.Multihash, err error) {
	for i := range e.groups {
		g := &e.groups[i]
		if number >= g.count {
			number -= g.count
			continue
		}
		hash, err := multihash.Encode(g.digest(number), g.code)
		return g.offset(number), hash, err
	}
	return 0, nil, errNumber
}

// offsets visits the numbers of all entries, and where their sections begin.
func (e *entries) offsets() iter.Seq2[int, int64] {
	return func(yield func(int, int64) bool) {
		number := 0
		for i := range e.groups {
			g := &e.groups[i]
			for n := range g.count {
				if !yield(number, g.offset(n)) {
					return
				}
				number++
			}
		}
	}
}

func (g *entryGroup) offset(i int) int64 {
	return int64(binary.LittleEndian.Uint64(g.entry(i)[g.width-offsetBytes:]))
}

// sort puts the groups into the order of CARv2's index: by code, then by width.
func (e *entries) sort() {
	slices.SortFunc(e.groups, func(a, b entryGroup) int {
		return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.width, b.width))
	})
}

// sorted returns the entries of a group in the order of their digests.
// Digests are spread evenly, so they are dealt by their first two bytes, and
// what lies together then is few.
func (g *entryGroup) sorted() []uint32 {
	const spread = 1 << 16
	compare := func(a, b uint32) int { return bytes.Compare(g.digest(int(a)), g.digest(int(b))) }
	if g.count < spread/16 { // where dealing would be most of the work
		sorted := make([]uint32, g.count)
		for i := range sorted {
			sorted[i] = uint32(i)
		}
		slices.SortFunc(sorted, compare)
		return sorted
	}
	deal := func(i int) int {
		var first [2]byte
		copy(first[:], g.digest(i))
		return int(binary.BigEndian.Uint16(first[:]))
	}
	ends := make([]uint32, spread)
	for i := range g.count {
		ends[deal(i)]++
	}
	sum := uint32(0)
	for i, n := range ends {
		ends[i] = sum
		sum += n
	}
	sorted := make([]uint32, g.count)
	for i := range g.count {
		d := deal(i)
		sorted[ends[d]] = uint32(i)
		ends[d]++
	}
	begin := uint32(0)
	for _, end := range ends {
		if end-begin > 1 {
			slices.SortFunc(sorted[begin:end], compare)
		}
		begin = end
	}
	return sorted
}

// maxEntries is how many entries a pack can count.
const maxEntries = math.MaxInt32
