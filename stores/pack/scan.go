package pack

import (
	"bytes"
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
)

// Section is a block where it stands in a pack.
type Section struct {
	Offset int64
	CID    cid.Cid
	// Block is valid until the next section is asked for. Its hash has been
	// checked, if the hash function is registered.
	Block []byte
}

// Sections visits the blocks in the order in which they stand, reading the
// pack once from one end to the other, and checks each by its hash. A stretch in
// which there is no section that can be believed is visited as a *DamageError,
// with the hash that the index has for it, if any; it ends where the index says
// that the next section begins.
func (p *Pack) Sections(ctx context.Context) iter.Seq2[Section, error] {
	return func(yield func(Section, error) bool) {
		known, _ := p.known()
		first, end, err := p.bounds()
		if err != nil {
			yield(Section{}, err)
			return
		}
		w := window{r: p.r, size: p.size}
		for at := first; at < end; {
			if err := ctx.Err(); err != nil {
				yield(Section{}, err)
				return
			}
			next := known.next(at, end)
			section, length, err := w.section(at, next)
			if err != nil {
				damage := &DamageError{Hash: known.hash(at), Offset: at}
				if !errors.Is(err, errSection) {
					damage.Err = err
				}
				if !yield(Section{Offset: at}, damage) {
					return
				}
				at = next
				continue
			}
			if !yield(section, nil) {
				return
			}
			at += length
		}
	}
}

// windowBytes are read at once by whoever reads all.
const windowBytes = 1 << 20

// window is what is in memory of a file that is read from one end to the other.
type window struct {
	r    io.ReaderAt
	size int64
	from int64
	data []byte
}

// upTo returns what stands at an offset: n bytes, or what is there.
func (w *window) upTo(at int64, n int64) ([]byte, error) {
	if at < w.from || at+n > w.from+int64(len(w.data)) {
		ahead := int(min(max(n, windowBytes), max(w.size-at, 0)))
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

// section returns the section at an offset, which ends before another, and its
// length.
func (w *window) section(at, end int64) (s Section, length int64, err error) {
	data, err := w.upTo(at, min(maxHead, end-at))
	if err != nil {
		return s, 0, err
	}
	h, ok := parseHead(data)
	if !ok || int64(h.end) > end-at {
		return s, 0, errSection
	}
	if data, err = w.upTo(at, int64(h.end)); err != nil {
		return s, 0, err
	}
	if len(data) < h.end {
		return s, 0, errSection
	}
	c, err := cid.Cast(data[h.cid:h.block])
	if err != nil {
		return s, 0, errSection
	}
	if checkHash(HashOf(c), data[h.block:h.end]) != nil {
		return s, 0, errSection
	}
	return Section{at, c, data[h.block:h.end]}, int64(h.end), nil
}

// scanned is the index that is made from the sections.
type scanned struct{ entries entries }

// scanSections makes the index anew. Blocks that are damaged are in it where the
// index that was there had them, so that asking for them says so.
func (p *Pack) scanSections() (*scanned, error) {
	s := new(scanned)
	for section, err := range p.Sections(context.Background()) {
		hash, at := HashOf(section.CID), section.Offset
		if err != nil {
			var damage *DamageError
			if !errors.As(err, &damage) {
				return nil, err
			}
			if damage.Hash == nil {
				continue
			}
			hash, at = string(damage.Hash), damage.Offset
		}
		if err := s.entries.add(hash, at); err != nil {
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

// offsets are where sections begin, in their order, and the hashes of the index.
type offsets []offset

type offset struct {
	at   int64
	hash multihash.Multihash
}

func (o offsets) hash(at int64) multihash.Multihash {
	i, ok := slices.BinarySearchFunc(o, at, func(o offset, at int64) int { return int(min(max(o.at-at, -1), 1)) })
	if !ok {
		return nil
	}
	return o[i].hash
}

// next returns the first offset behind one, or the end.
func (o offsets) next(at, end int64) int64 {
	i, ok := slices.BinarySearchFunc(o, at, func(o offset, at int64) int { return int(min(max(o.at-at, -1), 1)) })
	if ok {
		i++
	}
	if i == len(o) {
		return end
	}
	return o[i].at
}

// known returns what the pages of the index say that can be believed, and the
// errors of those that cannot.
func (p *Pack) known() (known offsets, damaged []error) {
	if p.table == nil {
		return nil, []error{p.broken}
	}
	var buffer []byte
	var err error
	for i := range p.table.groups {
		g := &p.table.groups[i]
		for n := range g.pages {
			if buffer, err = g.read(p.r, n, buffer); err != nil {
				damaged = append(damaged, err)
				continue
			}
			for ; len(buffer) > 0; buffer = buffer[g.width:] {
				digest := buffer[:g.width-offsetBytes]
				at := p.table.dataOffset + int64(binary.LittleEndian.Uint64(buffer[len(digest):]))
				hash, err := multihash.Encode(digest, g.code)
				if err == nil {
					known = append(known, offset{at, hash})
				}
			}
		}
	}
	slices.SortFunc(known, func(a, b offset) int { return int(min(max(a.at-b.at, -1), 1)) })
	return known, damaged
}

// bounds returns where the first section begins and the last may end.
func (p *Pack) bounds() (first, end int64, err error) {
	if p.table != nil {
		return p.table.first, min(p.table.dataEnd, p.size), nil
	}
	data, err := p.dataOffset()
	if err != nil {
		return 0, 0, err
	}
	_, length, err := p.header(data)
	if length == 0 {
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
	if n == 0 && err != nil {
		return nil, 0, err
	}
	size, n := binary.Uvarint(start[:n])
	if n <= 0 || size > uint64(max(p.size-at, 0)) || size > maxSection {
		return nil, 0, errHeader
	}
	data := make([]byte, size)
	if err := readFull(p.r, data, at+int64(n)); err != nil {
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
