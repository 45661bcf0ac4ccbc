package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"
)

const (
	// streams is how many places are remembered at which reading may go on.
	// A walk reads the children of a node one after the other, and in between,
	// ahead of its time, those on the levels above.
	streams = 16
	// lookBytes are read where nothing says that reading will go on: most
	// sections are shorter.
	lookBytes = 4 << 10
	// The first stretch that is read at once, and the largest; what a stream
	// holds is let go when it goes on.
	minStretch = 16 << 10
	maxStretch = 256 << 10
)

// Pack is a pack that is read. It is safe for concurrent use.
type Pack struct {
	r    io.ReaderAt
	size int64

	table   *table // nil where there is none that can be believed
	broken  error  // why there is none
	indexed bool   // nothing is looked for but by the index
	scan    func() (*scanned, error)

	mu      sync.Mutex
	streams []stream // last used first
}

// stream is a place at which reading may go on.
type stream struct {
	next int64  // where
	data []byte // of the file, up to the end of what was read at once
	from int64  // where data begins
}

// Entry is where the index says that a block is. Number tells it from all other
// entries of the pack, and is about the smallest that does.
type Entry struct {
	Number int
	Offset int64 // of the section
}

// ErrFormat reports that a file is no CARv2.
var ErrFormat = errors.New("not a CARv2")

// Open returns the pack of so many bytes. It reads its header and page table
// and no more; one whose table is damaged is scanned when a block is asked for.
// The error is ErrFormat where the file does not begin as a CARv2 does, or one
// of r's.
func Open(r io.ReaderAt, size int64) (*Pack, error) {
	p := newPack(r, size)
	var start [car.PragmaSize + car.HeaderSize]byte
	if err := readFull(r, start[:], 0); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it has %d bytes", ErrFormat, size)
		}
		return nil, err
	}
	index := int64(binary.LittleEndian.Uint64(start[car.PragmaSize+32:]))
	p.table, p.broken = readTable(r, size, index)
	if p.broken == nil {
		return p, nil
	}
	if !errors.Is(p.broken, errTable) && !errors.Is(p.broken, io.ErrUnexpectedEOF) {
		return nil, p.broken
	}
	if string(start[:car.PragmaSize]) != string(car.Pragma) {
		return nil, ErrFormat
	}
	return p, nil
}

// ErrNoIndex reports that a pack has no page table that can be believed.
var ErrNoIndex = errors.New("the pack has no index that can be believed")

// OpenIndexed is Open of a pack of which all is found by its index, and nothing by a
// scan: for one on another machine, whose size is what that machine says. The error wraps
// ErrNoIndex where there is no page table. What a page of the index is needed for that is
// damaged or cannot be read is a *PageError.
func OpenIndexed(r io.ReaderAt, size int64) (*Pack, error) {
	p, err := Open(r, size)
	if err != nil {
		return nil, err
	}
	if p.broken != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoIndex, p.broken)
	}
	p.indexed = true
	p.scan = func() (*scanned, error) { return nil, ErrNoIndex }
	return p, nil
}

// Salvage returns what is left of a pack that Open refuses. Sections are looked for
// in all of the file, when a block is asked for.
func Salvage(r io.ReaderAt, size int64) *Pack {
	p := newPack(r, size)
	p.broken = ErrFormat
	return p
}

func newPack(r io.ReaderAt, size int64) *Pack {
	p := &Pack{r: r, size: size}
	p.scan = sync.OnceValues(p.scanSections)
	return p
}

// HashOf returns the multihash of a CID, without copying it.
func HashOf(c cid.Cid) string {
	key := c.KeyString()
	if len(key) == 34 && key[0] == multihash.SHA2_256 && key[1] == 32 { // version 0
		return key
	}
	_, version := uvarint(key)
	_, codec := uvarint(key[version:])
	return key[version+codec:]
}

// Find returns the index's entry for a block, and reports whether there is one.
// What stands there is for [Pack.Read] to say. The error is one of the reader's.
func (p *Pack) Find(c cid.Cid) (e Entry, ok bool, err error) { return p.find(HashOf(c)) }

func (p *Pack) find(hash string) (e Entry, ok bool, err error) {
	before := 0
	if p.table != nil {
		e, ok, err = p.table.find(p.r, hash)
		var page *PageError
		if !errors.As(err, &page) || p.indexed {
			return e, ok, err
		}
		before = p.table.count()
	}
	sections, err := p.scan()
	if err != nil {
		return Entry{}, false, err
	}
	e, ok = sections.entries.find(hash)
	e.Number += before
	return e, ok, nil
}

