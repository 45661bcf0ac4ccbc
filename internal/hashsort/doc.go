// Package hashsort puts the entries of a map into hash order: the order in which
// their keys stand in the map's tree. It sorts what memory holds, and what it
// does not hold by way of files. It never sees a block.
//
//	Buffer    entries as they come, keys repeated or not ──▸ sort ──┐
//	             │ full: Spill                                      ├──▸ Parts
//	             ▾                                                  │
//	Run, Run, …  sorted, each in a file ──▸ k-way merge ────────────┘
//
//	Overlay   sets and deletions over a stored map, found by key ──▸ Parts
//
// Parts are entries in hash order, each key once, cut where no element of the
// root is cut: as many goroutines as there are parts can build the tree.
package hashsort
