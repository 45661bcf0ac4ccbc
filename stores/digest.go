package stores

import (
	"fmt"
	"sync/atomic"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

// The digests that CIDs may have, in bytes. They are those that IPFS takes.
const (
	// MinDigestBytes is the shortest digest that says which block is meant: of a
	// shorter one, whoever serves blocks can make others with the same.
	MinDigestBytes = 20
	// MaxInlinedBytes is how much a CID may hold of a block by itself.
	MaxInlinedBytes = 128
)

// ErrWeakDigest is the error for a CID whose digest has fewer than MinDigestBytes;
// the library has the same.
var ErrWeakDigest = fault.ErrWeakDigest

// CheckDigest returns an error, which wraps ErrWeakDigest, for a CID whose digest
// is too short to say which block is meant, and one that wraps ErrTooLarge for a
// CID that holds more than MaxInlinedBytes of a block by itself.
func CheckDigest(c cid.Cid) error { return checkDigest(c, false) }

func checkDigest(c cid.Cid, allowWeak bool) error {
	prefix := c.Prefix()
	switch {
	case prefix.MhType == multihash.IDENTITY:
		if prefix.MhLength > MaxInlinedBytes {
			return fmt.Errorf("block %.40s…: %d bytes in its own CID, which may hold %d: %w", c, prefix.MhLength, MaxInlinedBytes, ErrTooLarge)
		}
	case prefix.MhLength < MinDigestBytes && !allowWeak:
		return fmt.Errorf("block %s: %w: %d bytes, and %d are the least", c, ErrWeakDigest, prefix.MhLength, MinDigestBytes)
	}
	return nil
}

// digests says which digests a store takes, to all copies of its Base.
type digests struct{ weak atomic.Bool }

func (d *digests) check(c cid.Cid) error { return checkDigest(c, d.weak.Load()) }
