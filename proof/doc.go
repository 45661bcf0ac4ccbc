// Package proof makes and checks proofs about a HAMT: that a root CID, which a
// verifier trusts, stands for a map in which a key has this value, or is not there.
//
//	Write        Check        the values of keys, absent ones among them
//	WritePrefix  CheckPrefix  all entries whose keys' hashes begin with these bits
//	WriteSame    CheckSame    keys are the same in two maps
//	WriteChange  CheckChange  these changes make one map of another
//
// A proof is the blocks that the operation itself loads, in the order in which it
// loads them, and nothing else. To check it is to do the operation once more, with
// the proof for a store: each block that is needed has to come next, and to hash to
// the link that led to it; at the end none may be left. What a proof proves is
// therefore what every reader finds who has the map, and nobody can make a proof of
// anything else without breaking the hash function of the blocks.
//
// A proof is a plain CARv1, the root first, with each block once, in hash order. Any
// IPLD software can open it; and whoever serves the map's blocks can serve the proof of
// a key: a trustless gateway does, for the path that [adl.Node.Locate] returns, as a CAR
// with dag-scope=block. Which roots the header names does not matter.
//
// Root, keys and changes are the verifier's, and never taken from the proof. Nor are
// the parameters: they stand in the root block, or, in Filecoin's layouts, in
// [Checker.Params]. Checking needs no store and no network, and takes no more blocks
// and bytes than the verifier allows.
//
// What is proven of maps that are not canonical is what lookups find: an entry that
// stands where its hash does not lead is not in the map.
package proof
