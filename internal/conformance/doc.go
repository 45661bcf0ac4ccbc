// Package conformance tests the library as a whole, by its public API:
//
//   - against the specification and other implementations: the documents in
//     spec-fixtures (fixtures_test.go), go-ipld-prime's own suite for maps
//     (suite_test.go), block codecs and hashes (codecs_test.go);
//   - against a simpler self: random scripts against a Go map (machine_test.go;
//     go test -args -long runs thousands), the block parser against the schema
//     (differential_test.go, fuzz_test.go);
//   - against the world: stores that fail, lie, or never end (errors_test.go,
//     hostile_test.go, endless_test.go, loose_test.go, fuzz_read_test.go), and
//     contexts that are cancelled (cancel_test.go).
//
// Tests of one package stand beside its code.
package conformance
