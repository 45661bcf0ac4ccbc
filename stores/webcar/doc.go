// Package webcar is CARs on web servers as stores, to read.
//
// A pack (package pack), such as an embedded store has them, is read where it is, if the
// server gives parts of files: a block costs a request for a page of the index and one
// for the block, or none where blocks are asked for in the order in which they stand.
// Any other CAR is fetched whole when it is opened, into a temporary file;
// one of more than 64 GiB is not.
package webcar
