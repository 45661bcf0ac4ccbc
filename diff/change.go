package diff

import (
	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Kind is what happened to a key.
type Kind uint8

const (
	// Added is a key that only the second map has.
	Added Kind = iota
	// Removed is a key that only the first map has.
	Removed
	// Changed is a key that both maps have, with different values.
	Changed
)

// String returns "added", "removed" or "changed".
func (k Kind) String() string { return [...]string{"added", "removed", "changed"}[k] }

// Change is what happened to one key. What it holds are views into blocks: they stay
// valid, and must not be written to.
type Change struct {
	Kind Kind
	// Path are the keys of the maps that the key's map is nested in, outermost
	// first. It is empty but for what Recursive finds.
	Path [][]byte
	// Key is the key's bytes.
	Key []byte
	// Before is the value in the first map, After the one in the second.
	Before, After Value
}

// Value is the value of a key in one of the maps, or that there is none.
type Value struct{ raw []byte }

// RawValue returns the value with some canonical DAG-CBOR, or none for nil. It is for who
// makes values, and is not checked here.
func RawValue(dagCBOR []byte) Value { return Value{dagCBOR} }

// Exists reports whether there is a value.
func (v Value) Exists() bool { return len(v.raw) > 0 }

// Raw returns the value in canonical DAG-CBOR, or nil where there is none.
func (v Value) Raw() []byte { return v.raw }

// Node decodes the value. Where there is none it returns datamodel.Absent; one that
// cannot be decoded is fault.ErrUndecodable.
func (v Value) Node() (datamodel.Node, error) {
	if !v.Exists() {
		return datamodel.Absent, nil
	}
	value, err := cbor.Decode(v.raw)
	if err != nil {
		return nil, &fault.Error{Kind: fault.ErrUndecodable, Cause: err}
	}
	return value, nil
}
