package diff

import (
	"errors"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// ErrHashFunctions is the error where maps are keyed by different hash functions, so
// that they have no order in common. [ByLookup] compares them all the same.
var ErrHashFunctions = errors.New("the maps are keyed by different hash functions")

// Side is one of the two maps.
type Side uint8

const (
	// A is the first map.
	A Side = iota
	// B is the second map.
	B
)

// String returns "A" or "B".
func (s Side) String() string { return [...]string{"A", "B"}[s] }

// Error is a fault in one of the maps. The *fault.Error in it names the block and its
// path.
type Error struct {
	// Side is the map that has the fault.
	Side Side
	// Path are the keys of the maps that the map with the fault is nested in,
	// outermost first. It is empty but for what Recursive goes into.
	Path [][]byte
	// Err is the fault.
	Err error
}

// Error is one line: the side, the keys of a nested map, the fault.
func (e *Error) Error() string { return faults.InNested(e.Side, e.Path, e.Err) }

// Unwrap returns the fault.
func (e *Error) Unwrap() error { return e.Err }

// at adds side and path to a fault. Errors of a context stay as they are.
func at(err error, side Side, path [][]byte) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	return &Error{Side: side, Path: path, Err: err}
}
