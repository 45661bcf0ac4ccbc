package hamt

import (
	"hash"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// RegisterHash makes a hash function known for keys, under its multihash code,
// in place of any other that the code stood for. All of go-multihash's
// registry is known without it, and so is identity. Maps that are open keep
// the function they have; it may be called at any time. make has to give a new hash with a digest of fixed
// length each time it is called.
//
// Whoever reads such a map has to register the same function.
func RegisterHash(code multicodec.Code, make func() hash.Hash) error {
	return keyhash.Register(code, make)
}
