package hamt

import (
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/schema"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
)

// PrototypeChooser returns a chooser for a traversal.Config over the LinkSystem,
// with which traversal.FocusedTransform edits HAMTs behind links:
//
//	cfg := traversal.Config{
//		LinkSystem:                     lsys,
//		LinkTargetNodePrototypeChooser: hamt.PrototypeChooser(&lsys),
//	}
//
// Without it a transformation past such a link corrupts the HAMT, silently: it
// loads the block past every reifier, adds the key to the root block's own
// fields, and stores that.
//
// What a link leads to is built as a map if it is a HAMT root ([IsRoot]), and as
// plain data if not; a typed link's target is built as its type says. The map is
// then built anew by PrototypeOf(the map), into the LinkSystem, and what is
// stored as the link's new target is its root block. go-ipld-prime copies all
// entries of a map that it transforms; for single changes to large maps a
// builder.Txn costs less.
func PrototypeChooser(lsys *linking.LinkSystem, options ...Option) traversal.LinkTargetNodePrototypeChooser {
	settings := nodes.Resolve(options)
	return func(link datamodel.Link, lctx linking.LinkContext) (datamodel.NodePrototype, error) {
		if typed, ok := lctx.LinkNode.(schema.TypedLinkNode); ok {
			return typed.LinkTargetNodePrototype(), nil
		}
		if lsys == nil {
			return nil, errNoLinkSystem
		}
		return targetPrototype{link, lctx, lsys, settings}, nil
	}
}

// targetPrototype builds what a link leads to.
type targetPrototype struct {
	link     datamodel.Link
	lctx     linking.LinkContext
	lsys     *linking.LinkSystem
	settings nodes.Settings
}

func (p targetPrototype) NewBuilder() datamodel.NodeBuilder {
	return &targetBuilder{NodeBuilder: basicnode.Prototype.Any.NewBuilder(), prototype: p}
}

// targetBuilder builds twice, as FocusedTransform uses a builder: first from the
// block that is loaded, then, after Reset, from what comes of transforming that.
// Where the first is a HAMT root it builds the map, and then another map like
// it, of which it returns the substrate, since that is what is to be stored.
type targetBuilder struct {
	datamodel.NodeBuilder // of plain data, or of a map like the loaded one
	prototype             targetPrototype
	loaded                *adl.Node // the map that was built first; nil for plain data
	reset                 bool
}

func (b *targetBuilder) Prototype() datamodel.NodePrototype { return b.prototype }

func (b *targetBuilder) Reset() {
	if b.loaded == nil {
		b.NodeBuilder.Reset()
		return
	}
	b.NodeBuilder = builder.PrototypeOf(b.loaded).NewBuilder()
	b.reset = true
}

func (b *targetBuilder) Build() datamodel.Node {
	if b.loaded == nil {
		return b.NodeBuilder.Build()
	}
	if !b.reset {
		return b.loaded
	}
	return b.NodeBuilder.Build().(*adl.Node).Substrate()
}

func (b *targetBuilder) BeginMap(sizeHint int64) (datamodel.MapAssembler, error) {
	ma, err := b.NodeBuilder.BeginMap(sizeHint)
	if b.loaded != nil || err != nil {
		return ma, err
	}
	return targetMap{ma, b}, nil
}

func (b *targetBuilder) AssignNode(n datamodel.Node) error {
	if err := b.NodeBuilder.AssignNode(n); err != nil || b.loaded != nil {
		return err
	}
	return b.reify()
}

// reify turns plain data that is finished into its map if it is a HAMT root.
func (b *targetBuilder) reify() error {
	plain := b.NodeBuilder.Build()
	if !IsRoot(plain) {
		return nil
	}
	p := b.prototype
	m, err := reify(p.lctx, plain, p.lsys, p.settings, p.link)
	if err != nil {
		return err
	}
	b.loaded = m.(*adl.Node)
	return nil
}

// targetMap reifies when the map of plain data is finished.
type targetMap struct {
	datamodel.MapAssembler
	builder *targetBuilder
}

func (m targetMap) Finish() error {
	if err := m.MapAssembler.Finish(); err != nil {
		return err
	}
	return m.builder.reify()
}
