package pack

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/multiformats/go-multihash"
)

// pageEntries is how many entries of the index a page has: with a digest of 32
// bytes, 5 KiB.
const pageEntries = 128

// offsetBytes are what an entry has behind its digest.
const offsetBytes = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// table tells where the pages of the index are, and what is in them.
type table struct {
	dataOffset int64  // of the CARv1, which the index counts from
	first      int64  // section
	headSum    uint32 // CRC-32C of what is between the two: the header with the roots
	dataEnd    int64  // behind the last section
	groups     []group
}

// group is a part of the index: the blocks whose hashes are of one function and
// length. Its entries are a digest and an offset, in the order of the digests.
type group struct {
	code  uint64
	width int // of an entry
	count int
	at    int64 // of the first entry, in the file
	pages []page
}

// page says what up to pageEntries entries are.
type page struct {
	first uint64 // the first 8 bytes of the first digest
	sum   uint32 // CRC-32C of the entries
}

const (
	tableMagic   = "hamtpage" // behind it the table's length, and at the end of the padding
	pageBytes    = 8 + 4
	groupBytes   = 8 + 4 + 8 + 8
	tableHead    = 8 + 8 + 8 + 4 + 4 + 4
	tableTrailer = 4 + 4 + len(tableMagic) // checksum, length, magic
)

// append appends the table as a file has it.
func (t *table) append(dst []byte) []byte {
	begin := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.dataOffset))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.first))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.dataEnd))
	dst = binary.LittleEndian.AppendUint32(dst, t.headSum)
	dst = binary.LittleEndian.AppendUint32(dst, pageEntries)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(t.groups)))
	for _, g := range t.groups {
		dst = binary.LittleEndian.AppendUint64(dst, g.code)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(g.width))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(g.count))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(g.at))
	}
	for _, g := range t.groups {
		for _, p := range g.pages {
			dst = binary.LittleEndian.AppendUint64(dst, p.first)
			dst = binary.LittleEndian.AppendUint32(dst, p.sum)
		}
	}
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], castagnoli))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(dst)-begin))
	return append(dst, tableMagic...)
}

// tableBytes returns how long a table is that append makes.
func (t *table) tableBytes() int {
	n := tableHead + groupBytes*len(t.groups) + tableTrailer
	for _, g := range t.groups {
		n += pageBytes * pagesOf(g.count)
	}
	return n
}

func pagesOf(entries int) int { return (entries + pageEntries - 1) / pageEntries }

var errTable = errors.New("the page table is damaged")

// maxTable is the longest table that is read: that of more than half a billion blocks. A
// damaged length must not cost as much memory as it says.
const maxTable = 64 << 20

// readTable reads the table that ends where the index begins.
func readTable(r io.ReaderAt, size, index int64) (*table, error) {
	var trailer [tableTrailer]byte
	if index < int64(len(trailer)) || index > size {
		return nil, errTable
	}
	if err := readFull(r, trailer[:], index-int64(len(trailer))); err != nil {
		return nil, err
	}
	if string(trailer[8:]) != tableMagic {
		return nil, fmt.Errorf("%w, or was written by other software", errTable)
	}
	length := int64(binary.LittleEndian.Uint32(trailer[4:]))
	begin := index - int64(len(tableMagic)) - 4 - length
	if length < tableHead+4 || length > maxTable || begin < 0 {
		return nil, errTable
	}
	data := make([]byte, length)
	if err := readFull(r, data, begin); err != nil {
		return nil, err
	}
	body := data[:length-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[length-4:]) {
		return nil, errTable
	}
	t := &table{
		dataOffset: int64(binary.LittleEndian.Uint64(body)),
		first:      int64(binary.LittleEndian.Uint64(body[8:])),
		dataEnd:    int64(binary.LittleEndian.Uint64(body[16:])),
		headSum:    binary.LittleEndian.Uint32(body[24:]),
	}
	groups := int(binary.LittleEndian.Uint32(body[32:]))
	if binary.LittleEndian.Uint32(body[28:]) != pageEntries || groups > len(body)/groupBytes ||
		t.dataOffset < 0 || t.first < t.dataOffset || t.dataEnd < t.first || t.dataEnd > begin {
		return nil, errTable
	}
	body = body[tableHead:]
	if len(body) < groups*groupBytes {
		return nil, errTable
	}
	pages := body[groups*groupBytes:]
	for ; groups > 0; groups-- {
		g := group{
			code:  binary.LittleEndian.Uint64(body),
			width: int(binary.LittleEndian.Uint32(body[8:])),
			count: int(binary.LittleEndian.Uint64(body[12:])),
			at:    int64(binary.LittleEndian.Uint64(body[20:])),
		}
		body = body[groupBytes:]
		if g.width < offsetBytes || g.width > maxDigest+offsetBytes || g.count < 0 || g.at < 0 ||
			g.count > len(pages)/pageBytes*pageEntries {
			return nil, errTable
		}
		g.pages = make([]page, pagesOf(g.count))
		for i := range g.pages {
			g.pages[i] = page{binary.LittleEndian.Uint64(pages), binary.LittleEndian.Uint32(pages[8:])}
			pages = pages[pageBytes:]
		}
		t.groups = append(t.groups, g)
	}
	if len(pages) > 0 {
		return nil, errTable
	}
	return t, nil
}

