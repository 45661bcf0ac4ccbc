package builder

import (
	"context"
	"iter"
	"math"
	"slices"
	"unsafe"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// nestedMaps are maps that values link to, by their roots, whose blocks may be
// missing where the values go. They are copied there before what links to them
// is written, so that no link is left dangling.
type nestedMaps map[string]*adl.Node

func (m *nestedMaps) add(root datamodel.Link, n *adl.Node) {
	if *m == nil {
		*m = nestedMaps{}
	}
	(*m)[root.Binary()] = n
}

// linkedFrom visits those maps that values link to.
func (m nestedMaps) linkedFrom(values iter.Seq[[]byte]) iter.Seq[*adl.Node] {
	return func(yield func(*adl.Node) bool) {
		if len(m) == 0 {
			return
		}
		linked := nestedMaps{}
		for raw := range values {
			for binaryCID := range cbor.Links(raw) {
				if n, ok := m[string(binaryCID)]; ok {
					linked[string(binaryCID)] = n
				}
			}
		}
		for _, n := range linked {
			if !yield(n) {
				return
			}
		}
	}
}

// holds reports whether a map is known to stand, whole, in the store that this
// one is built in: it was loaded or built there.
func (w *config) holds(n *adl.Node) bool { return w.holdsTree(treeOf(n)) }

func (w *config) holdsTree(tree *trie.Tree) bool {
	return tree.Link() != nil && sameStorage(tree.Loader().LinkSystem(), w.LinkSystem)
}

// sameStorage reports whether two LinkSystems are known to have the same storage,
// since they have the very same StorageReadOpener, or StorageWriteOpener where
// they do not read: one is a copy of the other. Functions cannot be compared in
// Go, so this compares what they point to.
func sameStorage(a, b *linking.LinkSystem) bool {
	if a.StorageReadOpener == nil && b.StorageReadOpener == nil {
		return *(*unsafe.Pointer)(unsafe.Pointer(&a.StorageWriteOpener)) == *(*unsafe.Pointer)(unsafe.Pointer(&b.StorageWriteOpener))
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&a.StorageReadOpener)) == *(*unsafe.Pointer)(unsafe.Pointer(&b.StorageReadOpener))
}

// copyMaps copies the blocks of maps that are missing from the store, children
// first. Blocks that are linked to from values of those maps are not theirs.
// With serial, it loads one block after the other.
func (w *config) copyMaps(ctx context.Context, maps iter.Seq[*adl.Node], serial bool) error {
	for n := range maps {
		if err := w.copyMap(ctx, n, serial); err != nil {
			return err
		}
	}
	return nil
}

func (w *config) copyMap(ctx context.Context, n *adl.Node, serial bool) error {
	if serial {
		o := nodes.OriginOf(n)
		o.Settings.ReadAhead = 1
		n = nodes.New(o).(*adl.Node)
	}
	var missing []datamodel.Link // a node before its children
	for link, err := range n.Blocks(ctx) {
		if err != nil {
			return err
		}
		if !w.blockWriter.Has(ctx, blockio.Block{CID: []byte(link.Binary())}) {
			missing = append(missing, link)
		}
	}
	for _, link := range slices.Backward(missing) {
		raw, err := w.rawBlock(ctx, n, link)
		if err != nil {
			return err
		}
		if err := w.blockWriter.Write(ctx, blockio.Block{CID: []byte(link.Binary()), Bytes: raw}); err != nil {
			return err
		}
	}
	return nil
}

// rawBlock returns the bytes of one of a map's own blocks. The root may never
// have been one, where a map was reified from data that came from elsewhere.
func (w *config) rawBlock(ctx context.Context, n *adl.Node, link datamodel.Link) ([]byte, error) {
	tree := treeOf(n)
	lsys := tree.Loader().LinkSystem()
	if root, err := n.Link(); err == nil && tree.Link() == nil && root == link {
		blockWriter, err := blockio.NewWriter(lsys, link.Prototype(), math.MaxInt)
		if err != nil {
			return nil, err
		}
		block, err := blockWriter.Encode(tree.Root().Raw())
		return block.Bytes, err
	}
	raw, err := lsys.LoadRaw(linking.LinkContext{Ctx: ctx}, link)
	if err != nil && ctx.Err() == nil {
		err = &fault.Error{Kind: fault.ErrMissing, Link: link, Cause: err}
	}
	return raw, err
}
