// Package hamt is the front door to IPLD HashMaps: maps of any size over
// content-addressed blocks, which go-ipld-prime code sees as plain maps.
//
//	      ┌──────────── hamt ────────────┐   Load, Reify, Register
//	      │                              │
//	     adl  ◂────────────────────── builder
//	  reading: Node              writing: Prototype, Txn, Bulk
//	      │                              │
//	      └─────── internal/trie ────────┘   lookups, walks, the emitter
//	      ┌──────────────┴───────────────┐
//	internal/blockio             internal/hashsort
//	LinkSystem, cache            entries into hash order
//	      │                              │
//	internal/block               internal/keyhash
//	one node in one block        indexes out of hashes
//
// A map is built with package builder and read with package adl; packages
// params and fault hold what both have in common. The blocks are those of the
// [IPLD HashMap specification], byte for byte what the JavaScript and Python
// implementations write.
//
// [IPLD HashMap specification]: https://ipld.io/specs/advanced-data-layouts/hamt/spec/
package hamt
