// Package filecoin holds this library against Filecoin's own implementation of
// the HAMT. It is a module of its own, so that the peer never enters the
// library's go.mod, and has nothing but tests:
//
//	go-hamt-ipld v3   writes and reads what we read and write, byte for byte
//	                  (params.FilecoinV3)
//	go-hamt-ipld v2   writes the older form, which we only read
//	                  (params.FilecoinV0)
//
// Filecoin's layout has no root block and so no place for the parameters: both
// sides have to be told hash and bit width. Blocks are named by blake2b-256
// unless a store says otherwise, as go-ipld-cbor does it.
package filecoin
