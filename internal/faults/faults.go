// Package faults makes the errors of package fault. A parser knows what is wrong
// with a block, and whoever loaded the block knows which one it is: New is for
// the one, At for the other.
package faults

import (
	"fmt"
	"strings"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"
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

// NestedTooDeep returns the fault of a link to a map that is nested in more maps than
// anybody nests, as those are that link to each other without end.
func NestedTooDeep(link datamodel.Link) *fault.Error {
	f := New(fault.ErrMaxDepth, "maps are nested in each other more than %d times", params.MaxDepth)
	f.Link = link
	return f
}

// InNested returns err, a fault of one of several maps, in one line: which map, the keys
// of the maps that the one with the fault is nested in, outermost first, and the fault.
func InNested(side fmt.Stringer, keys [][]byte, err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "hamt: in %s", side)
	for _, key := range keys {
		fmt.Fprintf(&b, ", key %.200q", key)
	}
	b.WriteString(": ")
	b.WriteString(strings.TrimPrefix(err.Error(), "hamt: "))
	return b.String()
}
