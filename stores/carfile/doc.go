// Package carfile is CAR files as stores: blocks one after the other, under a
// header that names the roots. And it reads and writes CARs as streams.
//
//	File     a CAR, version 1 or 2, that is read
//	Builder  a CAR that is being built: blocks are read and written, and appear
//	         as a file when they are published
//	Reader   the blocks of a stream, each checked
//	Writer   a stream of blocks
//
// What is written is CARv1. Every tool that knows CARs reads it, from a file
// or from a pipe (ipfs dag import, JavaScript's CarReader), and it has no part
// that can disagree with another. The index that a CARv2 may end with would
// spare File the walk over the blocks, which takes a second or two for a
// million of them, if File could trust it.
package carfile
