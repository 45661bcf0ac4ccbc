package hamt

import (
	"context"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// ReifierName is the name under which selectors ask for this ADL with
// InterpretAs, and under which [Register] makes it known.
const ReifierName = "hamt"

var (
	_ linking.NodeReifier = Reify
	_ linking.NodeReifier = ReifyRoots
)

// Option says how a map is read; see [adl.Options] for the defaults.
type Option func(*adl.Options)

// WithParams gives the parameters of a map whose blocks do not carry them:
// one in a Filecoin layout.
func WithParams(p params.Params) Option { return func(o *adl.Options) { o.Params = p } }

// WithCacheBytes bounds the memory of the node cache; 0 means no cache.
func WithCacheBytes(n int64) Option {
	return func(o *adl.Options) {
		if o.CacheBytes = n; n == 0 {
			o.CacheBytes = -1
		}
	}
}

// WithReadAhead sets how many blocks are loaded at the same time by whatever
// knows beforehand what it will need (walks over the whole map, commits of
// transactions, Prefetch); 1 for a store that must not be asked concurrently.
func WithReadAhead(n int) Option { return func(o *adl.Options) { o.ReadAhead = n } }

// WithMaxBlockBytes sets the largest block that is read.
func WithMaxBlockBytes(n int64) Option { return func(o *adl.Options) { o.MaxBlockBytes = n } }

// Load opens the map whose root has the given link. One block is loaded, the
// root; the others when something asks for what is in them. ctx is for this
// call and, unless replaced with WithContext, for those methods of the Node
// that take none.
//
// Errors are *fault.Error: ErrMissing and ErrHashMismatch from the store,
// ErrNotHAMT where the block is something else, ErrUnknownHash, and what can
// be wrong with a root block.
func Load(ctx context.Context, lsys *linking.LinkSystem, link datamodel.Link, options ...Option) (*adl.Node, error) {
	o := apply(options)
	tree, err := trie.Open(ctx, store.NewSource(lsys, o.CacheBytes, o.MaxBlockBytes), link, o.Params)
	if err != nil {
		return nil, err
	}
	return builder.Wrap(ctx, tree, o, -1), nil
}

func apply(options []Option) adl.Options {
	var o adl.Options
	for _, option := range options {
		option(&o)
	}
	return o.WithDefaults()
}

// Reify sees data that was decoded already, a HashMapRoot, as the map that it
// is the root of. It is a linking.NodeReifier: what is not a HAMT is an error
// (fault.ErrNotHAMT), since whoever calls it says that this is one.
//
// Only the root is looked at. Blocks below it are loaded from the LinkSystem
// when something asks for what is in them, without passing through its
// NodeReifier. The Node keeps the LinkContext's context.
func Reify(lctx linking.LinkContext, root datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
	return reify(lctx, root, lsys, nil)
}

func reify(lctx linking.LinkContext, root datamodel.Node, lsys *linking.LinkSystem, options []Option) (datamodel.Node, error) {
	if already, ok := root.(*adl.Node); ok {
		return already, nil
	}
	o := apply(options)
	raw, err := store.FromNode(root)
	if err != nil {
		return nil, err
	}
	node, p, err := block.ParseRoot(raw, o.Params)
	if err != nil {
		return nil, err
	}
	tree, err := trie.New(store.NewSource(lsys, o.CacheBytes, o.MaxBlockBytes), node, p, linkOf(lctx))
	if err != nil {
		return nil, err
	}
	ctx := lctx.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	return builder.Wrap(ctx, tree, o, -1), nil
}

// linkOf gives the link that a node was just loaded by, where the LinkContext
// knows it. Package traversal says so.
func linkOf(lctx linking.LinkContext) datamodel.Link {
	if lctx.LinkNode == nil || lctx.LinkNode.Kind() != datamodel.Kind_Link {
		return nil
	}
	link, err := lctx.LinkNode.AsLink()
	if err != nil {
		return nil
	}
	return link
}

// ReifyRoots turns every HAMT root into its map and leaves everything else
// alone. Set as a LinkSystem's NodeReifier, it makes HAMTs plain maps wherever
// a traversal loads them, nested ones too.
//
// A HAMT root is what matches HashMapRoot of the schema. One that does but
// cannot be read (say, its hash is unknown) is an error.
func ReifyRoots(lctx linking.LinkContext, node datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
	if !IsRoot(node) {
		return node, nil
	}
	return Reify(lctx, node, lsys)
}

// IsRoot says whether decoded data has the shape of a HAMT's root: the three
// fields of a HashMapRoot, each of its kind. What the bitmap and the elements
// say is not looked at.
func IsRoot(node datamodel.Node) bool {
	if _, already := node.(*adl.Node); already { // whose Length would load every block
		return false
	}
	if node == nil || node.Kind() != datamodel.Kind_Map || node.Length() != 3 {
		return false
	}
	hashAlg, bucketSize := field(node, "hashAlg"), field(node, "bucketSize")
	if !isKind(hashAlg, datamodel.Kind_Int) || !isKind(bucketSize, datamodel.Kind_Int) {
		return false
	}
	root := field(node, "hamt")
	if !isKind(root, datamodel.Kind_List) || root.Length() != 2 {
		return false
	}
	bitmap, _ := root.LookupByIndex(0)
	data, _ := root.LookupByIndex(1)
	return isKind(bitmap, datamodel.Kind_Bytes) && isKind(data, datamodel.Kind_List)
}

// field gives a field of a map, or nil.
func field(node datamodel.Node, name string) datamodel.Node {
	value, err := node.LookupByString(name)
	if err != nil {
		return nil
	}
	return value
}

func isKind(node datamodel.Node, kind datamodel.Kind) bool { return node != nil && node.Kind() == kind }

// Register makes the ADL known to a LinkSystem, so that selectors can ask for
// it with InterpretAs "hamt" ([ReifierName]).
func Register(lsys *linking.LinkSystem, options ...Option) {
	known := map[string]linking.NodeReifier{}
	for name, reifier := range lsys.KnownReifiers { // it may be shared
		known[name] = reifier
	}
	known[ReifierName] = func(lctx linking.LinkContext, node datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
		return reify(lctx, node, lsys, options)
	}
	lsys.KnownReifiers = known
}
