// Package dagjson turns DAG-JSON into DAG-CBOR and back, value by value.
//
// go-ipld-prime has codecs for both. They serve for blocks; for the lines of a
// data file they do not: its dag-json writes the float 1.0 as 1, which comes
// back as an integer and so under another root CID, it replaces what is not
// UTF-8 without a word, and it takes a Node and some ten allocations for every
// value. Here a value goes from one form to the other directly, and what one
// form cannot say is an error. Everything else agrees with go-ipld-prime, which
// a differential fuzz test holds.
package dagjson
