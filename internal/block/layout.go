package block

import (
	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Layout is all that one way of writing nodes has of its own. What is read in it
// becomes a [Node] like any other, and what an [Encoder] is told is the same for
// all, so that nobody else has to know how a node is written.
type Layout struct {
	// ReadOnly says that nodes cannot be written.
	ReadOnly bool

	rootMap   bool // the root node stands in a HashMapRoot, which has the parameters
	bigEndian bool // the bitmap is a number without leading zeros
	unions    bool // an element is a keyed union
}

// layouts has every layout under its constant.
var layouts = [...]Layout{
	params.Spec:       {rootMap: true},
	params.FilecoinV3: {bigEndian: true},
	params.FilecoinV0: {bigEndian: true, unions: true, ReadOnly: true},
}

// LayoutOf returns a layout, which must be valid.
func LayoutOf(l params.Layout) *Layout { return &layouts[l] }

// Step is the element that the way to a key takes in one node.
type Step struct {
	Position int  // in the node's data
	Index    int  // of the key's hash
	Bucket   bool // it is a bucket, which only the last one can be
}

// Where things stand in the tuples of the schema.
const (
	dataOfNode   = 1
	valueOfEntry = 1
)

// Path returns the path from a root block, as plain data, to the element that a
// way ends in, or to the value of the entry at that position in a bucket;
// entry is -1 for none.
func (l *Layout) Path(way []Step, entry int) datamodel.Path {
	var to []datamodel.PathSegment
	field := func(name string) { to = append(to, datamodel.PathSegmentOfString(name)) }
	item := func(at int) { to = append(to, datamodel.PathSegmentOfInt(int64(at))) }
	if l.rootMap {
		field(fieldHamt)
	}
	for _, step := range way {
		item(dataOfNode)
		item(step.Position)
		switch {
		case l.unions && step.Bucket:
			field(unionBucket)
		case l.unions:
			field(unionLink)
		}
	}
	if entry >= 0 {
		item(entry)
		item(valueOfEntry)
	}
	return datamodel.NewPath(to)
}
