// Package bench holds side-by-side benchmarks of HAMT implementations. It is a
// module of its own, so that the peers never enter the library's go.mod.
//
//	workload   the entries: the same keys and values for everybody
//	memstore   the store: the same map of blocks for everybody
//	peer       each implementation in a common form
//	work       what is measured: build, edit, look up, iterate, hold, wait
//	compare    go run ./bench/compare: one table of all
//	floor      go run ./bench/floor: the least a build can cost
//	scale      go run ./bench/scale: the command, with up to 100 million entries
//	plot       go run ./bench/plot: the plots, out of the JSON of both
//
// The Go benchmarks here run the same works under go test -bench, for
// benchstat. RESULTS.md has the latest numbers and how they came about.
package bench
