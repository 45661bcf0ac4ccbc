// Package builder is the writing side of a HAMT.
//
//	Prototype   parameters and where blocks go; a datamodel.NodePrototype
//	NewBuilder  a map from nothing, as any go-ipld-prime code builds one
//	Txn         changes to a stored map: set, delete, …, Commit
//	Bulk        a map from a stream of entries, larger than memory if need be
//	Rebuild     the canonical tree of a map that some peer left otherwise
//
// All of them end in one emitter, which takes entries in hash order and makes
// each block once, bottom-up. So a map's root says what is in it and nothing
// of how that got there: built, edited or rebuilt, the same entries under the
// same parameters are the same blocks.
//
// Blocks are written children first and the root last, so a root that is
// there is whole; Prototype.WritesAtOnce allows several at the same time. The
// NodeBuilder and Txn make all blocks before they write the first one: an error
// in the data leaves nothing behind. Bulk writes as it goes; an error there
// leaves blocks that nothing links to.
package builder
