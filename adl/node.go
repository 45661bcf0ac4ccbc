package adl

import (
	"context"
	"math"
	"sync"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/mixins"

	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/capture"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keys"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

var (
	_ datamodel.Node = (*Node)(nil)
	_ ipld.ADL       = (*Node)(nil)
)

// Node is one version of a HAMT, seen as a map. It never changes, and is safe
// for concurrent use as far as its LinkSystem is.
//
// The methods of datamodel.Node take no context; they use the one that the
// Node was made with. Beside those that may load blocks stand ones that take a
// context: Get and GetString, Has, Entries, Count.
//
// What a method of datamodel.Node does, it does on the caller's goroutine,
// loading one block after the other in the order of a traversal, unless
// [WithReadAhead] asked for more: such methods are called by code that does not
// know that there are blocks, over LinkSystems that need not expect more than
// one load at a time. Methods that take a context load ahead.
type Node struct {
	ctx          context.Context
	tree         *trie.Tree
	settings     nodes.Settings
	writesAtOnce int

	mu    sync.Mutex
	count int64          // of entries; -1 while nobody has counted
	stats *Stats         // nil while nobody has looked at all of it
	link  datamodel.Link // of the root, once it is known
}

func init() {
	nodes.New = func(o nodes.Origin) datamodel.Node {
		return &Node{
			ctx: o.Context, tree: o.Tree, settings: o.Settings, writesAtOnce: o.WritesAtOnce,
			count: o.Count, link: o.Tree.Link(),
		}
	}
	nodes.OriginOf = func(n datamodel.Node) nodes.Origin {
		of := n.(*Node)
		return nodes.Origin{Context: of.ctx, Tree: of.tree, Settings: of.settings, Count: -1, WritesAtOnce: of.writesAtOnce}
	}
}

// Context returns the context that the methods without one use.
func (n *Node) Context() context.Context { return n.ctx }

// ReadAhead returns how many blocks the methods that take a context load at the
// same time; see [WithReadAhead].
func (n *Node) ReadAhead() int { return n.settings.ReadAhead }

// WithContext returns the same map with another context for the methods that
// take none. A Node that outlives what it was loaded for, a traversal say,
// needs one that is not done by then.
func (n *Node) WithContext(ctx context.Context) *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &Node{
		ctx: ctx, tree: n.tree, settings: n.settings, writesAtOnce: n.writesAtOnce,
		count: n.count, stats: n.stats, link: n.link,
	}
}

// Params are the map's parameters.
func (n *Node) Params() params.Params { return n.tree.Params() }

// LinkSystem is a copy of the LinkSystem that the map's blocks come from.
func (n *Node) LinkSystem() linking.LinkSystem { return *n.tree.Loader().LinkSystem() }

// CacheStats tells what the node cache has done and holds.
func (n *Node) CacheStats() CacheStats { return CacheStats(n.tree.Loader().Cache().Stats()) }

// CacheStats is what a node cache has done and holds.
type CacheStats struct {
	Hits, Misses int64 // lookups since the cache was made
	Nodes        int64 // nodes held
	Bytes        int64 // bytes held, about
}

// Link is the link of the root block. A Node that was reified from decoded
// data gets it by encoding that data as DAG-CBOR under the link prototype of
// its children (CIDv1 and the layout's usual hash where it has none), which is the
// link it would be stored under; whether it is stored, nobody knows.
func (n *Node) Link() (datamodel.Link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.link != nil {
		return n.link, nil
	}
	writer, err := blockio.NewWriter(n.tree.Loader().LinkSystem(), n.LinkPrototype(), math.MaxInt)
	if err != nil {
		return nil, err
	}
	root, err := writer.Encode(n.tree.Root().Raw())
	if err != nil {
		return nil, err
	}
	n.link, err = blockio.Link(root.CID)
	return n.link, err
}

