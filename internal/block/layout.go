package block

import (
	"bytes"
	"unicode/utf8"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Layout is all that one way of writing nodes has of its own. What is read in it
// becomes a [Node] like any other, and what an [Encoder] is told is the same for
// all, so that nobody else has to know how a node is written.
type Layout struct {
	// ReadOnly says that nodes cannot be written.
	ReadOnly bool
	// TextKeys says that keys are text: UTF-8.
	TextKeys bool
	// LinkedValues says that every value is a link, to a block of its own that is
	// in no codec (raw).
	LinkedValues bool
	// InFiles says that a node may be the content of a UnixFS file.
	InFiles bool
	// BlockHash is the hash that names blocks unless told otherwise.
	BlockHash multicodec.Code

	rootMap   bool // the root node stands in a HashMapRoot, which has the parameters
	bigEndian bool // the bitmap is a number without leading zeros
	unions    bool // an element is a keyed union
	slots     bool // a node is a list with an item for each index, without a bitmap
}

// layouts has every layout under its constant.
var layouts = [...]Layout{
	params.Spec:       {BlockHash: multicodec.Sha2_256, rootMap: true},
	params.FilecoinV3: {BlockHash: multicodec.Sha2_256, bigEndian: true},
	params.FilecoinV0: {BlockHash: multicodec.Sha2_256, bigEndian: true, unions: true, ReadOnly: true},
	params.PyHAMT3:    {BlockHash: multicodec.Blake3, slots: true, TextKeys: true, LinkedValues: true, InFiles: true},
}

// LayoutOf returns a layout. One that does not exist has nothing of its own, and
// no root can be parsed in it.
func LayoutOf(l params.Layout) *Layout {
	if int(l) < len(layouts) {
		return &layouts[l]
	}
	return &Layout{}
}

// CompareKeys compares keys in the order that they have in a bucket.
func (l *Layout) CompareKeys(a, b []byte) int {
	if l.slots {
		return cbor.CompareKeys(a, b)
	}
	return bytes.Compare(a, b)
}

// CheckKey returns fault.ErrKey for a key that cannot stand in a node.
func (l *Layout) CheckKey(key []byte) error {
	if l.TextKeys && !utf8.Valid(key) {
		return &fault.Error{Kind: fault.ErrKey, Key: bytes.Clone(key), Detail: "keys of this layout are UTF-8"}
	}
	return nil
}

// CheckValue returns fault.ErrValue for a value, in DAG-CBOR, that cannot stand in
// a node.
func (l *Layout) CheckValue(value []byte) error {
	if l.LinkedValues && !cbor.IsLink(value, 0) {
		return faults.New(fault.ErrValue, "values of this layout are links")
	}
	return nil
}

// Step is the element that the way to a key takes in one node.
type Step struct {
	Position int  // in the node's data
	Index    int  // of the key's hash
	Bucket   bool // it is a bucket, which only the last one can be
}

// Where things stand in the tuples of the schema, and in a list of a link alone.
const (
	dataOfNode   = 1
	valueOfEntry = 1
	linkOfSlot   = 0
)

// Path returns the path from a root block, as plain data, to the element that a
// way ends in, or to the value of the entry with a key at that position in a
// bucket; entry is -1 for none.
func (l *Layout) Path(way []Step, key []byte, entry int) datamodel.Path {
	var to []datamodel.PathSegment
	field := func(name string) { to = append(to, datamodel.PathSegmentOfString(name)) }
	item := func(at int) { to = append(to, datamodel.PathSegmentOfInt(int64(at))) }
	if l.rootMap {
		field(fieldHamt)
	}
	if l.slots {
		for _, step := range way {
			if item(step.Index); !step.Bucket {
				item(linkOfSlot)
			}
		}
		if entry >= 0 {
			field(string(key))
		}
		return datamodel.NewPath(to)
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
