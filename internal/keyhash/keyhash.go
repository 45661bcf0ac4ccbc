// Package keyhash turns keys into the indexes that lead to them: it hashes a
// key with the map's hash function and cuts the digest into one index a level,
// most significant bits first.
package keyhash

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"github.com/multiformats/go-multicodec"
	multihash "github.com/multiformats/go-multihash/core"

	// Registers every hash of the go-multihash family (blake2, blake3, sha3,
	// murmur3): "any hash in its registry" is meant, not only the standard ones.
	_ "github.com/multiformats/go-multihash/register/all"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// Hasher hashes keys with one hash function. It is safe for concurrent use.
type Hasher struct {
	code multicodec.Code
	kind kind
	bits int       // digest length in bits; unused for identity
	pool sync.Pool // of hash.Hash, for kind general
}

type kind uint8

const (
	general  kind = iota
	sha2_256      // the default, and on the path of every key: no interface, no allocation
	identity      // the digest is the key, so its length varies
)

// own holds what Register added; it comes before go-multihash's registry.
var own sync.Map // multicodec.Code → func() hash.Hash

// registering keeps For from caching what Register has just replaced.
var registering sync.Mutex

// known caches the Hasher of each code that For was called with.
var known sync.Map // multicodec.Code → *Hasher

// Register registers a hash function under a code, in place of any that was there.
// Maps that are open keep the one they have.
func Register(code multicodec.Code, make func() hash.Hash) error {
	if make == nil {
		return fmt.Errorf("hamt: no hash function given for code 0x%x", uint64(code))
	}
	if n := make().Size(); n < 1 {
		return fmt.Errorf("hamt: hash function for code 0x%x has a digest of %d bytes", uint64(code), n)
	}
	registering.Lock()
	defer registering.Unlock()
	own.Store(code, make)
	known.Delete(code)
	return nil
}

// For returns the hasher of a code, or fault.ErrUnknownHash.
func For(code multicodec.Code) (*Hasher, error) {
	if h, ok := known.Load(code); ok {
		return h.(*Hasher), nil
	}
	registering.Lock()
	defer registering.Unlock()
	h := &Hasher{code: code}
	if factory, ok := own.Load(code); ok {
		h.useFactory(factory.(func() hash.Hash))
	} else if code == multicodec.Sha2_256 {
		h.kind, h.bits = sha2_256, 8*sha256.Size
	} else if code == multicodec.Identity {
		h.kind = identity
	} else {
		if _, err := multihash.GetHasher(uint64(code)); err != nil {
			return nil, faults.New(fault.ErrUnknownHash, "hashAlg 0x%x", uint64(code))
		}
		h.useFactory(func() hash.Hash {
			hash, _ := multihash.GetHasher(uint64(code)) // found above; entries are never removed
			return hash
		})
	}
	actual, _ := known.LoadOrStore(code, h)
	return actual.(*Hasher), nil
}

func (h *Hasher) useFactory(factory func() hash.Hash) {
	h.pool.New = func() any { return factory() }
	h.bits = 8 * factory().Size()
}

// Buffer is room for a digest, so that hashing with the usual functions needs
// no allocation.
type Buffer [sha256.Size]byte

// Sum returns the digest of key. The result may stand in buf.
func (h *Hasher) Sum(buf *Buffer, key []byte) []byte {
	switch h.kind {
	case sha2_256:
		*buf = sha256.Sum256(key)
		return buf[:]
	case identity:
		return key
	}
	return h.sumGeneral(key)
}

func (h *Hasher) sumGeneral(key []byte) []byte {
	f := h.pool.Get().(hash.Hash)
	f.Reset()
	f.Write(key) // a hash.Hash never fails
	digest := f.Sum(nil)
	h.pool.Put(f)
	return digest
}

// Bits returns the number of bits in the digest of key.
func (h *Hasher) Bits(key []byte) int {
	if h.kind == identity {
		return 8 * len(key)
	}
	return h.bits
}

// FixedBits returns the number of bits in every digest, or false where that depends
// on the key.
func (h *Hasher) FixedBits() (int, bool) { return h.bits, h.kind != identity }

// Head returns the first 64 bits of a digest, most significant first, with zeros
// where the digest is shorter. Heads order as digests do, up to 64 bits.
func Head(digest []byte) uint64 {
	if len(digest) >= 8 {
		return binary.BigEndian.Uint64(digest)
	}
	var padded [8]byte
	copy(padded[:], digest)
	return binary.BigEndian.Uint64(padded[:])
}

// Index cuts the index for a level out of a digest: bitWidth bits from bit
// depth × bitWidth, most significant first. Bits beyond the digest's end count
// as zeros on the right, as iamap has it: the last index of a hash whose
// length is no multiple of the bit width is a partial one.
func Index(digest []byte, depth, bitWidth int) int {
	start := depth * bitWidth
	first := start >> 3
	var window uint32
	for i := range 3 {
		window <<= 8
		if first+i < len(digest) {
			window |= uint32(digest[first+i])
		}
	}
	return int(window>>(24-start&7-bitWidth)) & (1<<bitWidth - 1)
}

// HeadIndex is like Index, for a level that lies wholly within the head.
func HeadIndex(head uint64, depth, bitWidth int) int {
	return int(head>>(64-(depth+1)*bitWidth)) & (1<<bitWidth - 1)
}

// InHead reports whether a level's index lies wholly within the head.
func InHead(depth, bitWidth int) bool { return (depth+1)*bitWidth <= 64 }

// AppendIndex returns a copy of the first depth × bitWidth bits of a hash, with the
// index of the next level appended: what every digest begins with that leads there.
// Bits beyond the last one are zeros.
func AppendIndex(prefix []byte, depth, bitWidth, index int) []byte {
	start := depth * bitWidth
	bits := make([]byte, (start+bitWidth+7)/8)
	copy(bits, prefix)
	window := uint32(index) << (24 - start&7 - bitWidth)
	for i := range 3 {
		if at := start>>3 + i; at < len(bits) {
			bits[at] |= byte(window >> (16 - 8*i))
		}
	}
	return bits
}

// PrefixOf returns what every digest begins with that leads to a path of indexes.
func PrefixOf(path []int, bitWidth int) []byte {
	bits := make([]byte, (len(path)*bitWidth+7)/8)
	for depth, index := range path {
		copy(bits, AppendIndex(bits[:(depth*bitWidth+7)/8], depth, bitWidth, index))
	}
	return bits
}
