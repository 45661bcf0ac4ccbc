package hamt

import (
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal/selector"
	"github.com/ipld/go-ipld-prime/traversal/selector/builder"
)

// EntitySelector returns the selector of a map as one thing. It matches the map.
//
// A traversal loads all the map's own blocks and no other: values that are
// links are not followed, and neither are links inside of values.
//
// This and the other selectors are in the data model form that
// selector.CompileSelector, go-car and graphsync take. They begin at a map's
// root and ask for the ADL by name (InterpretAs "hamt"): who does not know the
// name refuses them instead of selecting something else, and a root that is no
// HAMT is an error. [Register] makes the name known, also where a LinkSystem has
// [ReifyRoots]; the parameters of a map that does not carry them are given there.
//
// Values are followed as go-ipld-prime follows them: one that is a link is
// replaced by what it links to, seen through the LinkSystem's NodeReifier. So a
// value that links to another map is a map only with one such as ReifyRoots;
// without, it is plain data, a HashMapRoot.
//
// A block that cannot be loaded ends a traversal with an error, except under
// [KeySelector].
func EntitySelector() datamodel.Node {
	s := specs()
	// A recursion of depth one visits every entry, which loads the blocks, and is
	// over before it follows the value.
	entries := s.ExploreRecursive(selector.RecursionLimitDepth(1), s.ExploreAll(s.ExploreRecursiveEdge()))
	return asMap(s.ExploreUnion(s.Matcher(), entries))
}

// KeySelector returns the selector of one value, or with a path inside of what
// stands there in the value: a field, or an index in decimal, for each segment.
// A key may have any bytes. It matches the value.
//
// A traversal loads the blocks of the map from the root to the one that holds
// the entry, then each block that a link on the path leads to: where the value
// is a link, the block that it links to. If the key is not there it loads the
// blocks that prove it, and matches nothing. So it does, too, where one of the
// map's blocks cannot be loaded: [CaptureErrors] knows the difference.
func KeySelector(key string, inside ...string) datamodel.Node {
	s := specs()
	field := func(name string, next builder.SelectorSpec) builder.SelectorSpec {
		return s.ExploreFields(func(fields builder.ExploreFieldsSpecBuilder) { fields.Insert(name, next) })
	}
	target := s.Matcher()
	for at := len(inside) - 1; at >= 0; at-- {
		target = field(inside[at], target)
	}
	return asMap(field(key, target))
}

// EntriesSelector returns the selector of all values. It matches each of them.
//
// A traversal loads all the map's own blocks, and for each value that is a link
// the one block that it links to. Links inside of values and of those blocks are
// not followed.
func EntriesSelector() datamodel.Node {
	s := specs()
	return asMap(s.ExploreAll(s.Matcher()))
}

// EntriesAndLinksSelector returns the selector of all values and of what stands
// in them one level deep. It matches each value, and each entry or element of a
// value that is a map or a list.
//
// A traversal loads what one with [EntriesSelector] loads, and for each entry or
// element that is a link the one block that it links to. Seen through a
// NodeReifier a value that links to another map is that map: all its blocks are
// loaded then, and the blocks that its values link to. The same goes for a
// UnixFS directory, through the reifier of go-unixfsnode.
func EntriesAndLinksSelector() datamodel.Node {
	s := specs()
	return asMap(s.ExploreAll(s.ExploreUnion(s.Matcher(), s.ExploreAll(s.Matcher()))))
}

func specs() builder.SelectorSpecBuilder {
	return builder.NewSelectorSpecBuilder(basicnode.Prototype.Any)
}

// asMap returns the selector that sees the node as a map first.
func asMap(next builder.SelectorSpec) datamodel.Node {
	return specs().ExploreInterpretAs(ReifierName, next).Node()
}
