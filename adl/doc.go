// Package adl is the reading side of a HAMT: an Advanced Data Layout that any
// go-ipld-prime code sees as a plain map.
//
//	root block    HashMapRoot{hashAlg, bucketSize, hamt: node}
//	                                                      │
//	node          map ▏0 1 0 0 1 1 0 …   one bit an index of 2^bitWidth
//	              data [ bucket, link, bucket, … ]  one element a bit that is set
//	                       │       │
//	bucket   [[key, value], …]   node, in a block of its own,
//	          1 to bucketSize,   for the keys whose hash leads here:
//	          sorted by key      bitWidth bits of it a level
//
// A [Node] holds the root; all other blocks are loaded when something asks for
// what is in them, checked against their links, and kept in a cache that is
// bounded in bytes. A lookup loads the nodes on one path: depth + 1 blocks.
// Blocks stay in their encoded form, and a value is decoded when it is asked
// for.
//
// Every block is checked for its structure when it is loaded; a structure
// that the specification does not allow is an error that names the block (see
// package fault). What concerns meaning, such as a key that stands where its
// hash does not lead, is left to [Node.Verify].
//
// A Node is made by package hamt (load, reify) or package builder (build,
// edit).
package adl
