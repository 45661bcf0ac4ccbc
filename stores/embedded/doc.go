// Package embedded is a store in a directory, over Pebble: blocks, and the names
// of roots; one writer or many readers.
//
// # Why Pebble
//
// Blocks are keyed by hash, so the keys of a build are spread evenly over all
// that is there: millions of random inserts, each of some kilobytes, hardly
// ever a delete. That decides between the two embedded engines that are well
// kept.
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
// that write every block a few times.
//
// A single lookup is quicker in bbolt, and a lookup in a map takes few of them;
// a build of any size is where the time goes, so building decides.
//
// # Crashes
//
// A block is in a batch in memory, then in Pebble's log, and after Sync on the
// disk. The log is written in order and each of its records has a checksum, so
// that what is found after a crash is the state at some moment. Whoever has a
// new root calls Sync (or MoveName, which does so too) before telling anybody: every
// root that was printed and every name then stands for a whole tree.
package embedded
