// Package input reads the data that maps are made of, entry by entry, so that
// the size of a file does not matter: ndjson, one DAG-JSON map, CSV.
//
// What is wrong is an [*Error] that names the file and the line.
package input
