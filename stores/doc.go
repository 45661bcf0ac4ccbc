// Package stores is where blocks live: what a store is, and how one becomes a
// LinkSystem. The stores themselves are packages below it, each of which can be
// used without the others:
//
//	embedded   a directory on this machine: blocks, and names of roots
//	carfile    a CAR file: read, or written anew
//	flatfs     the blocks directory of a Kubo repository, read in place
//	kubo       an IPFS node, over its RPC API: blocks both ways, pins as names
//	gateway    trustless HTTP gateways: blocks, read-only
//	webcar     a CAR on a web server, read where it is or fetched
//	cache      a bounded local store in front of any other
//	adapter    any go-datastore or boxo blockstore, in a module of its own
//
// A new kind of store embeds [Base], or [WritableBase]: what all kinds have in common.
//
// Package open makes any of them of one line of text, as the command's --store
// takes it. Package transfer copies maps between them. Package remote is how the
// stores on other machines are talked to.
package stores
