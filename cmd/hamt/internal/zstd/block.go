package zstd

import "encoding/binary"

// decoder decompresses blocks. Its tables go from one block of a frame to the next.
type decoder struct {
	huffman  huffman
	tables   [3]fseTable // of literal lengths, offsets, match lengths
	known    [3]bool     // the frame has had such a table
	offsets  [3]int      // that were used last
	literals []byte
}

// The codes of a sequence, in the order in which their tables are described.
const (
	literalLength = iota
	offset
	matchLength
)

// code is what a code stands for: a base, to which bits are added.
type code struct {
	base uint32
	bits int
}

// kinds say what the three codes may be: RFC 8878, 3.1.1.3.2.1 and 3.1.1.3.2.2.
var kinds = [3]struct {
	maxSymbol, maxLog int
	predefined        fseTable
	codes             []code
}{
	{35, 9, predefined(6, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1),
		codes(0, 16, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)},
	{31, 8, predefined(5, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1),
		offsetCodes()},
	{52, 9, predefined(6, 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1),
		codes(3, 32, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)},
}

func predefined(log int, counts ...int16) (t fseTable) {
	if err := t.build(counts, log); err != nil {
		panic(err)
	}
	return t
}

// codes returns codes that begin with from, of which the first alone have no bits,
// and the others those that follow.
func codes(from uint32, alone int, more ...int) (all []code) {
	for range alone {
		all = append(all, code{from, 0})
		from++
	}
	for _, bits := range more {
		all = append(all, code{from, bits})
		from += 1 << bits
	}
	return all
}

func offsetCodes() (all []code) {
	for bits := range 32 {
		all = append(all, code{1 << bits, bits})
	}
	return all
}

// reset begins a frame.
func (d *decoder) reset() {
	d.huffman.log = 0
	d.known = [3]bool{}
	d.offsets = [3]int{1, 4, 8}
}

// decode appends what a block has to dst, in which it refers back as far as the
// window is long.
func (d *decoder) decode(dst, block []byte, window, most int) ([]byte, error) {
	rest, err := d.readLiterals(block, most)
	if err != nil {
		return dst, err
	}
	count, rest, err := sequenceCount(rest)
	if err != nil {
		return dst, err
	}
	if count == 0 {
		if len(rest) > 0 {
			return dst, errCorrupt
		}
		return append(dst, d.literals...), nil
	}
	if rest, err = d.readTables(rest); err != nil {
		return dst, err
	}
	return d.execute(dst, rest, count, window, len(dst)+most)
}

// readLiterals reads the literals section, and returns what follows it.
func (d *decoder) readLiterals(block []byte, most int) (rest []byte, err error) {
	if len(block) == 0 {
		return nil, errCorrupt
	}
	kind, format := block[0]&3, block[0]>>2&3
	head := func(n int) (v uint64, err error) {
		if len(block) < n {
			return 0, errCorrupt
		}
		var b [8]byte
		copy(b[:], block[:n])
		block = block[n:]
		return binary.LittleEndian.Uint64(b[:]), nil
	}
	if kind < 2 { // raw, or one byte repeated
		length, shift := 1, 3
		switch format {
		case 1:
			length, shift = 2, 4
		case 3:
			length, shift = 3, 4
		}
		v, err := head(length)
		if err != nil {
			return nil, err
		}
		size := int(v >> shift)
		taken := size
		if kind == 1 {
			taken = 1
		}
		if size > most || taken > len(block) {
			return nil, errCorrupt
		}
		d.room(size)
		if kind == 1 {
			fill(d.literals, block[0])
		} else {
			copy(d.literals, block)
		}
		return block[taken:], nil
	}
	streams, length, bits := 4, 3, 10
	switch format {
	case 0:
		streams = 1
	case 2:
		length, bits = 4, 14
	case 3:
		length, bits = 5, 18
	}
	v, err := head(length)
	if err != nil {
		return nil, err
	}
	size, compressed := int(v>>4&(1<<bits-1)), int(v>>(4+bits)&(1<<bits-1))
	if size > most || compressed > len(block) {
		return nil, errCorrupt
	}
	data, rest := block[:compressed], block[compressed:]
	if kind == 2 {
		n, err := d.huffman.read(data)
		if err != nil {
			return nil, err
		}
		data = data[n:]
	}
	if d.huffman.log == 0 {
		return nil, errCorrupt
	}
	d.room(size)
	if streams == 1 {
		return rest, d.huffman.decode(d.literals, data)
	}
	return rest, d.fourStreams(data)
}

// room makes room for so many literals.
func (d *decoder) room(size int) {
	if cap(d.literals) < size {
		d.literals = make([]byte, maxBlock)
	}
	d.literals = d.literals[:size]
}

