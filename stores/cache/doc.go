// Package cache is a local store in front of another, which is remote as a
// rule: what was read once is read from a directory from then on.
//
// # What is checked
//
// A block is checked against its CID before it enters the cache, and again
// whenever it comes out. One that is damaged there is dropped and fetched anew.
// So no error of the cache's disk is an error of a read: it is reported once, by
// Options.Warn, and the store below is asked.
//
// # What is kept
//
// At most Options.Bytes, each block counted as the 4 KiB pages that file
// systems allot for it (the directory's own pages come on top: 256 directories,
// and a small file). When it is full the blocks go that were not used for
// longest, approximately: of a sixteenth of all, chosen by their hashes, the
// quarter that was used least lately. A block counts as used when it is written
// and when it is read, with a resolution of an hour.
//
// What is put goes to the store below and not into the cache; it is kept when
// it is read. Has asks the cache first, except where the store below can be
// written to: whoever is about to write wants to know what is there.
//
// # Files
//
// A file for each block, named by its hash, written under another name and
// renamed. Several processes may so use a directory at the same time, readers
// and writers, without waiting for each other; a process that is killed leaves
// at worst a temporary file, which is removed after an hour, and a machine that
// loses power files that their check finds out.
//
// A database such as Pebble takes less room for small blocks
// and lets in one process at a time: two commands with the same cache would be
// one too many. That decides. Beside it, on two busy cores, for 80,000 blocks of
// 2 KB, a block was read from files in 20 to 54 µs (Pebble: 25 to 45) and
// written in 220 to 290 µs (Pebble: 10 to 15), of which 130 to 190 are what
// making and renaming a file takes: 20 s for all of them, spread over fetches
// that take 1 to 100 ms each. Files: go test ./cache -run '^$' -bench
// 'Fill|Warm' -benchtime 80000x.
//
// The processes share an account of the bytes in a file, under a lock. Each
// takes from it in advance, in portions of a 64th of the bound, so that what is
// on the disk never exceeds the account. A count of the files, once an hour when
// the cache is full, sets right what a process that was killed had taken.
package cache
