package links

import (
	"bytes"
	"encoding/binary"

	"github.com/ipfs/go-cid"
)

// Major types of CBOR, in the top bits of a head.
const (
	majorUint   = 0x00
	majorNegInt = 0x20
	majorBytes  = 0x40
	majorString = 0x60
	majorList   = 0x80
	majorMap    = 0xa0
	majorTag    = 0xc0
	majorSimple = 0xe0
)

// maxDepth is the deepest nesting that go-ipld-prime's codec reads.
const maxDepth = 1024

// inDagCBOR returns the links in a block that is in the strict form, without
// decoding it: a block of some MiB can have more in it than the decoder takes,
// and be many times as large when it is decoded.
func inDagCBOR(block []byte) (links []cid.Cid, ok bool) {
	s := scanner{rest: block}
	if !s.value(0) || len(s.rest) > 0 {
		return nil, false
	}
	return s.links, true
}

// scanner reads DAG-CBOR from the front of rest. Its methods report whether what
// they read is in the strict form.
type scanner struct {
	rest  []byte
	links []cid.Cid
}

// head reads a head, whose argument has to be in its shortest form.
func (s *scanner) head() (major byte, argument uint64, ok bool) {
	if len(s.rest) == 0 {
		return 0, 0, false
	}
	major, low := s.rest[0]&0xe0, s.rest[0]&0x1f
	s.rest = s.rest[1:]
	if low < 24 {
		return major, uint64(low), true
	}
	if low > 27 {
		return 0, 0, false
	}
	width := 1 << (low - 24)
	if len(s.rest) < width {
		return 0, 0, false
	}
	var wide [8]byte
	copy(wide[8-width:], s.rest)
	s.rest = s.rest[width:]
	argument = binary.BigEndian.Uint64(wide[:])
	least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[low-24]
	return major, argument, argument >= least
}

// value reads a value whose lists and maps are at a depth of nesting.
func (s *scanner) value(depth int) bool {
	if len(s.rest) > 0 && s.rest[0] >= majorSimple {
		return s.simple()
	}
	major, n, ok := s.head()
	if !ok {
		return false
	}
	switch major {
	case majorUint:
		return true
	case majorNegInt:
		return n < 1<<63
	case majorBytes, majorString:
		_, ok := s.bytes(n)
		return ok
	case majorTag:
		return n == 42 && s.link()
	}
	if depth >= maxDepth {
		return false
	}
	var last []byte
	for i := range n { // a head that claims more items than there are ends at the first that is missing
		if major == majorMap {
			key, ok := s.key()
			if !ok || i > 0 && compareKeys(last, key) >= 0 {
				return false
			}
			last = key
		}
		if !s.value(depth + 1) {
			return false
		}
	}
	return true
}

// simple reads false, true, null, undefined or a float.
func (s *scanner) simple() bool {
	var width uint64
	switch s.rest[0] {
	case 0xf4, 0xf5, 0xf6, 0xf7:
		width = 1
	case 0xf9:
		width = 3
	case 0xfa:
		width = 5
	case 0xfb:
		width = 9
	default:
		return false
	}
	_, ok := s.bytes(width)
	return ok
}

// bytes reads n bytes.
func (s *scanner) bytes(n uint64) ([]byte, bool) {
	if n > uint64(len(s.rest)) {
		return nil, false
	}
	read := s.rest[:n]
	s.rest = s.rest[n:]
	return read, true
}

// key reads the key of a map.
func (s *scanner) key() ([]byte, bool) {
	major, n, ok := s.head()
	if !ok || major != majorString {
		return nil, false
	}
	return s.bytes(n)
}

// compareKeys compares keys of a map by DAG-CBOR's order: shorter ones first.
func compareKeys(a, b []byte) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

// link reads what stands behind the tag of a link.
func (s *scanner) link() bool {
	major, n, ok := s.head()
	if !ok || major != majorBytes {
		return false
	}
	binary, ok := s.bytes(n)
	if !ok || len(binary) == 0 || binary[0] != 0 {
		return false
	}
	c, err := cid.Cast(binary[1:])
	if err != nil {
		return false
	}
	s.links = append(s.links, c)
	return true
}
