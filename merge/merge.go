package merge

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Options say how versions are merged. The zero value leaves all conflicts.
type Options struct {
	// Resolve decides conflicts; nil leaves them all.
	Resolve Resolver
	// Recursive merges values that several versions have changed, where all of them
	// are links to maps, or all plain maps: entry by entry, and field by field, from
	// what the base has if that is one, too, or from nothing if it has no value.
	// Conflicts are then those within. Nested maps have to be alike (see ThreeWay).
	Recursive bool
	// Into says where the merged map is written, and how: as to builder.Prototype.Edit,
	// only LinkSystem, WritesAtOnce, InlineBytes, MaxBlockBytes and Context count. The
	// LinkSystem need not have blocks of any version. Without one it is that of the first
	// version.
	Into builder.Prototype
	// DryRun writes nothing. There is a root then, and no map.
	DryRun bool
	// Verify looks at all blocks of all versions and of the base first, and refuses one
	// that is not whole and canonical, with its first fault.
	Verify bool
	// Explain is called for what is done with each slot that differs, in hash order. It
	// may be nil.
	Explain func(Step)
}

// Step is what is done with one slot of a node.
type Step struct {
	// Keys are those of the maps that the map is nested in, outermost first.
	Keys [][]byte
	// Path leads to the slot: the index taken at each level.
	Path fault.Path
	// Taken is the version whose slot is taken. Base says that the slots are merged.
	Taken Side
	// Link is that of the subtree that is taken without being loaded; nil where the slot
	// has entries, or nothing.
	Link datamodel.Link
}

// Report says what a merge did.
type Report struct {
	// Conflicts is the number of keys that were changed in different ways, Left that of
	// those that were not decided.
	Conflicts, Left int64
	// Merged is the number of places whose nodes were loaded and merged index by index,
	// the root among them; Taken is the number of subtrees that differ and were taken
	// without being loaded.
	Merged, Taken int64
}

// Side is one of the maps that are merged.
type Side int

const (
	// Base is what the versions come from.
	Base Side = iota
	// Ours is the first version.
	Ours
	// Theirs is the second version. Those of others follow it.
	Theirs
)

// String returns "base", "ours", "theirs", or "version 3" and so on.
func (s Side) String() string {
	if s <= Theirs {
		return [...]string{"base", "ours", "theirs"}[s]
	}
	return fmt.Sprintf("version %d", int(s))
}

// Error is a fault in one of the maps. The *fault.Error in it names the block and its
// path.
type Error struct {
	// Side is the map that has the fault.
	Side Side
	// Path are the keys of the maps that the map with the fault is nested in, outermost
	// first.
	Path [][]byte
	// Err is the fault.
	Err error
}

// Error is one line: the side, the keys of a nested map, the fault.
func (e *Error) Error() string { return faults.InNested(e.Side, e.Path, e.Err) }

// Unwrap returns the fault.
func (e *Error) Unwrap() error { return e.Err }

// at adds side and path to a fault. Other errors stay as they are.
func at(err error, side Side, path [][]byte) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	return &Error{side, path, err}
}

// ThreeWay merges what two versions have made of a base, and returns the merged map and
// its root. nil stands for the empty map, as base as well: then the merged map is the
// union. As long as conflicts are left it is a *ConflictError, and nothing is written; the
// report is there all the same.
//
// The root is the one that the merged entries have if they are built afresh under the
// parameters of ours (of theirs where ours is nil), as far as the versions are canonical:
// see the package's documentation. So it is the same whichever version is ours, if both
// have the same parameters and the Resolver does not mind.
//
// The maps may be in different stores: what is missing in that of the merged map is
// copied there, but not what values link to. Where the maps are not alike, that is, differ
// in parameters or in how their blocks are named, the changes from the base to theirs are
// made to ours one by one, for what they all cost; maps of different hash functions are
// looked up in each other.
func ThreeWay(ctx context.Context, base, ours, theirs *adl.Node, o Options) (*adl.Node, datamodel.Link, Report, error) {
	return All(ctx, base, []*adl.Node{ours, theirs}, o)
}

// Join merges maps that have no base in common: parts of one map that were built apart,
// which have different keys or agree. A key with different values is a conflict.
func Join(ctx context.Context, parts []*adl.Node, o Options) (*adl.Node, datamodel.Link, Report, error) {
	return All(ctx, nil, parts, o)
}

