package links

import (
	"encoding/binary"
	"errors"

	"github.com/ipfs/go-cid"
)

// Major types of CBOR, in the top bits of a head.
const (
	majorBytes  = 0x40
	majorString = 0x60
	majorList   = 0x80
	majorMap    = 0xa0
	majorTag    = 0xc0
	majorSimple = 0xe0
)

// maxOpen bounds the nesting of lists and maps of indefinite length, whose ends have to
// be remembered; DAG-CBOR has none.
const maxOpen = 1024

var (
	errTruncated = errors.New("CBOR ends within a value")
	errHead      = errors.New("CBOR head that does not exist, or not there")
	errOpen      = errors.New("CBOR of indefinite lengths nests too deep")
	errTrailing  = errors.New("bytes follow the CBOR value")
)

// inCBOR calls add with the links in a block, in their order, without decoding it: a
// block of some MiB can have more in it than the decoder takes, and be many times
// as large when it is decoded. Whether all that is in it could be decoded is not
// looked at, nor how deep it nests.
func inCBOR(block []byte, add func(c cid.Cid)) error {
	s := scanner{rest: block}
	owed := uint64(1) // values that have to follow
	var around []uint64
	for owed > 0 || len(around) > 0 {
		major, n, indefinite, err := s.head()
		switch {
		case err != nil:
			return err
		case major == majorSimple && indefinite: // the break
			if owed > 0 || len(around) == 0 {
				return errHead
			}
			owed, around = around[len(around)-1], around[:len(around)-1]
			continue
		case owed > 0:
			owed--
		}
		var items uint64
		switch {
		case indefinite:
			if len(around) == maxOpen {
				return errOpen
			}
			around, owed = append(around, owed), 0
		case major == majorBytes || major == majorString:
			if _, err := s.bytes(n); err != nil {
				return err
			}
		case major == majorTag && n == 42 && s.link(add):
		case major == majorTag:
			items = 1
		case major == majorList:
			items = n
		case major == majorMap:
			if items = 2 * n; n > uint64(len(s.rest)) {
				return errTruncated
			}
		}
		if left := uint64(len(s.rest)); items > left || owed > left-items { // each takes a byte at least
			return errTruncated
		}
		owed += items
	}
	if len(s.rest) > 0 {
		return errTrailing
	}
	return nil
}

// scanner reads CBOR from the front of rest.
type scanner struct{ rest []byte }

// head reads a head, and what it says, which may be in more bytes than are needed.
func (s *scanner) head() (major byte, argument uint64, indefinite bool, err error) {
	if len(s.rest) == 0 {
		return 0, 0, false, errTruncated
	}
	major, low := s.rest[0]&0xe0, s.rest[0]&0x1f
	s.rest = s.rest[1:]
	switch {
	case low < 24:
		return major, uint64(low), false, nil
	case low == 31 && major >= majorBytes && major != majorTag:
		return major, 0, true, nil
	case low > 27:
		return 0, 0, false, errHead
	}
	width := 1 << (low - 24)
	if len(s.rest) < width {
		return 0, 0, false, errTruncated
	}
	var wide [8]byte
	copy(wide[8-width:], s.rest)
	s.rest = s.rest[width:]
	return major, binary.BigEndian.Uint64(wide[:]), false, nil
}

// bytes reads n bytes.
func (s *scanner) bytes(n uint64) ([]byte, error) {
	if n > uint64(len(s.rest)) {
		return nil, errTruncated
	}
	read := s.rest[:n]
	s.rest = s.rest[n:]
	return read, nil
}

// link reads what stands behind the tag of a link, and reports whether it is one.
func (s *scanner) link(add func(c cid.Cid)) bool {
	inside := *s
	major, n, indefinite, err := inside.head()
	if err != nil || major != majorBytes || indefinite {
		return false
	}
	binary, err := inside.bytes(n)
	if err != nil || len(binary) == 0 || binary[0] != 0 {
		return false
	}
	c, err := cid.Cast(binary[1:])
	if err != nil {
		return false
	}
	*s = inside
	add(c)
	return true
}
