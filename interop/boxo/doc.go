// Package boxo lets the resolvers of boxo, and so its gateway and Kubo, see
// through HAMTs: a path goes on with a key where a plain IPLD map would be.
//
//	/ipfs/ROOT/key/hello.txt
//	      │    │   └ entry of the UnixFS directory that the value links to
//	      │    └ key of the map: LookupBySegment of its Node, which loads the
//	      │      blocks below the root that it needs
//	      └ root block of a HAMT: reified by Fetcher
//
// A key with a slash in it cannot be part of such a path; (*adl.Node).Locate
// returns one that leads to its value.
package boxo
