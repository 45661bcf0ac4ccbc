// Package fault names everything that can be wrong with a HAMT.
//
// Every error that concerns a block is an [*Error]: it says what is wrong
// (its Kind, one of the Err… values here), in which block (its link), where
// in the tree that block stands (its [Path]), and what caused it. Match the
// kind with errors.Is, the whole with errors.As:
//
//	var f *fault.Error
//	if errors.As(err, &f) && errors.Is(err, fault.ErrMissing) {
//		fetch(f.Link)
//	}
//
// The rules behind the kinds are those of the IPLD HashMap specification.
package fault

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// What can be wrong with data that is read. The first group is found whenever
// a block is loaded.
var (
	// ErrNotHAMT: the root is not a HashMapRoot (or, in the layouts without one,
	// not a node). [OtherLayout] is its cause where it looks like one of those.
	ErrNotHAMT = errors.New("not a HAMT")
	// ErrMissing: the store does not have the block, or failed to give it.
	ErrMissing = errors.New("block cannot be loaded")
	// ErrHashMismatch: the store gave bytes that do not hash to the link.
	ErrHashMismatch = errors.New("block does not match its link")
	// ErrWeakDigest: the digest in the link is so short that another block with
	// the same can be made: the link does not say which block is meant.
	ErrWeakDigest = errors.New("digest of the link is too short to tell blocks apart")
	// ErrTooLarge: a block is larger than the limit for reading or writing, or
	// than what a link may hold of it (the identity hash).
	ErrTooLarge = errors.New("block is too large")
	// ErrMalformed: the bytes are not valid in the block's codec, or the block
	// has not the shape that the schema asks for.
	ErrMalformed = errors.New("malformed block")
	// ErrBitmapLength: the map is not 2^bitWidth bits long for a bit width
	// from 3 to 16, or not as long as in the root.
	ErrBitmapLength = errors.New("wrong bitmap length")
	// ErrPopcount: the map has more or fewer bits set than there are elements.
	ErrPopcount = errors.New("bitmap does not match the number of elements")
	// ErrElement: an element is neither a link nor a bucket of entries.
	ErrElement = errors.New("malformed element")
	// ErrBucketOrder: the entries of a bucket are not sorted by key, or a key
	// stands there twice. In Filecoin's older layout, where peers wrote unsorted
	// buckets, those are read, and only verification names them.
	ErrBucketOrder = errors.New("bucket is not sorted by distinct keys")
	// ErrBucketOverfull: a bucket has more than bucketSize entries. In a layout
	// without a root block such a map can be read, since nothing in it says what
	// its bucketSize is; only verification names it.
	ErrBucketOverfull = errors.New("bucket has more than bucketSize entries")
	// ErrEmptyNode: a node below the root has no element.
	ErrEmptyNode = errors.New("node below the root has no element")
	// ErrMaxDepth: the hash has no bits left for another level. On reading: a
	// link stands where no node can be. On writing: more than bucketSize keys
	// have the same hash.
	ErrMaxDepth = errors.New("maximum depth reached: no hash bits left")
	// ErrEndless: so many nodes are reached in vain (they cannot be loaded, hold
	// nothing, or keys that do not lead there) that the walk over the map would
	// not end.
	ErrEndless = errors.New("too much of the tree is reached in vain")
	// ErrParams: the parameters that were given for a map whose blocks do not carry
	// them (Filecoin's layouts) are not the map's: its keys do not stand where their
	// hashes lead.
	ErrParams = errors.New("parameters are not those of the map")
	// ErrUnknownHash: no hash function is registered for the root's hashAlg.
	ErrUnknownHash = errors.New("unknown hash function")
)

// These concern meaning, not structure: such a tree can be read, and only
// verification names them. A map rebuilt from its entries has none.
var (
	// ErrEmptyBucket: a bucket without entries, as iamap's delete leaves them.
	ErrEmptyBucket = errors.New("empty bucket")
	// ErrUndecodable: the value of a key cannot be decoded: an integer below -2^63,
	// lists and maps that nest deeper than 1,024, a NaN, a key of a map twice. It is
	// that of Get and of an Entry's Value, and of nothing else: the value's bytes
	// can be read (GetRaw), and an edit beside it leaves them as they are.
	ErrUndecodable = errors.New("value cannot be decoded")
	// ErrMisplaced: the hash of a key does not lead to where the key stands,
	// so no lookup finds it.
	ErrMisplaced = errors.New("key stands where its hash does not lead")
	// ErrNotCollapsed: a node below the root has no link and no more than
	// bucketSize entries, so it should be a bucket in its parent.
	ErrNotCollapsed = errors.New("node should be a bucket of its parent")
	// ErrNotCanonical: the block holds the right data, but not in the one way
	// that its codec allows to write it.
	ErrNotCanonical = errors.New("block is not in canonical encoding")
)

// What can be wrong with data that is written.
var (
	// ErrValue: a value cannot be stored, because it has no valid DAG-CBOR
	// form (NaN, an absent node, nesting too deep).
	ErrValue = errors.New("value cannot be stored")
	// ErrKey: a key cannot be stored: it is not text, in a layout whose keys are.
	ErrKey = errors.New("key cannot be stored")
	// ErrRepeatedKey: a key came a second time where it must not.
	ErrRepeatedKey = errors.New("repeated key")
	// ErrReadOnlyLayout: the layout can be read but not written.
	ErrReadOnlyLayout = errors.New("layout can only be read")
)

// OtherLayout is the cause of an ErrNotHAMT where the root looks like a node in
// another layout than the one that it was read in.
type OtherLayout struct{ Layout params.Layout }

// Error names the layout.
func (o *OtherLayout) Error() string {
	return fmt.Sprintf("it looks like a node in layout %s", o.Layout)
}

// Path says where in the tree a node stands: the index taken at each level,
// from the root down. The root's path is empty.
type Path []int

// String writes the path as "/" for the root, "/5/17" for the node at index 17
// of the node at index 5 of the root.
func (p Path) String() string {
	if len(p) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, index := range p {
		fmt.Fprintf(&b, "/%d", index)
	}
	return b.String()
}

// Child is the path of the node at index below p. It never shares memory with p.
func (p Path) Child(index int) Path {
	return append(append(make(Path, 0, len(p)+1), p...), index)
}

// Error is a fault in one block of a HAMT.
type Error struct {
	// Kind is one of the Err… values of this package.
	Kind error
	// Link is the block's link; nil where there is none, as for a node that
	// was handed over already decoded, or a block that was never written.
	Link datamodel.Link
	// Path is where the block stands in its tree; the root's is empty. It is
	// nil where the fault is one of a key or a value, and of no block.
	Path Path
	// Key is the key that the fault concerns, where it concerns one
	// (ErrMisplaced, ErrUndecodable, ErrKey, ErrRepeatedKey); else it is nil.
	Key []byte
	// Detail says more, in words; it may be empty.
	Detail string
	// Cause is the error underneath, such as the store's; it may be nil.
	Cause error
}

// Error is one line: the kind, the key, the details, the cause, then block and path.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("hamt: ")
	b.WriteString(e.Kind.Error())
	if e.Key != nil {
		fmt.Fprintf(&b, ": key %.200q", e.Key)
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	switch {
	case e.Link != nil:
		fmt.Fprintf(&b, " (block %s at %s)", e.Link, e.Path)
	case e.Path != nil:
		fmt.Fprintf(&b, " (node at %s)", e.Path)
	}
	return b.String()
}

// Unwrap returns the kind and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
