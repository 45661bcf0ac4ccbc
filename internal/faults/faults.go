// Package faults makes the errors of package fault. A parser knows what is wrong
// with a block, and whoever loaded the block knows which one it is: New is for
// the one, At for the other.
package faults

import (
	"fmt"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

// New returns a fault of the given kind whose block is not known yet.
func New(kind error, format string, args ...any) *fault.Error {
	return &fault.Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// At returns err with where it happened: a fault that has neither link nor path
// yet gets them, any other error is wrapped in a fault of the given kind.
func At(err error, kind error, link datamodel.Link, path fault.Path) error {
	if f, ok := err.(*fault.Error); ok {
		if f.Link != nil || f.Path != nil {
			return f
		}
		located := *f
		located.Link, located.Path = link, path
		return &located
	}
	return &fault.Error{Kind: kind, Link: link, Path: path, Cause: err}
}
