// Package pack reads and writes packs: immutable files of many blocks, each of
// which is found by its hash with one read of a small page of the index.
//
//	Pack    a pack that is read, below it an io.ReaderAt and a size
//	Writer  a pack that is written, above an io.WriterAt
//
// A pack is a CARv2 (https://ipld.io/specs/transport/car/carv2/) with a
// MultihashIndexSorted, so every tool that knows CARs reads it:
//
//	pragma │ header │ padding │ CARv1: roots, sections … │ page table │ index
//
// Blocks stand in the order in which they were written. A writer that writes
// trees in the order in which they are walked has them read back in sequence:
// where one block was found, the next one wanted is most likely the one behind
// it, and [Pack.Get] then reads ahead.
//
// # The page table
//
// CARv2 allows padding between the sections and the index, and that is where a
// pack keeps a table of the pages of the index: for every 128 entries the
// beginning of the first digest, and a checksum. So a lookup holds in memory
// 12 bytes for 128 blocks, reads one page, and knows whether it can be believed.
// A CARv2 that somebody else wrote has no such table: its index is not believed,
// and made again from the sections, in memory.
//
// # Damage
//
// Every section names its block, and blocks are checked by their hash, so that a
// pack holds no information twice that it could not do without. A page of the
// index, the table or a header that is damaged, or a file that has lost its end,
// is replaced in memory by what a scan over the sections finds; only blocks
// whose own bytes are damaged are lost. [Pack.Check] names all of it.
package pack
