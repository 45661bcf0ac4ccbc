// Package kubo holds this library against Kubo, on real daemons: a map that is
// built into one is what Kubo says it is, its blocks travel between nodes, its
// pin keeps it, and what is killed in the middle loses nothing that was
// acknowledged. It is a module of its own, and has nothing but tests.
//
//	build    builds Kubo, where it is not built
//	run      builds it and runs the tests; what CI calls
//	node     the module that says which Kubo
//	daemon   runs Kubo nodes, for any test
package kubo
