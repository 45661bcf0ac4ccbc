// Package diff tells what changed between two versions of a map, or between any two
// maps that are keyed by the same hash function.
//
//	for c, err := range diff.Changes(ctx, a, b) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(c.Kind, string(c.Key))
//	}
//
// Two maps with the same hash and bit width are walked together, index by index:
//
//	      a                   b
//	[ L1  L2  L3 ]      [ L1  L5  L3 ]     L1, L3 are equal: not loaded
//	      │                   │
//	[ …  k=1  … ]       [ …  k=2  … ]      k changed
//
// A link that is equal on both sides stands for the same entries and is never loaded,
// so the cost is that of what differs: no node is loaded twice, and none that both
// maps have at the same place. Each map is read from its own store, through its own
// cache. Where only the bit width differs, both maps are read whole, side by side and
// in the memory of one path through each tree.
//
// A tree that is not canonical is compared by its entries, not by its shape. One with
// a key that stands where its hash does not lead is an error (fault.ErrMisplaced)
// when the walk comes to it: whether that key is in the map, nobody can say.
package diff
