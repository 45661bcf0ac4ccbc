package pack

import (
	"encoding/binary"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// A section is a block as a CAR has it: how long what follows is, the binary
// CID, and the bytes of the block.

// AppendSection appends the section of a block.
func AppendSection(dst []byte, c cid.Cid, block []byte) []byte {
	key := c.KeyString()
	dst = binary.AppendUvarint(dst, uint64(len(key)+len(block)))
	dst = append(dst, key...)
	return append(dst, block...)
}

// maxHead is the most that stands before the bytes of a block that a pack takes:
// a length, and a CID of version 1 whose digest is at most 128 bytes long.
const maxHead = binary.MaxVarintLen64 + 3*binary.MaxVarintLen64 + 1 + maxDigest

// maxDigest is more than any hash function in use makes.
const maxDigest = 128

// head is what stands before the bytes of a block.
type head struct {
	cid   int // where the CID begins
	hash  int // where its multihash begins
	block int // where the block begins
	end   int // of the section; what is there may end before it
}

// parseHead parses the head of a section at the beginning of data, and reports
// whether there is one. It believes no length that an int cannot hold.
func parseHead(data []byte) (h head, ok bool) {
	length, n := binary.Uvarint(data)
	if n <= 0 || length > maxSection {
		return h, false
	}
	h.cid, h.end = n, n+int(length)
	rest := data[n:]
	if len(rest) >= 2 && rest[0] == multihash.SHA2_256 && rest[1] == 32 { // version 0: a bare multihash
		h.hash, h.block = h.cid, h.cid+34
		return h, h.block <= h.end && h.block <= len(data)
	}
	version, n := binary.Uvarint(rest)
	if n <= 0 || version != 1 {
		return h, false
	}
	h.hash = h.cid + n
	_, n = binary.Uvarint(data[h.hash:])
	if n <= 0 {
		return h, false
	}
	h.hash += n
	_, n = binary.Uvarint(data[h.hash:])
	if n <= 0 {
		return h, false
	}
	digest, m := binary.Uvarint(data[h.hash+n:])
	if m <= 0 || digest > maxDigest {
		return h, false
	}
	h.block = h.hash + n + m + int(digest)
	return h, h.block <= h.end && h.block <= len(data)
}

// MaxBlockBytes is the size of the largest block that a pack takes. A damaged
// length must not cost as much memory as it says.
const MaxBlockBytes = 16 << 20

const maxSection = MaxBlockBytes + maxHead

// splitHash returns the code and the digest of a multihash.
func splitHash(hash string) (code uint64, digest string, err error) {
	code, n := uvarint(hash)
	if n <= 0 {
		return 0, "", fmt.Errorf("%x is no multihash", hash)
	}
	length, m := uvarint(hash[n:])
	if m <= 0 || length != uint64(len(hash)-n-m) || length > maxDigest {
		return 0, "", fmt.Errorf("%x is no multihash with a digest of at most %d bytes", hash, maxDigest)
	}
	return code, hash[n+m:], nil
}

// uvarint is binary.Uvarint of a string.
func uvarint(s string) (value uint64, n int) {
	for shift := 0; n < len(s) && n < binary.MaxVarintLen64; shift += 7 {
		b := s[n]
		n++
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return value, n
		}
	}
	return 0, 0
}
