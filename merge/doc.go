// Package merge makes one map of two or more versions of it.
//
//	m, root, report, err := merge.ThreeWay(ctx, base, ours, theirs, merge.Options{})
//
// All versions are walked together with what they come from, index by index:
//
//	    base              ours              theirs            merged
//	[ L1  L2  L3 ]    [ L1  L5  L6 ]    [ L4  L2  L7 ]    [ L4  L5  ↓ ]
//
// Where only one side has changed its slot is taken, and where all have changed it in the
// same way any. Neither loads what a link leads to: it is linked to again, with all that
// is below. Only where the sides differ from the base and from each other (L3, L6 and L7)
// are the nodes loaded, and merged index by index; so the cost is that of what changed on
// both sides, and not the sum of what changed on either.
//
// A link stands for more entries than fit into a bucket, so no node above it can have to
// collapse: the merged map is the one that its entries have if they are built afresh, as
// far as the versions are canonical. What is descended into is made anew, canonical
// whatever it was; what is taken without being loaded stays as it is. [Options].Verify
// looks at all of it before.
//
// A key that several versions have changed in different ways is a conflict (one that is
// changed here and deleted there, too, and one that both have added). It goes to the
// [Resolver], with the value that it has in each, and absence is one. As long as one
// conflict is left there is no merged map.
package merge