// Get returns the block of a CID, and reports whether the pack has it. The bytes
// have been checked by their hash, and are not to be changed. Blocks are told
// apart by their multihash alone: one is found under any codec. The error is a
// *DamageError where the block should be there and is not, or one of the reader's.
func (p *Pack) Get(c cid.Cid) (block []byte, ok bool, err error) {
	return p.get(c, checking(c))
}

// Holds reports whether the pack has a block, and has it as it is given.
func (p *Pack) Holds(c cid.Cid, block []byte) bool {
	_, ok, err := p.get(c, func(have []byte) error {
		if !bytes.Equal(have, block) {
			return errHash
		}
		return nil
	})
	return ok && err == nil
}

// get returns a block that passes a check.
func (p *Pack) get(c cid.Cid, check func(block []byte) error) (block []byte, ok bool, err error) {
	// What follows a section whose length is damaged may look like a section.
	if block, ok := p.following(HashOf(c)); ok && check(block) == nil {
		return block, true, nil
	}
	e, ok, err := p.Find(c)
	if err != nil || !ok {
		return nil, false, err
	}
	if block, err = p.readChecked(c, e.Offset, check); err != nil {
		return nil, false, err
	}
	return block, true, nil
}

// Read returns the block whose entry Find returned, as Get does.
func (p *Pack) Read(c cid.Cid, e Entry) ([]byte, error) {
	return p.readChecked(c, e.Offset, checking(c))
}

func (p *Pack) readChecked(c cid.Cid, at int64, check func(block []byte) error) ([]byte, error) {
	block, err := p.read(c, at)
	if err != nil {
		return nil, err
	}
	if err := check(block); err != nil {
		return nil, &DamageError{c, at, err}
	}
	return block, nil
}

// Section returns what stands where an entry of the index says, by the entry's
// number. The error is a *DamageError, or one of the reader's.
func (p *Pack) Section(number int) (Section, error) {
	var at int64
	var hash multihash.Multihash
	var err error
	before := 0
	if p.table != nil {
		before = p.table.count()
	}
	if number < before {
		at, hash, err = p.table.entry(p.r, number)
	} else {
		sections, scanErr := p.scan()
		if scanErr != nil {
			return Section{}, scanErr
		}
		at, hash, err = sections.entries.entry(number - before)
	}
	if err != nil {
		return Section{}, err
	}
	w := window{r: p.r, size: p.size, ahead: lookBytes}
	s, _, err := w.section(at, p.size)
	if err == nil && !bytes.Equal(s.CID.Hash(), hash) {
		err = errSection
	}
	s.Number = number
	return s, w.damage(at, hash, err)
}

func checking(c cid.Cid) func(block []byte) error {
	return func(block []byte) error { return checkHash(HashOf(c), block) }
}

// checkHash returns an error if a block has another hash. It passes what was
// hashed by a function that is not registered.
func checkHash(hash string, block []byte) error {
	code, digest, err := splitHash(hash)
	if err != nil {
		return err
	}
	if code == multihash.SHA2_256 && len(digest) == sha256.Size {
		if sum := sha256.Sum256(block); string(sum[:]) != digest {
			return errHash
		}
		return nil
	}
	sum, err := multihash.Sum(block, code, len(digest))
	if errors.Is(err, multihash.ErrSumNotSupported) {
		return nil
	}
	if err == nil && string(sum) != hash {
		err = errHash
	}
	return err
}

var errHash = errors.New("wrong hash")

// Has reports whether the pack has a block: the head of its section is read, the
// block is not.
func (p *Pack) Has(c cid.Cid) (bool, error) {
	hash := HashOf(c)
	e, ok, err := p.find(hash)
	if err != nil || !ok {
		return false, err
	}
	at := e.Offset
	var data [maxHead]byte
	n := min(int64(len(data)), p.size-at)
	if n <= 0 {
		return false, nil
	}
	if err := readFull(p.r, data[:n], at); err != nil {
		return false, err
	}
	h, ok := parseHead(data[:n])
	return ok && string(data[h.hash:h.block]) == hash && at+int64(h.end) <= p.size, nil
}

// Following returns the block of a CID if it stands where reading may go on,
// has been read already, and has its hash.
func (p *Pack) Following(c cid.Cid) (block []byte, ok bool) {
	hash := HashOf(c)
	if block, ok = p.following(hash); !ok {
		return nil, false
	}
	return block, checkHash(hash, block) == nil
}

func (p *Pack) following(hash string) (block []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.streams {
		s := &p.streams[i]
		if block, end, ok := parseSection(s.data[s.next-s.from:], hash); ok {
			s.next += int64(end)
			p.toFront(i)
			return block, true
		}
	}
	return nil, false
}

