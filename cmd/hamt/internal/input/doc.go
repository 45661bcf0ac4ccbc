// Package input reads the data that maps are made of, entry by entry, so that
// the size of a file does not matter: ndjson, one DAG-JSON map or list, CSV and
// TSV, each also compressed.
//
// What is wrong is an [*Error] that names the file, the line and the column.
package input