// errNoMap is the error where there is nothing to merge.
var errNoMap = errors.New("hamt: no map was given to merge")

// All merges what any number of versions have made of a base, as ThreeWay does with two.
// The root is the one that merging one version after the other gives. Of more than two
// different values of a key, a conflict is one between what was decided for those before
// and the next.
func All(ctx context.Context, base *adl.Node, versions []*adl.Node, o Options) (*adl.Node, datamodel.Link, Report, error) {
	m := merger{Options: o, report: new(Report), left: new(ConflictError)}
	like, err := m.begin(ctx, base, versions)
	if err != nil {
		return nil, nil, Report{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	made, err := m.maps(ctx, nodes.OriginOf(like).Tree)
	if err != nil {
		return nil, nil, *m.report, err
	}
	if m.left.Left > 0 {
		return nil, nil, *m.report, m.left
	}
	merged, link, err := made.publish(ctx, o.DryRun)
	return merged, link, *m.report, err
}

// result is a merged map that may have to be written yet.
type result interface {
	// publish writes it, unless dry.
	publish(ctx context.Context, dry bool) (*adl.Node, datamodel.Link, error)
}

// merger merges the versions of one map.
type merger struct {
	Options
	nodes  []*adl.Node  // the base, and the versions; nil for nested maps
	trees  []*trie.Tree // of them; nil for an empty one
	sides  []Side       // which they are; nil where they are all, in their order
	ahead  int
	path   [][]byte // keys of the maps around
	report *Report
	left   *ConflictError // what is left so far
	into   builder.Prototype

	inner []*slotwise // nested maps that were merged
}

// side returns which map the one at a place is.
func (m *merger) side(i int) Side {
	if m.sides == nil {
		return Side(i)
	}
	return m.sides[i]
}

// begin resolves nodes and options. It returns the map that the merged one is like.
func (m *merger) begin(ctx context.Context, base *adl.Node, versions []*adl.Node) (like *adl.Node, err error) {
	m.nodes = append([]*adl.Node{base}, versions...)
	for side, n := range m.nodes {
		m.trees = append(m.trees, treeOf(n))
		if n == nil {
			continue
		}
		if like == nil && side > 0 {
			like = n
		}
		if m.ahead == 0 || m.ahead > n.ReadAhead() {
			m.ahead = n.ReadAhead()
		}
		if m.Verify {
			for err := range n.Verify(ctx) {
				return nil, at(err, Side(side), nil)
			}
		}
	}
	if like == nil {
		like = base
	}
	if like == nil {
		return nil, errNoMap
	}
	m.into = builder.PrototypeOf(like)
	if m.Into.LinkSystem != nil {
		m.into.LinkSystem = m.Into.LinkSystem
		m.into.WritesAtOnce = m.Into.WritesAtOnce
	} else if m.Into.WritesAtOnce > 0 {
		m.into.WritesAtOnce = m.Into.WritesAtOnce
	}
	m.into.InlineBytes, m.into.MaxBlockBytes = m.Into.InlineBytes, m.Into.MaxBlockBytes
	if m.Into.Context != nil {
		m.into.Context = m.Into.Context
	}
	return like, nil
}

// treeOf returns what a Node is a view of; nil for an empty map.
func treeOf(n *adl.Node) *trie.Tree {
	if n == nil {
		return nil
	}
	if t := nodes.OriginOf(n).Tree; t.Root().Len() > 0 {
		return t
	}
	return nil
}

// maps merges the maps to one that is like another.
func (m *merger) maps(ctx context.Context, like *trie.Tree) (result, error) {
	if m.alike(like) {
		return m.slotwise(ctx)
	}
	return m.changes(ctx)
}

// alike reports whether the trees of all maps are made of blocks of the same kind, so
// that those of one can stand in that of another.
func (m *merger) alike(like *trie.Tree) bool {
	for _, t := range m.trees {
		if t != nil && (t.Params() != like.Params() || !sameNames(t.LinkPrototype(), like.LinkPrototype()) || !trie.Joint(t, like)) {
			return false
		}
	}
	return true
}

// sameNames reports whether link prototypes name blocks in the same way.
func sameNames(a, b datamodel.LinkPrototype) bool {
	x, ok := a.(cidlink.LinkPrototype)
	y, alsoOK := b.(cidlink.LinkPrototype)
	return ok && alsoOK && blockio.Normal(x) == blockio.Normal(y)
}