// fourStreams decodes literals that are in four streams of the same length, but the
// last.
func (d *decoder) fourStreams(data []byte) error {
	const jumps = 6
	if len(data) < jumps {
		return errCorrupt
	}
	part := (len(d.literals) + 3) / 4
	if 3*part > len(d.literals) {
		return errCorrupt
	}
	streams := data[jumps:]
	literals := d.literals
	for i := range 4 {
		length, size := len(streams), len(literals)
		if i < 3 {
			length, size = int(binary.LittleEndian.Uint16(data[2*i:])), part
		}
		if length > len(streams) {
			return errCorrupt
		}
		if err := d.huffman.decode(literals[:size], streams[:length]); err != nil {
			return err
		}
		streams, literals = streams[length:], literals[size:]
	}
	return nil
}

// sequenceCount reads how many sequences there are.
func sequenceCount(data []byte) (count int, rest []byte, err error) {
	if len(data) == 0 {
		return 0, nil, errCorrupt
	}
	first := int(data[0])
	length := 1
	switch {
	case first == 255:
		length = 3
	case first >= 128:
		length = 2
	}
	if len(data) < length {
		return 0, nil, errCorrupt
	}
	switch length {
	case 1:
		count = first
	case 2:
		count = (first-128)<<8 + int(data[1])
	case 3:
		count = int(binary.LittleEndian.Uint16(data[1:])) + 0x7f00
	}
	return count, data[length:], nil
}

// readTables reads which tables the sequences are coded with.
func (d *decoder) readTables(data []byte) (rest []byte, err error) {
	if len(data) == 0 {
		return nil, errCorrupt
	}
	modes := data[0]
	data = data[1:]
	if modes&3 != 0 {
		return nil, errReserved
	}
	for i := range kinds {
		t, kind := &d.tables[i], &kinds[i]
		switch modes >> (6 - 2*i) & 3 {
		case 0:
			t.log, t.entries = kind.predefined.log, append(t.entries[:0], kind.predefined.entries...)
		case 1:
			if len(data) == 0 || int(data[0]) > kind.maxSymbol {
				return nil, errCorrupt
			}
			t.one(data[0])
			data = data[1:]
		case 2:
			n, err := t.read(data, kind.maxSymbol, kind.maxLog)
			if err != nil {
				return nil, err
			}
			data = data[n:]
		case 3:
			if !d.known[i] {
				return nil, errCorrupt
			}
		}
		d.known[i] = true
	}
	return data, nil
}

// tooFar is the value of an offset that is further back than any window is long.
const tooFar = MaxWindow + 4

// execute decodes the sequences, and does what they say: each appends literals, and
// then what was so many bytes before. dst becomes no longer than most.
func (d *decoder) execute(dst, data []byte, count, window, most int) ([]byte, error) {
	in, err := newBackward(data)
	if err != nil {
		return dst, err
	}
	var states [3]uint32
	for i := range states {
		states[i] = in.read(d.tables[i].log)
	}
	literals := d.literals
	for ; count > 0; count-- {
		var entries [3]fseEntry
		for i := range entries {
			entries[i] = d.tables[i].entries[states[i]]
		}
		value := func(i int) int {
			c := kinds[i].codes[entries[i].symbol]
			return int(min(uint64(c.base)+uint64(in.read(c.bits)), tooFar))
		}
		distance := value(offset)
		match := value(matchLength)
		length := value(literalLength)
		distance = d.distance(distance, length)
		if in.over > 0 || distance == 0 || length > len(literals) || len(dst)+length+match > most {
			return dst, errCorrupt
		}
		dst = append(dst, literals[:length]...)
		literals = literals[length:]
		from := len(dst) - distance
		if from < 0 || distance > window {
			return dst, errCorrupt
		}
		if distance >= match {
			dst = append(dst, dst[from:from+match]...)
		} else { // it repeats itself
			for match > 0 {
				n := min(match, len(dst)-from)
				dst = append(dst, dst[from:from+n]...)
				match -= n
			}
		}
		if count > 1 {
			for _, i := range []int{literalLength, matchLength, offset} {
				states[i] = uint32(entries[i].base) + in.read(int(entries[i].bits))
			}
		}
	}
	if !in.ended() || len(dst)+len(literals) > most {
		return dst, errCorrupt
	}
	return append(dst, literals...), nil
}

// distance returns how far back a match is, of the value of its offset: up to 3 that
// is one that was used before, and else 3 more than the distance. It is 0 where it
// cannot be.
func (d *decoder) distance(value, literals int) int {
	o := &d.offsets
	if value > 3 {
		*o = [3]int{value - 3, o[0], o[1]}
		return o[0]
	}
	if literals == 0 { // the last one would have been part of the match before
		value++
	}
	switch value {
	case 2:
		*o = [3]int{o[1], o[0], o[2]}
	case 3:
		*o = [3]int{o[2], o[0], o[1]}
	case 4:
		*o = [3]int{o[0] - 1, o[0], o[1]}
	}
	return o[0]
}
