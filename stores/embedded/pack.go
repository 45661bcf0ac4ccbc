package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// packName is the file of blocks in the store's directory.
const packName = "blocks"

const (
	// streams is how many places are remembered at which reading may go on.
	// A walk reads the children of a node one after the other, and in between,
	// ahead of its time, those on the levels above.
	streams = 16
	// The first stretch that is read at once, and the largest; what a stream
	// holds is let go when it goes on.
	minStretch = 16 << 10
	maxStretch = 256 << 10
)

// pack is the file of blocks, each behind its CID, about in the order in which
// they were put (see waiting). A tree is built from the first hash to the last, so whoever goes
// through it later reads the file from one end to the other: where one block
// was found, the next one wanted is most likely the one behind it. That costs
// no lookup, and one access to the file for hundreds of small blocks.
//
// It is safe for concurrent use, but by one writer.
type pack struct {
	file vfs.File // nil where nothing was ever written

	mu      sync.Mutex
	end     int64    // of all that the index knows; what is behind was left by a crash
	streams []stream // last used first
}

// stream is a place at which reading may go on.
type stream struct {
	next int64  // where
	data []byte // of the file, up to the end of what was read at once
	from int64  // where data begins
}

// place is where a record stands.
type place struct {
	at     int64
	length int
}

func (p place) end() int64 { return p.at + int64(p.length) }

// append appends a place as the engine keeps it.
func (p place) append(dst []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(p.at)), uint64(p.length))
}

func parsePlace(value []byte) (place, error) {
	at, width := binary.Uvarint(value)
	length, rest := binary.Uvarint(value[max(width, 0):])
	if width <= 0 || rest <= 0 || at > math.MaxInt64/2 || length > math.MaxInt32 {
		return place{}, errors.New("no place in the file of blocks")
	}
	return place{int64(at), int(length)}, nil
}

// appendRecord appends the record of a block: two lengths and what they are of.
func appendRecord(dst []byte, c string, block []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c)))
	dst = append(dst, c...)
	dst = binary.AppendUvarint(dst, uint64(len(block)))
	return append(dst, block...)
}

// parseRecord finds the block of a CID at the beginning of data, if that is
// the record there, and all of it is.
func parseRecord(data []byte, c string) (block []byte, length int, ok bool) {
	cidLength, width := binary.Uvarint(data)
	if width <= 0 || cidLength != uint64(len(c)) || len(data)-width < len(c) || string(data[width:width+len(c)]) != c {
		return nil, 0, false
	}
	head := width + len(c)
	blockLength, width := binary.Uvarint(data[head:])
	if width <= 0 || blockLength > uint64(len(data)-head-width) {
		return nil, 0, false
	}
	head += width
	length = head + int(blockLength)
	return data[head:length:length], length, true
}

// openPack opens the file of blocks of a store, of which the index knows the
// first end bytes.
func openPack(dir string, end int64, write bool) (*pack, error) {
	p := &pack{end: end}
	path := filepath.Join(dir, packName)
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	absent := err != nil
	if !absent && info.Size() < end || absent && end > 0 {
		return nil, fmt.Errorf("%s is damaged: it has lost blocks, of %d bytes", path, end)
	}
	if !write {
		if !absent {
			p.file, err = vfs.Default.Open(path)
		}
		return p, err
	}
	if !absent && info.Size() > end {
		if err := os.Truncate(path, end); err != nil {
			return nil, err
		}
	}
	if p.file, err = vfs.Default.OpenReadWrite(path, vfs.WriteCategoryUnspecified); err != nil {
		return nil, err
	}
	if end == 0 { // who made the file, now or before, may have come no further
		if err := syncDir(dir); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

// syncDir brings a directory to the disk, that a new file in it is found.
func syncDir(path string) error {
	dir, err := vfs.Default.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (p *pack) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// write appends records, returns when they are on the disk, and says where they
// begin.
func (p *pack) write(records []byte) (begin int64, err error) {
	begin = p.end // that nobody else changes
	if _, err := p.file.WriteAt(records, begin); err != nil {
		return 0, err
	}
	if err := p.file.SyncData(); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end += int64(len(records))
	return begin, nil
}

// following gives the block of a CID if it stands where reading may go on.
func (p *pack) following(c string) (block []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.streams {
		s := &p.streams[i]
		if block, length, ok := parseRecord(s.data[s.next-s.from:], c); ok {
			s.next += int64(length)
			p.toFront(i)
			return block, true
		}
	}
	return nil, false
}

// toFront makes a stream the one that was used last. p.mu is locked.
func (p *pack) toFront(i int) {
	s := p.streams[i]
	copy(p.streams[1:i+1], p.streams[:i])
	p.streams[0] = s
}

// read gives the block of a CID, whose record stands at a place. Where reading
// goes on there, what is behind it is read too.
func (p *pack) read(c string, at place) (block []byte, err error) {
	s, ok := p.held(at)
	if !ok {
		if s, err = p.load(at); err != nil {
			return nil, err
		}
	}
	block, length, ok := parseRecord(s.data[at.at-s.from:], c)
	if !ok || length != at.length {
		return nil, fmt.Errorf("%s: damaged at byte %d", packName, at.at)
	}
	s.next = at.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.streams) < streams {
		p.streams = append(p.streams, stream{})
	}
	last := len(p.streams) - 1
	p.streams[last] = s
	p.toFront(last)
	return block, nil
}

// held gives what is in memory around a record.
func (p *pack) held(at place) (stream, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.streams {
		if s.from <= at.at && at.end() <= s.from+int64(len(s.data)) {
			return s, true
		}
	}
	return stream{}, false
}

// load reads a record from the file, and more where a stream has come to it.
func (p *pack) load(at place) (stream, error) {
	s := stream{data: make([]byte, p.stretch(at)), from: at.at}
	if _, err := p.file.ReadAt(s.data, at.at); err != nil {
		return s, fmt.Errorf("%s: byte %d: %w", packName, at.at, err)
	}
	return s, nil
}

// stretch is how much to read from a place on. A stream that ends there is
// forgotten: what is read takes its place.
func (p *pack) stretch(at place) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.streams, func(s stream) bool { return s.next == at.at })
	if i < 0 {
		return at.length
	}
	length := min(max(2*len(p.streams[i].data), minStretch), maxStretch)
	p.streams = slices.Delete(p.streams, i, i+1)
	return max(at.length, int(min(int64(length), p.end-at.at)))
}
