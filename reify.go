package hamt

import (
	"context"
	"errors"
	"maps"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/schema"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	_ "github.com/ipld-hamt/go-ipld-hamt/builder" // knows the prototypes of Nodes
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
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

// Option says how a map is read; see [adl.Option].
type Option = adl.Option

// WithParams says which parameters a map has whose blocks do not carry them;
// see [adl.WithParams].
func WithParams(p params.Params) Option { return adl.WithParams(p) }

// WithCacheBytes bounds the memory of the node cache, in bytes; 0 is no cache.
// See [adl.WithCacheBytes].
func WithCacheBytes(n int64) Option { return adl.WithCacheBytes(n) }

// WithReadAhead sets how many blocks are loaded at the same time, also by the
// methods of datamodel.Node; see [adl.WithReadAhead].
func WithReadAhead(n int) Option { return adl.WithReadAhead(n) }

// WithMaxBlockBytes sets the largest block that is read, in bytes; see
// [adl.WithMaxBlockBytes].
func WithMaxBlockBytes(n int64) Option { return adl.WithMaxBlockBytes(n) }

// WithWeakDigests allows links with digests of fewer than 20 bytes; see
// [adl.WithWeakDigests].
func WithWeakDigests() Option { return adl.WithWeakDigests() }

var errNoLinkSystem = errors.New("hamt: no LinkSystem was given")

// Load opens the map whose root has the given link. One block is loaded, the
// root; the others when something asks for what is in them. In a Filecoin layout
// the parameters are checked, with the first of the map's entries: where the root has
// none, Load loads the blocks that lead to one. ctx is for this
// call and, unless replaced with WithContext, for those methods of the Node
// that take none.
//
// Errors are *fault.Error: ErrMissing and ErrHashMismatch from the store,
// ErrWeakDigest where a store could give what it wants, ErrNotHAMT where the block
// is something else, ErrParams, ErrUnknownHash, and what can
// be wrong with a root block.
func Load(ctx context.Context, lsys *linking.LinkSystem, link datamodel.Link, options ...Option) (*adl.Node, error) {
	if lsys == nil {
		return nil, errNoLinkSystem
	}
	settings := nodes.Resolve(options)
	tree, err := trie.Open(ctx, newSource(lsys, settings), link, settings.Params)
	if err != nil {
		return nil, err
	}
	if err := tree.CheckParams(ctx, true); err != nil {
		return nil, err
	}
	return newNode(ctx, tree, settings), nil
}

func newSource(lsys *linking.LinkSystem, settings nodes.Settings) *blockio.Loader {
	loader := blockio.NewLoader(lsys, settings.CacheBytes, settings.MaxBlockBytes)
	if settings.WeakDigests {
		loader.AllowWeakDigests()
	}
	return loader
}

func newNode(ctx context.Context, tree *trie.Tree, settings nodes.Settings) *adl.Node {
	return nodes.New(nodes.Origin{Context: ctx, Tree: tree, Settings: settings, Count: -1}).(*adl.Node)
}

// Reify sees data that was decoded already, a HashMapRoot, as the map that it
// is the root of. It is a linking.NodeReifier: what is not a HAMT is an error
// (fault.ErrNotHAMT), since whoever calls it says that this is one. A map is
// returned as it is, and a typed node is read in its representation form.
//
// Only the root is looked at (so that in a Filecoin layout, wrong parameters are
// found out only if the root has entries). Blocks below it are loaded from the LinkSystem
// when something asks for what is in them, without passing through its
// NodeReifier; what may be wrong with them is found then. The methods of the
// Node that are datamodel.Node's load them on the caller's goroutine, one after
// the other; a LinkSystem that counts, records or verifies loads sees them as
// it would see a traversal of plain data. [Reifier] takes options to change
// that. A traversal does not know of these loads, so its link budget does not
// count them.
//
// The Node keeps the LinkContext's context: if it is to outlive that, as when it
// is kept after a traversal whose context ends, use [adl.Node.WithContext].
func Reify(lctx linking.LinkContext, root datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
	return reify(lctx, root, lsys, nodes.Resolve([]Option(nil)), linkOf(lctx))
}

// Reifier returns Reify with options.
func Reifier(options ...Option) linking.NodeReifier {
	settings := nodes.Resolve(options)
	return func(lctx linking.LinkContext, root datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
		return reify(lctx, root, lsys, settings, linkOf(lctx))
	}
}

// reify is Reify of the node that was loaded by link, which may be nil.
func reify(lctx linking.LinkContext, root datamodel.Node, lsys *linking.LinkSystem, settings nodes.Settings, link datamodel.Link) (datamodel.Node, error) {
	if already, ok := root.(*adl.Node); ok && already != nil {
		return already, nil
	}
	if lsys == nil {
		return nil, errNoLinkSystem
	}
	raw, err := blockio.FromNode(root)
	if err != nil {
		return nil, err
	}
	node, p, err := block.ParseRoot(raw, settings.Params)
	if err != nil {
		return nil, faults.At(err, nil, link, nil)
	}
	tree, err := trie.New(newSource(lsys, settings), node, p, link)
	if err != nil {
		return nil, err
	}
	ctx := lctx.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if err := tree.CheckParams(ctx, false); err != nil {
		return nil, err
	}
	return newNode(ctx, tree, settings), nil
}

// linkOf returns the link that a node was just loaded by, or nil where the
// LinkContext does not know it. Package traversal says so.
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
// a traversal loads them, nested ones too; see [Reify] for what the maps load
// and when.
//
// It goes by shape: a HAMT root is what matches HashMapRoot of the schema
// ([IsRoot]), whatever it was meant to be. One that does but cannot be read
// (say, its hash is unknown) is an error. Where a selector can say where a HAMT
// is, its InterpretAs ([Register]) is the better choice.
//
// A map that was reified is to be stored by what builds maps, or as its
// Substrate: LinkSystem.Store of the map itself would store all its entries as
// one flat map. For transformations across links see [PrototypeChooser].
func ReifyRoots(lctx linking.LinkContext, node datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
	if !IsRoot(node) {
		return node, nil
	}
	return Reify(lctx, node, lsys)
}

// RootsReifier returns ReifyRoots with options.
func RootsReifier(options ...Option) linking.NodeReifier { return RootsOr(nil, options...) }

// RootsOr returns a reifier that turns HAMT roots into their maps, as
// [ReifyRoots] does, and leaves everything else to next, which may be nil. So it
// stands beside the reifier of another ADL:
//
//	lsys.NodeReifier = hamt.RootsOr(unixfsnode.Reify)
func RootsOr(next linking.NodeReifier, options ...Option) linking.NodeReifier {
	settings := nodes.Resolve(options)
	return func(lctx linking.LinkContext, node datamodel.Node, lsys *linking.LinkSystem) (datamodel.Node, error) {
		switch {
		case IsRoot(node):
			return reify(lctx, node, lsys, settings, linkOf(lctx))
		case next == nil || isMap(node):
			return node, nil
		}
		return next(lctx, node, lsys)
	}
}

// isMap reports whether a node is a HAMT that is seen as a map already.
func isMap(node datamodel.Node) bool {
	_, ok := node.(*adl.Node)
	return ok
}

// IsRoot reports whether decoded data has the shape of a HAMT's root: the three
// fields of a HashMapRoot, each of its kind. A typed node is looked at in its
// representation form. What the bitmap and the elements say is not looked at.
func IsRoot(node datamodel.Node) bool {
	if isMap(node) { // whose Length would load every block
		return false
	}
	if typed, ok := node.(schema.TypedNode); ok {
		node = typed.Representation()
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

// field returns a field of a map, or nil.
func field(node datamodel.Node, name string) datamodel.Node {
	value, err := node.LookupByString(name)
	if err != nil {
		return nil
	}
	return value
}

func isKind(node datamodel.Node, kind datamodel.Kind) bool { return node != nil && node.Kind() == kind }

// Register makes the ADL known to a LinkSystem, so that selectors can ask for
// it with InterpretAs "hamt" ([ReifierName]). Other reifiers that the LinkSystem
// knows stay known; its map of them is replaced, not changed.
func Register(lsys *linking.LinkSystem, options ...Option) {
	known := maps.Clone(lsys.KnownReifiers) // it may be shared
	if known == nil {
		known = map[string]linking.NodeReifier{}
	}
	known[ReifierName] = Reifier(options...)
	lsys.KnownReifiers = known
}
