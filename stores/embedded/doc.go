// Package embedded is a store in a directory: blocks, and the names of roots;
// one writer or many readers.
//
// # What is where
//
// The blocks are in one file, each behind its CID, in the order in which they
// came; that file only ever grows. A Pebble database beside it knows where each
// block is, and what the names stand for.
//
// Blocks are looked up by hash, and hashes have no order. But a tree is built
// from its first hash to its last, and gone through in the same order, so
// whoever goes through it finds the next block behind the last one: that takes
// no lookup, and one access to the file for hundreds of small blocks. With the
// blocks themselves in Pebble each of them was a lookup of its own, in a table
// of which little was in memory; that was most of what going through a map of
// small blocks took. What goes by chance, one key, takes a lookup for each block
// on its way, as before.
//
// Blocks come from several places of the tree at the same time when the build
// uses several processors. So those that are written together (16 MiB) are
// arranged: behind the blocks that one links to comes that one.
//
// A block takes its CID (36 bytes) and some 3 bytes more in the file, and about
// 45 bytes in the database. Blocks are not compressed.
//
// # Why Pebble
//
// The database is keyed by hash, so the keys of a build are spread evenly over
// all that is there: millions of random inserts, hardly ever a delete. That
// decides between the two embedded engines that are well kept.
//
// bbolt is a B+tree in one file. Every insert lands in another page, so a
// transaction rewrites about as many leaves (and the branches above them) as
// it has blocks, and transactions have to be small lest the dirty pages pile
// up in memory; a map that outgrows memory is then bound by random writes. In
// return it is small, it has nothing to recover after a crash, and many
// processes may read at once.
//
// Pebble is a log-structured merge tree: inserts go to a log and to memory, and
// to disk in sorted runs, so that random keys become sequential writes; Bloom
// filters keep the lookup of an absent block off the disk. It costs a directory
// of files instead of one, a dozen more modules in the build, and compactions
// that write every key a few times.
//
// A single lookup is quicker in bbolt, and a lookup in a map takes few of them;
// a build of any size is where the time goes, so building decides.
//
// # Crashes
//
// Blocks are gathered in memory, written to their file, and synced; then, and
// not before, their places go into Pebble's log, together with how long the
// file is. The log is written in order and each of its records has a checksum,
// so that what is found after a crash is the state at some moment, and each
// place in it is that of a whole block. What else a crash leaves in the file,
// the next writer cuts off.
//
// After Sync all that was put is on the disk. Whoever has a new root calls Sync
// (or MoveName, which does so too) before telling anybody: every root that was
// printed and every name then stands for a whole tree.
package embedded
