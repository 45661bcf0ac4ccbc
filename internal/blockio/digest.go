package blockio

import (
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// The digests that links may have. They are those that IPFS takes.
const (
	// MinDigest is the length of the shortest digest, in bytes. Whoever serves a
	// block under a shorter one can make another with the same, and so forge a
	// map, or let it link to itself.
	MinDigest = 20
	// MaxInlined is how many bytes a link may hold of its block by itself, under
	// the identity hash. Blocks within blocks would else be as many times what
	// was read as they nest.
	MaxInlined = 128
)

// CheckDigest returns the fault of a link whose digest is too short, unless weak
// ones are allowed, or holds more of its block than it may.
func CheckDigest(c cid.Cid, allowWeak bool) error {
	if cbor.IsPlainCID(c.KeyString()) { // nearly always: no parsing
		return nil
	}
	digest, err := multihash.Decode(c.Hash())
	switch {
	case err != nil:
		return &fault.Error{Kind: fault.ErrMalformed, Detail: "link", Cause: err}
	case digest.Code == multihash.IDENTITY:
		return checkInlined(digest.Length)
	case !allowWeak:
		return checkLength(digest.Code, digest.Length)
	}
	return nil
}

func checkInlined(n int) error {
	if n > MaxInlined {
		return faults.New(fault.ErrTooLarge, "%d bytes in its own link, which may hold %d", n, MaxInlined)
	}
	return nil
}

func checkLength(hash uint64, n int) error {
	if n < MinDigest {
		return faults.New(fault.ErrWeakDigest, "%d bytes of %s, and %d are the least", n, multicodec.Code(hash), MinDigest)
	}
	return nil
}

// CheckDigest is the function of that name, as the loader reads.
func (l *Loader) CheckDigest(c cid.Cid) error { return CheckDigest(c, l.weakDigests) }

// CheckDigests returns the fault of a writer whose links have digests that are too
// short.
func (w *Writer) CheckDigests() error {
	if w.prototype.MhType == uint64(multicodec.Identity) {
		return nil // which Encode bounds
	}
	n := w.prototype.MhLength
	if n < 0 { // as long as the hash makes them
		hasher, err := chooseHasher(&w.lsys, w.prototype)
		if err != nil {
			return err
		}
		n = hasher.Size()
	}
	return checkLength(w.prototype.MhType, n)
}
