package pack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multihash"
	"github.com/multiformats/go-varint"
)

// Section is a block where it stands in a pack.
type Section struct {
	Offset int64
	// Number is that of the index's entry for the section; -1 where it has none,
	// or one that cannot be believed: then [Pack.Find] knows.
	Number int
	CID    cid.Cid
	// Block is valid until the next section is asked for. Its hash has been
	// checked, if the hash function is registered.
	Block []byte
}

// Sections visits the blocks in the order in which they stand, reading the
// pack once from one end to the other, and checks each by its hash. A stretch in
// which there is no section that can be believed is visited as a *DamageError;
// it ends with the next section that can be. It takes 16 bytes of memory a block.
func (p *Pack) Sections(ctx context.Context) iter.Seq2[Section, error] {
	return func(yield func(Section, error) bool) {
		first, end, err := p.bounds()
		if err != nil {
			yield(Section{}, err)
			return
		}
		known, _ := p.known()
		p.sections(ctx, first, end, known)(yield)
	}
}

// Scan visits the sections between two offsets of a CAR as [Pack.Sections] does, of
// any CAR whose header the caller has read.
func Scan(ctx context.Context, r io.ReaderAt, first, end int64) iter.Seq2[Section, error] {
	return newPack(r, end).sections(ctx, first, end, nil)
}

func (p *Pack) sections(ctx context.Context, first, end int64, known offsets) iter.Seq2[Section, error] {
	return func(yield func(Section, error) bool) {
		w := window{r: p.r, size: p.size, ahead: windowBytes}
		for at := first; at < end; {
			if err := ctx.Err(); err != nil {
				yield(Section{}, err)
				return
			}
			entry, next := known.at(at, end)
			section, length, err := w.section(at, next)
			if err == nil && entry.number >= 0 && entry.sum != sumOf(section.CID.Hash()) {
				err = errSection // and what the head says is by chance the hash of something
			}
			section.Number = int(entry.number)
			if err == nil {
				if !yield(section, nil) {
					return
				}
				at += length
				continue
			}
			damage := w.damage(at, p.hashOf(entry.number), err)
			if at, err = w.search(ctx, at, next); err != nil {
				yield(section, err)
				return
			}
			if !yield(section, damage) {
				return
			}
		}
	}
}

// hashOf returns the multihash of an entry of the index, or nil.
func (p *Pack) hashOf(number int32) multihash.Multihash {
	if number < 0 {
		return nil
	}
	if _, hash, err := p.table.entry(p.r, int(number)); err == nil {
		return hash
	}
	return nil
}

// windowBytes are read at once by whoever reads all.
const windowBytes = 1 << 20

// window is what is in memory of a file that is read from one end to the other.
type window struct {
	r     io.ReaderAt
	size  int64
	ahead int64 // how much is read at once
	from  int64
	data  []byte
}

// upTo returns what stands at an offset: n bytes, or what is there.
func (w *window) upTo(at int64, n int64) ([]byte, error) {
	if at < w.from || at+n > w.from+int64(len(w.data)) {
		ahead := int(min(max(n, w.ahead), max(w.size-at, 0)))
		w.data = slices.Grow(w.data[:0], ahead)[:ahead]
		w.from = at
		read, err := w.r.ReadAt(w.data, at)
		w.data = w.data[:read]
		if err != nil && !errors.Is(err, io.EOF) && int64(read) < n {
			return nil, err
		}
	}
	rest := w.data[at-w.from:]
	return rest[:min(n, int64(len(rest)))], nil
}

// errSection reports that there is no section, or one with the wrong bytes.
var errSection = errors.New("no section that can be believed")

// head returns the head of a section at an offset, which ends before another, and
// the CID that is in it.
func (w *window) head(at, end int64) (h head, c cid.Cid, err error) {
	data, err := w.upTo(at, min(maxHead, end-at))
	if err != nil {
		return h, c, err
	}
	h, ok := parseHead(data)
	if !ok || int64(h.end) > end-at {
		return h, c, errSection
	}
	if c, err = cid.Cast(data[h.cid:h.block]); err != nil {
		return h, c, errSection
	}
	return h, c, nil
}

