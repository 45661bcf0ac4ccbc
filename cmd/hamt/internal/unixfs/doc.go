// Package unixfs writes and reads files as IPFS keeps them (UnixFS 1): bytes of any
// length as a tree of blocks.
//
// What is written is, block by block, what `ipfs add --cid-version 1` writes with a
// Kubo that is not told otherwise: chunks of 256 KiB in the raw codec, up to 174 of
// them below a dag-pb block, up to 174 of those below the next, all leaves in the same
// depth, sha2-256. One chunk alone is the file, and so is the empty one.
//
// What is read may be laid out otherwise, as other software and other options have
// it: chunks of any size, in dag-pb blocks too, and trees that are not balanced.
//
// go-unixfsnode, which has a writer as well, ends a tree otherwise than Kubo where one
// chunk is left over: 174 chunks and one more get another root.
package unixfs
