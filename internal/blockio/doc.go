// Package blockio stands between a LinkSystem and the blocks of a map.
//
//	            Loader: read, check against the link, parse
//	           ┌────────────────────────────────────────────→ block.Node
//	LinkSystem │         ↑ equal loads under way are one          ↕
//	           │                                                Cache
//	           └←──────────────────────────────────────────── Block
//	            Writer: encode, check the size, hash, write
//
// A Loader has one Cache, which all versions of a map share, and which alone
// knows what the nodes in it point to.
package blockio
