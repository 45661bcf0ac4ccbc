package pack

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-varint"
)

// File is what a pack is written to.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// Writer writes a pack: sections first, whatever their number, and at last what
// they are found by. It is not safe for concurrent use, except that Find and
// ReadAt of what was written may go on beside each other.
type Writer struct {
	file    File
	first   int64 // where the first section is
	at      int64 // where the next one goes
	entries entries
}

// Info is what a pack that was finished is.
type Info struct {
	Bytes  int64 // of the file
	Blocks int   // that the index has
}

// NewWriter returns a Writer that has room for so many roots, of 36 bytes each.
func NewWriter(file File, roots int) *Writer {
	const align = 4096
	first := int64(car.PragmaSize+car.HeaderSize) + headerBytes(roots)
	first = (first + align - 1) / align * align
	return &Writer{file: file, first: first, at: first}
}

// headerBytes returns how long the CARv1 header of so many roots is at most.
func headerBytes(roots int) int64 { return 64 + 48*int64(roots) }

// Len returns how many bytes there are up to the end of the last section.
func (w *Writer) Len() int64 { return w.at }

// Blocks returns how many blocks were written, each counted once.
func (w *Writer) Blocks() int { return w.entries.count }

// Write writes whole sections, as [AppendSection] makes them. A block that is
// there already is found where it was.
func (w *Writer) Write(sections []byte) (int, error) {
	if uint64(w.entries.count)+uint64(len(sections)) > maxEntries {
		return 0, errors.New("the pack is full")
	}
	for rest := sections; len(rest) > 0; {
		h, ok := parseHead(rest)
		if !ok || h.end > len(rest) {
			return 0, fmt.Errorf("no section of at most %d bytes in %x", maxSection, rest[:min(len(rest), maxHead)])
		}
		rest = rest[h.end:]
	}
	if _, err := w.file.WriteAt(sections, w.at); err != nil {
		return 0, err
	}
	for rest := sections; len(rest) > 0; {
		h, _ := parseHead(rest)
		if err := w.entries.add(string(rest[h.hash:h.block]), w.at); err != nil {
			return 0, err
		}
		w.at += int64(h.end)
		rest = rest[h.end:]
	}
	return len(sections), nil
}

// Get returns a block that was written, as it can be read, and reports whether it was
// written. The error is a *DamageError where it is another one.
func (w *Writer) Get(c cid.Cid) (block []byte, ok bool, err error) {
	hash := HashOf(c)
	e, ok := w.entries.find(hash)
	if !ok {
		return nil, false, nil
	}
	if block, _, err = look(w.file, w.at, c, e.Offset); err != nil {
		return nil, false, err
	}
	if err := checkHash(hash, block); err != nil {
		return nil, false, &DamageError{c, e.Offset, err}
	}
	return block, true, nil
}

// Has reports whether a block was written.
func (w *Writer) Has(c cid.Cid) bool {
	_, ok := w.entries.find(HashOf(c))
	return ok
}

// Finish writes the index and the headers, with the roots. The pack is one when
// the file is synced after that.
func (w *Writer) Finish(roots ...cid.Cid) (Info, error) {
	head, err := carHeader(roots)
	if err != nil {
		return Info{}, err
	}
	if int64(len(head))+car.PragmaSize+car.HeaderSize > w.first {
		return Info{}, fmt.Errorf("no room for %d roots", len(roots))
	}
	t := table{dataOffset: w.first - int64(len(head)), headSum: crc32.Checksum(head, castagnoli), first: w.first, dataEnd: w.at}
	end, err := w.writeIndex(&t)
	if err != nil {
		return Info{}, err
	}
	start := t.start(w.at + int64(t.tableBytes()))
	if _, err := w.file.WriteAt(head, t.dataOffset); err != nil {
		return Info{}, err
	}
	if _, err := w.file.WriteAt(start, 0); err != nil {
		return Info{}, err
	}
	return Info{Bytes: end, Blocks: w.entries.count}, nil
}

