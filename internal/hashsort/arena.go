package hashsort

import "encoding/binary"

// arena holds entries in large chunks without pointers, so that a million of
// them cost the garbage collector nothing: the length of the key, the key, the
// length of the value, the value. No DAG-CBOR is empty, so an empty value can
// stand for a deletion.
type arena struct {
	chunks [][]byte
	free   [][]byte // of chunkSize, from before the last reset
	full   int64    // bytes of the chunks but for the last
}

// firstChunkSize is the size of the first chunk, since most maps are small.
// The others grow up to chunkSize, unless one entry needs more.
const (
	firstChunkSize = 4 << 10
	chunkSize      = 1 << 20
)

// write keeps an entry and returns its address: the chunk in the high 32 bits, the
// offset in the low ones. Later entries have higher addresses.
func (a *arena) write(key, value []byte) (at uint64) {
	need := len(key) + len(value) + 2*binary.MaxVarintLen32
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < need {
		a.grow(need)
		last++
	}
	chunk := a.chunks[last]
	at = uint64(last)<<32 | uint64(len(chunk))
	chunk = append(appendLength(chunk, len(key)), key...)
	a.chunks[last] = append(appendLength(chunk, len(value)), value...)
	return at
}

// grow takes another chunk into use, with room for so many bytes.
func (a *arena) grow(need int) {
	var chunk []byte
	if last := len(a.free) - 1; last >= 0 && need <= chunkSize {
		chunk, a.free = a.free[last], a.free[:last]
	} else {
		size := min(chunkSize, firstChunkSize<<min(len(a.chunks), 16))
		chunk = make([]byte, 0, max(size, need))
	}
	if last := len(a.chunks) - 1; last >= 0 {
		a.full += int64(cap(a.chunks[last]))
	}
	a.chunks = append(a.chunks, chunk)
}

// memory returns how many bytes the entries take, with the ends of chunks that had
// no room for another.
func (a *arena) memory() int64 {
	if len(a.chunks) == 0 {
		return 0
	}
	return a.full + int64(len(a.chunks[len(a.chunks)-1]))
}

// reset forgets all entries, and keeps the memory for others.
func (a *arena) reset() {
	for _, chunk := range a.chunks {
		if cap(chunk) == chunkSize {
			a.free = append(a.free, chunk[:0])
		}
	}
	a.chunks, a.full = a.chunks[:0], 0
}

// read returns views of the key and the value at an address.
func (a *arena) read(at uint64) (key, value []byte) {
	key, value, _ = cut(a.chunks[at>>32][uint32(at):])
	return key, value
}

func (a *arena) key(at uint64) []byte {
	chunk := a.chunks[at>>32][uint32(at):]
	n, width := length(chunk)
	return chunk[width : width+n]
}

// cut returns views of the entry that a chunk begins with, and what follows it.
func cut(chunk []byte) (key, value, rest []byte) {
	n, width := length(chunk)
	key, chunk = chunk[width:width+n:width+n], chunk[width+n:]
	n, width = length(chunk)
	return key, chunk[width : width+n : width+n], chunk[width+n:]
}

func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

func length(b []byte) (n, width int) {
	if b[0] < 0x80 { // nearly always
		return int(b[0]), 1
	}
	long, width := binary.Uvarint(b)
	return int(long), width
}
