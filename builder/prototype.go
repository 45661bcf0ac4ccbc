package builder

import (
	"context"
	"fmt"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

var (
	_ datamodel.NodePrototypeSupportingAmend = Prototype{}
	_ datamodel.NodePrototypeSupportingAmend = nodePrototype{}
)

// Prototype says how maps are built and where their blocks go. Only
// LinkSystem has to be given. Many goroutines may use one Prototype; what it
// makes (builders, transactions, bulk builds) is for one goroutine each.
type Prototype struct {
	// Params are the map's parameters. Zero fields stand for their defaults.
	Params params.Params
	// LinkSystem is where blocks are written to, and read from afterwards.
	// Blocks are written one at a time, unless WritesAtOnce allows more.
	LinkSystem *linking.LinkSystem
	// WritesAtOnce is how many blocks may be being written at the same time,
	// for stores that take their time. 0 or 1 means one at a time; with more,
	// the LinkSystem's StorageWriteOpener and what it gives must be safe for
	// concurrent use, also where two write the same block. The order stays: a
	// block is written once all that it links to is.
	WritesAtOnce int
	// LinkPrototype names the blocks: a cidlink.LinkPrototype of CIDv1 with
	// any codec and hash that the LinkSystem knows. nil means DAG-CBOR and
	// sha2-256. Digests of fewer than 20 bytes are fault.ErrWeakDigest, unless
	// ReadWith allows them ([adl.WithWeakDigests]); under the identity hash, blocks
	// of more than 128 bytes are fault.ErrTooLarge.
	LinkPrototype datamodel.LinkPrototype
	// InlineBytes is the largest value, in bytes of DAG-CBOR, that is kept in
	// the map's own blocks; larger ones become a block of their own, with a
	// link in their place. 0 means that all values are kept inline.
	//
	// In the layout of py-hamt every value that is no link becomes a block,
	// whatever InlineBytes is, in no codec (raw): bytes as they are, which py-hamt
	// reads with values_are_bytes, and anything else in DAG-CBOR, which it reads
	// without.
	InlineBytes int
	// MaxBlockBytes is the largest block that is written; a larger one is a
	// fault.ErrTooLarge that names the block's path and its largest entries.
	// 0 means 1 MiB. Whoever reads blocks above 16 MiB has to allow it
	// ([adl.WithMaxBlockBytes]).
	MaxBlockBytes int
	// Context is for the methods of go-ipld-prime's interfaces, which take
	// none; nil means context.Background().
	Context context.Context

	// read says how maps that were built are read; the zero value stands for the defaults.
	read nodes.Settings

	// origin is the map that the prototype came from, if it did.
	origin *origin
}

// origin is where the blocks of a map come from. Maps with the same parameters
// in the same LinkSystem go on using its cache.
type origin struct {
	source *blockio.Loader
	lsys   *linking.LinkSystem
	params params.Params
}

// DefaultLinkPrototype returns what names the blocks of maps with some parameters
// where a prototype has no LinkPrototype.
func DefaultLinkPrototype(p params.Params) datamodel.LinkPrototype {
	return blockio.DefaultOf(block.LayoutOf(p.Layout))
}

// source is that of the origin, unless the prototype has been changed since.
func (p Prototype) source() *blockio.Loader {
	if p.origin == nil || p.origin.lsys != p.LinkSystem || p.origin.params != p.Params.WithDefaults() {
		return nil
	}
	return p.origin.source
}

// samePrototype compares link prototypes; false where one is not for CIDs.
func samePrototype(a, b datamodel.LinkPrototype) bool {
	forCIDs, ok := a.(cidlink.LinkPrototype)
	other, alsoForCIDs := b.(cidlink.LinkPrototype)
	return ok && alsoForCIDs && blockio.Normal(forCIDs) == blockio.Normal(other)
}

// ReadWith returns the prototype whose maps are read with the given options;
// without them, with the defaults. What MaxBlockBytes allows to write can be
// read whatever they say, and they do not change the parameters.
func (p Prototype) ReadWith(options ...adl.Option) Prototype {
	p.read = nodes.Resolve(options)
	return p
}

// PrototypeOf returns the prototype of maps like n: with its parameters, into
// its LinkSystem, under its link prototype, read as it is. WritesAtOnce is that
// of the prototype that built n; 0 where n was loaded.
func PrototypeOf(n *adl.Node) Prototype {
	o := nodes.OriginOf(n)
	lsys := n.LinkSystem()
	return Prototype{
		Params:        n.Params(),
		LinkSystem:    &lsys,
		WritesAtOnce:  o.WritesAtOnce,
		LinkPrototype: n.LinkPrototype(),
		Context:       o.Context,
		read:          o.Settings,
		origin:        &origin{o.Tree.Loader(), &lsys, n.Params()},
	}
}

// NewBuilder returns a builder of one map. Whether the prototype makes sense is
// said by its BeginMap.
func (p Prototype) NewBuilder() datamodel.NodeBuilder { return newMapBuilder(p) }

// AmendingBuilder returns a builder that begins with the entries of base: a key
// that is assembled takes the place of base's, and the others stay. It costs
// what a Txn costs, in time and in blocks. Build without BeginMap returns base,
// and AssignNode, as always, makes the map of the given entries alone.
//
// base has to be an *adl.Node; BeginMap says so if it is not, and also where
// base's blocks are named by another link prototype (see [Prototype.Edit]).
func (p Prototype) AmendingBuilder(base datamodel.Node) datamodel.NodeBuilder {
	return newAmendingBuilder(p, base)
}

// nodePrototype is the prototype of a Node as a datamodel.NodePrototype. One
// pointer is all it holds, so that a Node's Prototype does not allocate.
type nodePrototype struct{ node *adl.Node }

func (p nodePrototype) NewBuilder() datamodel.NodeBuilder { return PrototypeOf(p.node).NewBuilder() }

func (p nodePrototype) AmendingBuilder(base datamodel.Node) datamodel.NodeBuilder {
	return PrototypeOf(p.node).AmendingBuilder(base)
}

func init() {
	nodes.Prototype = func(n datamodel.Node) datamodel.NodePrototype { return nodePrototype{n.(*adl.Node)} }
}

// config is a prototype that was found to make sense, with all it needs to
// build.
type config struct {
	Prototype
	layout      *block.Layout
	hasher      *keyhash.Hasher
	blockWriter *blockio.Writer
	reads       *blockio.Loader // of the maps that are built
}

// open checks a prototype and fills in its defaults.
func (p Prototype) open() (*config, error) {
	if p.LinkSystem == nil {
		return nil, fmt.Errorf("hamt: the prototype has no LinkSystem")
	}
	if err := p.Params.Validate(); err != nil {
		return nil, err
	}
	p.Params = p.Params.WithDefaults()
	layout := block.LayoutOf(p.Params.Layout)
	if layout.ReadOnly {
		return nil, faults.New(fault.ErrReadOnlyLayout, "%s", p.Params.Layout)
	}
	hasher, err := keyhash.For(p.Params.HashAlg)
	if err != nil {
		return nil, err
	}
	if p.LinkPrototype == nil {
		p.LinkPrototype = blockio.DefaultOf(layout)
	}
	if p.MaxBlockBytes < 1 {
		p.MaxBlockBytes = blockio.DefaultMaxWrite
	}
	if p.read == (nodes.Settings{}) {
		p = p.ReadWith()
	}
	p.read.MaxBlockBytes = max(p.read.MaxBlockBytes, int64(p.MaxBlockBytes)) // what is built can be read
	if p.Context == nil {
		p.Context = context.Background()
	}
	if blockio.NamesFiles(p.LinkPrototype) && !layout.InFiles {
		return nil, fmt.Errorf("hamt: nodes are no UnixFS files in layout %s", p.Params.Layout)
	}
	blockWriter, err := blockio.NewWriter(p.LinkSystem, p.LinkPrototype, p.MaxBlockBytes)
	if err != nil {
		return nil, err
	}
	if !p.read.WeakDigests {
		if err := blockWriter.CheckDigests(); err != nil {
			return nil, err
		}
	}
	reads := p.source()
	if reads == nil {
		reads = blockio.NewLoader(p.LinkSystem, p.read.CacheBytes, p.read.MaxBlockBytes)
		if p.read.WeakDigests {
			reads.AllowWeakDigests()
		}
	}
	return &config{p, layout, hasher, blockWriter, reads}, nil
}

// node makes the Node of a root that was written: its DAG-CBOR, how many bytes
// its block has, its link and the number of entries.
func (w *config) node(ctx context.Context, rootRaw []byte, stored int, link datamodel.Link, count int64) (*adl.Node, error) {
	root, p, err := block.ParseRoot(rootRaw, w.Params)
	if err != nil {
		return nil, err
	}
	root.SetStored(stored)
	tree, err := trie.New(w.reads, root, p, link)
	if err != nil {
		return nil, err
	}
	return nodes.New(nodes.Origin{
		Context: ctx, Tree: tree, Settings: w.read, Count: count, WritesAtOnce: w.WritesAtOnce,
	}).(*adl.Node), nil
}