// start returns the pragma and the header of the CARv2 whose index begins at an
// offset.
func (t *table) start(index int64) []byte {
	start := make([]byte, 0, car.PragmaSize+car.HeaderSize)
	start = append(start, car.Pragma...)
	start = append(start, make([]byte, 16)...) // no characteristics
	start = binary.LittleEndian.AppendUint64(start, uint64(t.dataOffset))
	start = binary.LittleEndian.AppendUint64(start, uint64(t.dataEnd-t.dataOffset))
	return binary.LittleEndian.AppendUint64(start, uint64(index))
}

// carHeader returns the header of a CARv1.
func carHeader(roots []cid.Cid) ([]byte, error) {
	n, err := qp.BuildMap(basicnode.Prototype.Any, 2, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "roots", qp.List(int64(len(roots)), func(la datamodel.ListAssembler) {
			for _, root := range roots {
				qp.ListEntry(la, qp.Link(cidlink.Link{Cid: root}))
			}
		}))
		qp.MapEntry(ma, "version", qp.Int(1))
	})
	if err != nil {
		return nil, err
	}
	var body buffer
	if err := dagcbor.Encode(n, &body); err != nil {
		return nil, err
	}
	return append(varint.ToUvarint(uint64(len(body))), body...), nil
}

// buffer is an io.Writer that appends.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// writeIndex writes the page table and the index behind the sections, fills in
// the table, and returns where the file ends. The table comes first, and its
// length is known beforehand.
func (w *Writer) writeIndex(t *table) (end int64, err error) {
	w.entries.sort()
	for _, g := range w.entries.groups {
		t.groups = append(t.groups, group{code: g.code, width: g.width, count: g.count})
	}
	index := w.at + int64(t.tableBytes())
	file := io.NewOffsetWriter(w.file, index)
	out := bufio.NewWriterSize(file, min(1<<20, 64*(w.entries.count+1)))
	at := index
	write := func(p []byte) {
		n, _ := out.Write(p) // what fails, fails again in Flush
		at += int64(n)
	}
	if len(t.groups) == 0 {
		write(t.prefix(0))
	}
	for i := range t.groups {
		g := &t.groups[i]
		write(t.prefix(i))
		g.at = at
		g.pages = make([]page, 0, pagesOf(g.count))
		entries := &w.entries.groups[i]
		buffer := make([]byte, 0, pageEntries*g.width)
		for sorted := entries.sorted(); len(sorted) > 0; {
			n := min(len(sorted), pageEntries)
			buffer = buffer[:0]
			for _, e := range sorted[:n] {
				entry := entries.entry(int(e))
				buffer = append(buffer, entry[:g.width-offsetBytes]...)
				offset := int64(binary.LittleEndian.Uint64(entry[g.width-offsetBytes:])) - t.dataOffset
				buffer = binary.LittleEndian.AppendUint64(buffer, uint64(offset))
			}
			g.pages = append(g.pages, page{
				first: firstBytes(string(buffer[:g.width-offsetBytes])),
				sum:   crc32.Checksum(buffer, castagnoli),
			})
			write(buffer)
			sorted = sorted[n:]
		}
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	_, err = w.file.WriteAt(t.append(nil), w.at)
	return at, err
}

// prefix returns what the index has before the entries of a group. The groups are
// sorted.
func (t *table) prefix(i int) (p []byte) {
	if i == 0 {
		codes := 0
		for j, g := range t.groups {
			if j == 0 || t.groups[j-1].code != g.code {
				codes++
			}
		}
		p = varint.ToUvarint(uint64(multicodec.CarMultihashIndexSorted))
		p = binary.LittleEndian.AppendUint32(p, uint32(codes))
	}
	if i == len(t.groups) {
		return p
	}
	g := t.groups[i]
	if i == 0 || t.groups[i-1].code != g.code {
		widths := 0
		for _, other := range t.groups {
			if other.code == g.code {
				widths++
			}
		}
		p = binary.LittleEndian.AppendUint64(p, g.code)
		p = binary.LittleEndian.AppendUint32(p, uint32(widths))
	}
	p = binary.LittleEndian.AppendUint32(p, uint32(g.width))
	return binary.LittleEndian.AppendUint64(p, uint64(g.count)*uint64(g.width))
}