// LinkPrototype is what the map's blocks are named by: the prototype of the
// root's link, or where there is none of a child's, or the default. For CIDv0 the
// nodes are UnixFS files, as those that py-hamt 3.0 to 3.5 writes with sha2-256.
func (n *Node) LinkPrototype() datamodel.LinkPrototype {
	return n.tree.LinkPrototype()
}

// Kind is always that of a map.
func (n *Node) Kind() datamodel.Kind { return datamodel.Kind_Map }

// LookupByString finds a value by the key with the string's bytes.
func (n *Node) LookupByString(key string) (datamodel.Node, error) {
	return n.GetString(n.ctx, key)
}

// LookupByNode finds a value by a node of kind string or bytes; any other kind
// is datamodel.ErrWrongKind.
func (n *Node) LookupByNode(key datamodel.Node) (datamodel.Node, error) {
	bytes, err := keys.Bytes(key)
	if err != nil {
		return nil, err
	}
	return n.Get(n.ctx, bytes)
}

// LookupByIndex is not for maps: it gives datamodel.ErrWrongKind.
func (n *Node) LookupByIndex(idx int64) (datamodel.Node, error) { return mixin.LookupByIndex(idx) }

// LookupBySegment finds a value by a path segment, taken as a string.
func (n *Node) LookupBySegment(seg datamodel.PathSegment) (datamodel.Node, error) {
	value, err := n.GetString(n.ctx, seg.String())
	if err != nil {
		capture.Report(n.ctx, err) // traversals take every error for a key that is not there
	}
	return value, err
}

// MapIterator visits all entries in hash order. Keys come as nodes of kind
// string, with whatever bytes the keys have.
func (n *Node) MapIterator() datamodel.MapIterator { return newMapIterator(n) }

// ListIterator is nil: a map has none.
func (n *Node) ListIterator() datamodel.ListIterator { return nil }

// Length is the number of entries, or -1 where they could not be counted. The
// first call loads all blocks, unless the count is known from building.
func (n *Node) Length() int64 {
	count, err := n.countAhead(n.ctx, n.settings.MethodReadAhead())
	if err != nil {
		return -1
	}
	return count
}

// Substrate is the root block as plain data: a HashMapRoot, or in the layouts
// without one a node. Encoding it as DAG-CBOR gives the root block. Where the root
// block has a value that cannot be decoded, that is all that can be done with it: to
// whoever looks it is absent.
func (n *Node) Substrate() datamodel.Node { return newSubstrate(n.tree.Root()) }

// Prototype builds maps like this one: with its parameters, into its
// LinkSystem, under its link prototype. It is a
// datamodel.NodePrototypeSupportingAmend; builder.PrototypeOf returns the same
// as a value whose fields can be changed.
func (n *Node) Prototype() datamodel.NodePrototype { return nodes.Prototype(n) }

// mixin answers what makes no sense on a map.
var mixin = mixins.Map{TypeName: "HashMap"}

// IsAbsent is false.
func (n *Node) IsAbsent() bool { return false }

// IsNull is false.
func (n *Node) IsNull() bool { return false }

// AsBool returns datamodel.ErrWrongKind, as do the other scalar forms.
func (n *Node) AsBool() (bool, error) { return mixin.AsBool() }

// AsInt returns datamodel.ErrWrongKind.
func (n *Node) AsInt() (int64, error) { return mixin.AsInt() }

// AsFloat returns datamodel.ErrWrongKind.
func (n *Node) AsFloat() (float64, error) { return mixin.AsFloat() }

// AsString returns datamodel.ErrWrongKind.
func (n *Node) AsString() (string, error) { return mixin.AsString() }

// AsBytes returns datamodel.ErrWrongKind.
func (n *Node) AsBytes() ([]byte, error) { return mixin.AsBytes() }

// AsLink returns datamodel.ErrWrongKind.
func (n *Node) AsLink() (datamodel.Link, error) { return mixin.AsLink() }