// PageError reports that a page of the index is damaged.
type PageError struct {
	Offset int64 // of the page in the pack
	Err    error // what is wrong
}

func (e *PageError) Error() string {
	return fmt.Sprintf("the index is damaged at byte %d: %v", e.Offset, e.Err)
}

func (e *PageError) Unwrap() error { return e.Err }

var errSum = errors.New("wrong checksum")

var pageBuffers = sync.Pool{New: func() any { return new([]byte) }}

// find returns the entry of a multihash. A page that cannot be believed is a
// PageError, also where the digest may not be in it.
func (t *table) find(r io.ReaderAt, hash string) (e Entry, ok bool, err error) {
	code, digest, err := splitHash(hash)
	if err != nil {
		return e, false, err
	}
	base := 0
	i := slices.IndexFunc(t.groups, func(g group) bool {
		if g.code == code && g.width == len(digest)+offsetBytes {
			return true
		}
		base += g.count
		return false
	})
	if i < 0 {
		return e, false, nil
	}
	g := &t.groups[i]
	first := firstBytes(digest)
	// The page before the first that begins behind the digest, or with the same
	// bytes: more than one page begins so only where digests are short.
	p, _ := slices.BinarySearchFunc(g.pages, first, func(p page, first uint64) int { return cmp.Compare(p.first, first) })
	for p = max(p-1, 0); p < len(g.pages) && g.pages[p].first <= first; p++ {
		buffer := pageBuffers.Get().(*[]byte)
		*buffer, err = g.read(r, p, *buffer)
		if err == nil {
			e.Number, ok = g.search(*buffer, digest)
		}
		if ok {
			e.Offset = t.dataOffset + g.offset(*buffer, e.Number)
			e.Number += base + p*pageEntries
		}
		pageBuffers.Put(buffer)
		if err != nil || ok {
			return e, ok, err
		}
	}
	return e, false, nil
}

// count returns how many entries there are.
func (t *table) count() (n int) {
	for _, g := range t.groups {
		n += g.count
	}
	return n
}

// entry returns the offset and the multihash of an entry by its number.
func (t *table) entry(r io.ReaderAt, number int) (at int64, hash multihash.Multihash, err error) {
	for i := range t.groups {
		g := &t.groups[i]
		if number >= g.count {
			number -= g.count
			continue
		}
		page, err := g.read(r, number/pageEntries, nil)
		if err != nil {
			return 0, nil, err
		}
		n := number % pageEntries
		hash, err := multihash.Encode(g.digest(page, n), g.code)
		return t.dataOffset + g.offset(page, n), hash, err
	}
	return 0, nil, errNumber
}

var errNumber = errors.New("no entry of the index has that number")

func firstBytes(digest string) uint64 {
	var first [8]byte
	copy(first[:], digest)
	return binary.BigEndian.Uint64(first[:])
}

// read reads a page, into a buffer where it has room.
func (g *group) read(r io.ReaderAt, p int, buffer []byte) ([]byte, error) {
	entries := min(g.count-p*pageEntries, pageEntries)
	buffer = slices.Grow(buffer[:0], entries*g.width)[:entries*g.width]
	at := g.at + int64(p)*pageEntries*int64(g.width)
	if err := readFull(r, buffer, at); err != nil {
		return buffer, &PageError{at, err}
	}
	if crc32.Checksum(buffer, castagnoli) != g.pages[p].sum {
		return buffer, &PageError{at, errSum}
	}
	return buffer, nil
}

// search returns which entry of a page has a digest.
func (g *group) search(page []byte, digest string) (n int, ok bool) {
	entries := len(page) / g.width
	n = sort.Search(entries, func(i int) bool { return string(g.digest(page, i)) >= digest })
	return n, n < entries && string(g.digest(page, n)) == digest
}

func (g *group) digest(page []byte, n int) []byte {
	return page[n*g.width : (n+1)*g.width-offsetBytes]
}

// offset returns the offset that an entry has, from the beginning of the CARv1.
func (g *group) offset(page []byte, n int) int64 {
	return int64(binary.LittleEndian.Uint64(page[(n+1)*g.width-offsetBytes:]))
}

// readFull reads all of p, and returns io.ErrUnexpectedEOF where the file ends
// before.
func readFull(r io.ReaderAt, p []byte, at int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
