// Package kubo holds this library against Kubo, on real daemons: a map that is
// built into one is what Kubo says it is, its blocks travel between nodes, its
// pin keeps it, and what is killed in the middle loses nothing that was
// acknowledged. It is a module of its own, and has nothing but tests.
//
//	build    builds Kubo, where it is not built, and Kubo with the plugin
//	run      builds them and runs the tests; what CI calls
//	node     the module that says which Kubo
//	plugin   the module of a plugin with which Kubo sees through HAMTs
//	daemon   runs Kubo nodes, for any test
package kubo