// section returns the section at an offset, which ends before another, and its
// length.
func (w *window) section(at, end int64) (s Section, length int64, err error) {
	s.Offset = at
	h, c, err := w.head(at, end)
	if err != nil {
		return s, 0, err
	}
	data, err := w.upTo(at, int64(h.end))
	if err != nil {
		return s, 0, err
	}
	if len(data) < h.end || checkHash(HashOf(c), data[h.block:h.end]) != nil {
		return s, 0, errSection
	}
	s.CID, s.Block = c, data[h.block:h.end]
	return s, int64(h.end), nil
}

// damage returns the error for a section at an offset that could not be read. The
// index has its hash, or nil.
func (w *window) damage(at int64, hash multihash.Multihash, err error) error {
	if err == nil {
		return nil
	}
	d := &DamageError{Offset: at}
	if !errors.Is(err, errSection) {
		d.Err = err
	}
	_, c, err := w.head(at, at+maxSection+maxHead) // of which the file may have lost the end
	switch {
	case err == nil && (hash == nil || bytes.Equal(c.Hash(), hash)):
		d.CID = c
	case hash != nil:
		d.CID = cid.NewCidV1(cid.Raw, hash)
	}
	return d
}

// search returns where the next section that can be believed begins behind an
// offset, or end where there is none before that. What cannot be read is passed.
func (w *window) search(ctx context.Context, at, end int64) (int64, error) {
	for at++; at < end; at++ {
		if at%windowBytes == 0 && ctx.Err() != nil {
			return at, ctx.Err()
		}
		_, c, err := w.head(at, end)
		if err == nil {
			if !provable(c) {
				continue
			}
			_, _, err = w.section(at, end)
		}
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, errSection) {
			at = (at/diskBlock+1)*diskBlock - 1
		}
	}
	return end, nil
}

// provable reports whether bytes that have the hash of a CID do not have it by
// chance.
func provable(c cid.Cid) bool {
	const leastBytes = 20
	p := c.Prefix()
	if p.MhType == multihash.IDENTITY || p.MhLength < leastBytes {
		return false
	}
	_, err := multihash.GetHasher(p.MhType)
	return err == nil
}

// diskBlock is how much a disk reads, or fails to read, at once.
const diskBlock = 4096

// scanned is the index that is made from the sections.
type scanned struct{ entries entries }

