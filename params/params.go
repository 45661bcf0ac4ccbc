// Package params holds what has to be agreed on before two HAMTs of the same
// entries are the same blocks: the hash, the bit width, the bucket size, and
// the layout of nodes in blocks.
package params

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/multiformats/go-multicodec"
)

// Layout is the way nodes are written in blocks.
type Layout uint8

const (
	// Spec is the layout of the IPLD HashMap specification: the root block is
	// a HashMapRoot, which carries the parameters; the bitmap has a fixed
	// length, its bytes in index order, least significant bit first.
	Spec Layout = iota
	// FilecoinV3 is the layout of go-hamt-ipld v3 (Filecoin actors v3 and
	// later): no root block, so the parameters have to be known; the bitmap is
	// a big-endian number without leading zero bytes.
	FilecoinV3
	// FilecoinV0 is the older form (go-hamt-ipld v0 to v2, actors v0.9 to v2):
	// as FilecoinV3, but every element is a keyed union. It can only be read.
	FilecoinV0
	// PyHAMT3 is the layout of py-hamt 3: no root block and nothing that carries
	// the parameters; a node is a list of 256 items, one for each index, where a
	// bucket is a map from text keys and a child a list of its link alone. Every
	// value is a link, and the bit width is always 8. Buckets may be larger than
	// the bucket size that is given, which only matters for writing.
	PyHAMT3
)

// layouts has the name of each layout, and its defaults but for the layout itself.
var layouts = [...]struct {
	name     string
	defaults Params
}{
	Spec:       {"spec", Params{HashAlg: multicodec.Sha2_256, BitWidth: 8, BucketSize: 3}},
	FilecoinV3: {"filecoin-v3", Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}},
	FilecoinV0: {"filecoin-v0", Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}},
	PyHAMT3:    {"py-hamt-3", Params{HashAlg: multicodec.Blake3, BitWidth: 8, BucketSize: 4}},
}

// String returns the layout's name as the command writes it.
func (l Layout) String() string {
	if l.exists() {
		return layouts[l].name
	}
	return fmt.Sprintf("layout(%d)", uint8(l))
}

// ParseLayout returns the layout of a name that String returns. The error for any
// other names them all.
func ParseLayout(name string) (Layout, error) {
	names := make([]string, len(layouts))
	for i, l := range layouts {
		if l.name == name {
			return Layout(i), nil
		}
		names[i] = l.name
	}
	last := len(names) - 1
	return 0, fmt.Errorf("hamt: there is no layout %q: take %s or %s", name, strings.Join(names[:last], ", "), names[last])
}

func (l Layout) exists() bool { return int(l) < len(layouts) }

// DefaultsOf returns the parameters that zero fields stand for in a layout.
func DefaultsOf(l Layout) Params { return Params{Layout: l}.WithDefaults() }

// Limits of the parameters. The specification asks for a bit width of at
// least 3 (a bitmap of one byte); 16 is where the JavaScript implementation
// stops, and so do we.
const (
	MinBitWidth = 3
	MaxBitWidth = 16
	// MaxDepth bounds the levels of any tree, whatever its hash: no recursion
	// and no chain of blocks is longer. A 512-bit hash at bit width 3 has 171.
	MaxDepth = 512
)

// Params are the parameters of one HAMT. Zero fields stand for the defaults of
// the layout ([DefaultsOf]).
type Params struct {
	// HashAlg is the multihash code of the hash that is applied to keys. 0
	// stands for sha2-256, unless IdentityHash is set.
	HashAlg multicodec.Code
	// IdentityHash says that HashAlg is 0 because 0 is what is meant: the code
	// of the identity hash, under which a key is its own digest.
	IdentityHash bool
	// BitWidth is the number of hash bits taken at each level, 3 to 16: a node
	// has up to 2^BitWidth elements.
	BitWidth int
	// BucketSize is the number of entries a bucket holds before it becomes a
	// node, 1 or more.
	BucketSize int
	// Layout is how nodes are written in blocks.
	Layout Layout
}

// Default returns the specification's defaults: sha2-256, bit width 8, bucket
// size 3.
func Default() Params { return DefaultsOf(Spec) }

// Filecoin returns the parameters that Filecoin's chain uses: sha2-256, bit
// width 5, buckets of 3, in the layout of v3.
func Filecoin() Params { return DefaultsOf(FilecoinV3) }

// PyHAMT returns the parameters that py-hamt 3 has unless told otherwise: BLAKE3,
// bit width 8, buckets of 4, in its layout.
func PyHAMT() Params { return DefaultsOf(PyHAMT3) }

// WithHashAlg returns p with the hash of the given code, which may be that of
// the identity hash.
func (p Params) WithHashAlg(code multicodec.Code) Params {
	p.HashAlg, p.IdentityHash = code, code == multicodec.Identity
	return p
}

// WithDefaults returns p with each zero field replaced by the default that it
// stands for. Two Params mean the same if these are equal.
func (p Params) WithDefaults() Params {
	var defaults Params
	if p.Layout.exists() {
		defaults = layouts[p.Layout].defaults
	}
	if p.HashAlg == 0 && !p.IdentityHash {
		p.HashAlg = defaults.HashAlg
	}
	if p.BitWidth == 0 {
		p.BitWidth = defaults.BitWidth
	}
	if p.BucketSize == 0 {
		p.BucketSize = defaults.BucketSize
	}
	return p
}

// Validate returns an error if the bit width or the bucket size is out of range,
// the layout does not exist, or IdentityHash contradicts HashAlg. Zero fields
// are valid. Whether the hash is known is not looked at.
func (p Params) Validate() error {
	if !p.Layout.exists() {
		return fmt.Errorf("hamt: there is no %s", p.Layout)
	}
	p = p.WithDefaults()
	if p.BitWidth < MinBitWidth || p.BitWidth > MaxBitWidth {
		return fmt.Errorf("hamt: bit width %d is not from %d to %d", p.BitWidth, MinBitWidth, MaxBitWidth)
	}
	if want := layouts[PyHAMT3].defaults.BitWidth; p.Layout == PyHAMT3 && p.BitWidth != want {
		return fmt.Errorf("hamt: the bit width is always %d in layout %s", want, PyHAMT3)
	}
	if p.BucketSize < 1 {
		return fmt.Errorf("hamt: bucket size %d is less than 1", p.BucketSize)
	}
	if p.IdentityHash && p.HashAlg != multicodec.Identity {
		return fmt.Errorf("hamt: the hash cannot be both %s and identity", p.HashAlg)
	}
	return nil
}

// BitmapBytes returns the length of the bitmap of a node, in bytes.
func (p Params) BitmapBytes() int {
	if p.BitWidth == 0 {
		p = p.WithDefaults()
	}
	return 1 << (p.BitWidth - 3)
}

// BitWidthOf returns the bit width that belongs to a bitmap of n bytes, and
// false if there is none in range.
func BitWidthOf(n int) (int, bool) {
	if n < 1 || n&(n-1) != 0 {
		return 0, false
	}
	width := bits.TrailingZeros(uint(n)) + 3
	return width, width <= MaxBitWidth
}

// String returns a line for people: "sha2-256, bit width 8, bucket size 3".
func (p Params) String() string {
	p = p.WithDefaults()
	s := fmt.Sprintf("%s, bit width %d, bucket size %d", p.HashAlg, p.BitWidth, p.BucketSize)
	if p.Layout != Spec {
		s += ", " + p.Layout.String()
	}
	return s
}