// parseSection returns the block of a multihash if data begins with its section,
// and all of it is there.
func parseSection(data []byte, hash string) (block []byte, end int, ok bool) {
	h, ok := parseHead(data)
	if !ok || h.end > len(data) || string(data[h.hash:h.block]) != hash {
		return nil, 0, false
	}
	return data[h.block:h.end:h.end], h.end, true
}

// toFront makes a stream the one that was used last. p.mu is locked.
func (p *Pack) toFront(i int) {
	s := p.streams[i]
	copy(p.streams[1:i+1], p.streams[:i])
	p.streams[0] = s
}

// DamageError reports that a section is not what the index says, or cannot be
// read.
type DamageError struct {
	// CID is of the block that should be there. It has the codec raw where only
	// the index says which block that is, and is undefined where nothing does.
	CID    cid.Cid
	Offset int64 // of the section in the pack
	Err    error // what is wrong, or nil
}

func (e *DamageError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("damaged at byte %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("damaged at byte %d", e.Offset)
}

func (e *DamageError) Unwrap() error { return e.Err }

// read returns a block whose section begins at an offset. Where reading goes on
// there, what is behind it is read too.
func (p *Pack) read(c cid.Cid, at int64) (block []byte, err error) {
	s, stretch := p.resume(at)
	var end int
	switch {
	case s.data != nil:
	case stretch == 0:
		if block, end, err = look(p.r, p.size, c, at); err != nil {
			return nil, err
		}
		p.remember(stream{next: at + int64(end), from: at + int64(end)})
		return block, nil
	default:
		if s, err = p.load(at, stretch); err != nil {
			return nil, &DamageError{c, at, err}
		}
	}
	block, end, ok := parseSection(s.data[at-s.from:], HashOf(c))
	if !ok {
		return nil, &DamageError{CID: c, Offset: at}
	}
	s.next = at + int64(end)
	p.remember(s)
	return block, nil
}

// remember keeps a stream, and forgets the one that was not used for longest.
func (p *Pack) remember(s stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.streams) < streams {
		p.streams = append(p.streams, stream{})
	}
	last := len(p.streams) - 1
	p.streams[last] = s
	p.toFront(last)
}

// resume returns a stream that has the section at an offset in memory, or how
// much to read from there: 0 where nothing says that reading will go on. A
// stream that ends there is forgotten: what is read takes its place.
func (p *Pack) resume(at int64) (s stream, stretch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.streams {
		s := &p.streams[i]
		if s.from <= at && at < s.from+int64(len(s.data)) {
			if h, ok := parseHead(s.data[at-s.from:]); ok && at+int64(h.end) <= s.from+int64(len(s.data)) {
				return *s, 0
			}
		}
		if s.next == at {
			stretch = min(max(2*len(s.data), minStretch), maxStretch)
			p.streams = slices.Delete(p.streams, i, i+1)
			return stream{}, stretch
		}
	}
	return stream{}, 0
}

var lookBuffers = sync.Pool{New: func() any { return new([lookBytes]byte) }}

// look reads one section of a file that has so many bytes, into memory of its
// block's size.
func look(r io.ReaderAt, size int64, c cid.Cid, at int64) (block []byte, end int, err error) {
	damaged := func(err error) error { return &DamageError{c, at, err} }
	buffer := lookBuffers.Get().(*[lookBytes]byte)
	defer lookBuffers.Put(buffer)
	data := buffer[:max(0, min(lookBytes, size-at))]
	if err := readFull(r, data, at); err != nil {
		return nil, 0, damaged(err)
	}
	h, ok := parseHead(data)
	if !ok || string(data[h.hash:h.block]) != HashOf(c) {
		return nil, 0, damaged(nil)
	}
	if int64(h.end) > size-at {
		return nil, 0, damaged(io.ErrUnexpectedEOF)
	}
	block = make([]byte, h.end-h.block)
	n := copy(block, data[h.block:])
	if err := readFull(r, block[n:], at+int64(h.block+n)); err != nil {
		return nil, 0, damaged(err)
	}
	return block, h.end, nil
}

// load reads a stretch that begins with a section, and all of the section.
func (p *Pack) load(at int64, stretch int) (stream, error) {
	available := max(p.size-at, 0)
	s := stream{data: make([]byte, min(int64(stretch), available)), from: at}
	if err := readFull(p.r, s.data, at); err != nil {
		return s, err
	}
	h, ok := parseHead(s.data)
	if !ok || h.end <= len(s.data) || int64(h.end) > available {
		return s, nil
	}
	have := len(s.data)
	s.data = slices.Grow(s.data, h.end-have)[:h.end]
	return s, readFull(p.r, s.data[have:], at+int64(have))
}
