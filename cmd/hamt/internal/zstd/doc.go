// Package zstd decompresses Zstandard data (RFC 8878): frames one after the other,
// skippable ones among them, with their checksums. It is what reading a compressed
// file takes and no more. There is no compression, there are no dictionaries, and
// no frame whose window is larger than [MaxWindow], as the program zstd has it
// unless it is told otherwise.
//
// The library for Go that everybody takes, github.com/klauspost/compress, weighs
// three quarters of all that the command otherwise downloads; tests hold this
// package to it.
package zstd
