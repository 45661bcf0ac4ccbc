// Package conformance tests the library as a whole, by its public API. Tests of
// one package stand beside its code.
//
// The specification and other implementations:
//
//   - fixtures_test.go builds, reads and refuses what the documents in
//     spec-fixtures say, which other implementations wrote.
//   - nodesuite_test.go runs go-ipld-prime's own tests of maps.
//   - codecs_test.go uses other block codecs, block hashes and key hashes.
//
// One map, however it came about:
//
//   - ways_test.go makes maps in every way and order, and expects one root.
//   - operations_test.go runs random scripts against a Go map, and fuzzes them
//     (FuzzOperations). go test -args -long runs thousands.
//
// What a store may answer:
//
//   - faults_test.go breaks blocks and expects errors that name them.
//   - values_test.go has values that cannot be decoded.
//   - noncanonical_test.go reads maps that no builder writes.
//   - digests_test.go follows links that do not say which block they mean.
//   - depth_test.go reads trees that are meant never to end.
//   - read_path_test.go fuzzes everything that reads (FuzzReadPath), over a
//     store that lies.
//   - linksystem_test.go uses LinkSystems that lack what others have.
//   - cancel_test.go ends contexts before and during every use.
//
// What users of go-ipld-prime rely on:
//
//   - citizen_test.go uses maps in traversals and transforms, under LinkSystems
//     with habits of their own, and with typed nodes.
//   - api_test.go expects that no public package shows an internal type.
//
// The block parser is fuzzed against the schema in internal/block.
package conformance