// scanSections makes the index anew. Blocks that are damaged are in it where the
// index that was there had them, so that asking for them says so.
func (p *Pack) scanSections() (*scanned, error) {
	s := new(scanned)
	var lost []*DamageError
	for section, err := range p.Sections(context.Background()) {
		var damage *DamageError
		switch {
		case err == nil:
			err = s.entries.add(HashOf(section.CID), section.Offset)
		case errors.As(err, &damage):
			if err = nil; damage.CID.Defined() {
				lost = append(lost, damage)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	for _, damage := range lost { // unless the block is there whole, too
		if err := s.entries.add(HashOf(damage.CID), damage.Offset); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Check visits all that is damaged: headers, pages of the index, and blocks, as
// a *DamageError, or an error of r's.
func (p *Pack) Check(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		_, damaged := p.known()
		if err := p.checkHeaders(); err != nil {
			damaged = append(damaged, err)
		}
		for _, err := range damaged {
			if !yield(err) {
				return
			}
		}
		for _, err := range p.Sections(ctx) {
			if err != nil && !yield(err) {
				return
			}
		}
	}
}

// checkHeaders compares all that stands outside of sections and pages with the
// page table.
func (p *Pack) checkHeaders() error {
	if p.table == nil {
		_, err := p.Roots()
		return err
	}
	const size = car.PragmaSize + car.HeaderSize
	index := make([]byte, 8)
	if err := readFull(p.r, index, size-8); err != nil {
		return err
	}
	at := int64(binary.LittleEndian.Uint64(index))
	check := func(what string, at int64, want []byte) error {
		have := make([]byte, len(want))
		if err := readFull(p.r, have, at); err != nil {
			return err
		}
		if !bytes.Equal(have, want) {
			return fmt.Errorf("%s is damaged at byte %d", what, at)
		}
		return nil
	}
	if err := check("the CARv2 header", 0, p.table.start(at)); err != nil {
		return err
	}
	if len(p.table.groups) == 0 {
		if err := check("the index", at, p.table.prefix(0)); err != nil {
			return err
		}
	}
	for i, g := range p.table.groups {
		prefix := p.table.prefix(i)
		if err := check("the index", g.at-int64(len(prefix)), prefix); err != nil {
			return err
		}
	}
	head := make([]byte, p.table.first-p.table.dataOffset)
	if err := readFull(p.r, head, p.table.dataOffset); err != nil {
		return err
	}
	if crc32.Checksum(head, castagnoli) != p.table.headSum {
		return errHeader
	}
	return nil
}

// Roots returns the roots in the header.
func (p *Pack) Roots() ([]cid.Cid, error) {
	at, err := p.dataOffset()
	if err != nil {
		return nil, err
	}
	roots, _, err := p.header(at)
	return roots, err
}

// offsets are where sections begin, in their order, by the index.
type offsets []offset

type offset struct {
	at     int64
	number int32  // of the entry
	sum    uint32 // of its multihash
}

func sumOf(hash []byte) uint32 { return crc32.Checksum(hash, castagnoli) }

// at returns the entry for the section at an offset, with the number -1 where there
// is none; and the next offset behind it, or the end.
func (o offsets) at(at, end int64) (entry offset, next int64) {
	i, ok := slices.BinarySearchFunc(o, at, func(o offset, at int64) int { return cmp.Compare(o.at, at) })
	entry.number = -1
	if ok {
		entry = o[i]
		i++
	}
	if i < len(o) {
		end = min(end, o[i].at)
	}
	return entry, end
}

// known returns what the pages of the index say that can be believed, and the
// errors of those that cannot.
func (p *Pack) known() (known offsets, damaged []error) {
	if p.table == nil {
		return nil, []error{p.broken}
	}
	var buffer, hash []byte
	var err error
	known = make(offsets, 0, p.table.count())
	base := 0
	for i := range p.table.groups {
		g := &p.table.groups[i]
		prefix := append(varint.ToUvarint(g.code), varint.ToUvarint(uint64(g.width-offsetBytes))...)
		for n := range g.pages {
			if buffer, err = g.read(p.r, n, buffer); err != nil {
				damaged = append(damaged, err)
				continue
			}
			for j := range len(buffer) / g.width {
				hash = append(append(hash[:0], prefix...), g.digest(buffer, j)...)
				known = append(known, offset{
					at: p.table.dataOffset + g.offset(buffer, j), number: int32(base + n*pageEntries + j), sum: sumOf(hash),
				})
			}
		}
		base += g.count
	}
	slices.SortFunc(known, func(a, b offset) int { return cmp.Compare(a.at, b.at) })
	return known, damaged
}

// bounds returns where the first section begins and the last may end.
func (p *Pack) bounds() (first, end int64, err error) {
	if p.table != nil {
		return p.table.first, min(p.table.dataEnd, p.size), nil
	}
	data, err := p.dataOffset()
	if errors.Is(err, errHeader) || errors.Is(p.broken, ErrFormat) {
		return 0, p.size, nil // somewhere
	}
	if err != nil {
		return 0, 0, err
	}
	_, length, err := p.header(data)
	if err != nil && !errors.Is(err, errHeader) {
		return 0, 0, err
	}
	var field [8]byte
	if err := readFull(p.r, field[:], car.PragmaSize+24); err != nil {
		return 0, 0, err
	}
	end = p.size
	if n := binary.LittleEndian.Uint64(field[:]); n <= uint64(p.size-data) {
		end = data + int64(n)
	}
	return data + length, end, nil
}

// dataOffset returns where the CARv1 begins.
func (p *Pack) dataOffset() (int64, error) {
	if p.table != nil {
		return p.table.dataOffset, nil
	}
	var field [8]byte
	if err := readFull(p.r, field[:], car.PragmaSize+16); err != nil {
		return 0, err
	}
	at := binary.LittleEndian.Uint64(field[:])
	if at < car.PragmaSize+car.HeaderSize || at > uint64(p.size) {
		return 0, errHeader
	}
	return int64(at), nil
}

// header reads the header of the CARv1.
func (p *Pack) header(at int64) (roots []cid.Cid, length int64, err error) {
	var start [binary.MaxVarintLen64]byte
	n, err := p.r.ReadAt(start[:], at)
	if n == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	size, n := binary.Uvarint(start[:n])
	if n <= 0 || size > uint64(max(p.size-at, 0)) || size > maxSection {
		return nil, 0, errHeader
	}
	data := make([]byte, size)
	if err := readFull(p.r, data, at+int64(n)); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, errHeader
	} else if err != nil {
		return nil, 0, err
	}
	length = int64(n) + int64(size)
	nb := basicnode.Prototype.Map.NewBuilder()
	rest := buffer(data)
	if err := dagcbor.Decode(nb, &rest); err != nil {
		return nil, length, fmt.Errorf("%w: %w", errHeader, err)
	}
	list, err := nb.Build().LookupByString("roots")
	if err != nil {
		return nil, length, fmt.Errorf("%w: %w", errHeader, err)
	}
	for it := list.ListIterator(); it != nil && !it.Done(); {
		_, n, err := it.Next()
		if err != nil {
			return roots, length, err
		}
		link, err := n.AsLink()
		if err != nil {
			return roots, length, fmt.Errorf("%w: %w", errHeader, err)
		}
		if cl, ok := link.(cidlink.Link); ok {
			roots = append(roots, cl.Cid)
		}
	}
	return roots, length, nil
}

var errHeader = errors.New("the CAR's header is damaged")

// Read takes from the beginning.
func (b *buffer) Read(p []byte) (int, error) {
	if len(*b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, *b)
	*b = (*b)[n:]
	return n, nil
}

// Complete reports whether all of the index can be believed. Then every block that
// was written is known by its hash, though it may be damaged.
func (p *Pack) Complete() bool {
	if p.table == nil {
		return false
	}
	var buffer []byte
	var err error
	for i := range p.table.groups {
		g := &p.table.groups[i]
		for n := range g.pages {
			if buffer, err = g.read(p.r, n, buffer); err != nil {
				return false
			}
		}
	}
	return true
}

// Blocks returns how many blocks the index has; where there is none that can be
// believed, how many are found.
func (p *Pack) Blocks() (int, error) {
	if p.table != nil {
		return p.table.count(), nil
	}
	sections, err := p.scan()
	if err != nil {
		return 0, err
	}
	return sections.entries.count, nil
}

// Spans visits the entries of the index, in the order of the sections that they are
// for, by their numbers, and how many bytes there are up to the next.
func (p *Pack) Spans() (iter.Seq2[int, int64], error) {
	known, damaged := p.known()
	if len(damaged) > 0 {
		found, err := p.scan()
		if err != nil {
			return nil, err
		}
		before := 0
		if p.table != nil {
			before = p.table.count()
		}
		indexed := len(known)
		for number, at := range found.entries.offsets() {
			if entry, _ := known[:indexed].at(at, 0); entry.number < 0 {
				known = append(known, offset{at: at, number: int32(before + number)})
			}
		}
		slices.SortFunc(known, func(a, b offset) int { return cmp.Compare(a.at, b.at) })
	}
	_, end, err := p.bounds()
	return func(yield func(int, int64) bool) {
		for _, entry := range known {
			_, next := known.at(entry.at, end)
			if !yield(int(entry.number), next-entry.at) {
				return
			}
		}
	}, err
}
