package builder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Txn collects changes to a map. Nothing is written before Commit, and the map
// it began with stays as it is. A Txn is for one goroutine.
type Txn struct {
	config  *config
	base    *adl.Node
	stored  bool // the base's root is in the store for sure
	overlay *hashsort.Overlay
	values  map[string]blockio.Block // blocks of values that are not inline, by CID
	nested  nestedMaps
	buffer  []byte
}

var errNoBase = errors.New("hamt: no map was given to edit")

// NewTxn begins a transaction on a map. The blocks it writes are like the
// map's own; for other limits, take [Prototype.Edit].
func NewTxn(base *adl.Node) (*Txn, error) { return Prototype{}.Edit(base) }

// Edit begins a transaction on a map with the limits of the prototype
// (WritesAtOnce, InlineBytes, MaxBlockBytes), and where it has one with its
// LinkSystem, which must then have the map's blocks too. The parameters stay
// the map's, and so does the link prototype: a tree of two kinds of blocks is
// not canonical, so another one is an error.
func (p Prototype) Edit(base *adl.Node) (*Txn, error) {
	if base == nil {
		return nil, errNoBase
	}
	like := PrototypeOf(base)
	p.Params = like.Params
	if p.LinkSystem == nil {
		p.LinkSystem, p.origin = like.LinkSystem, like.origin
		if p.WritesAtOnce == 0 {
			p.WritesAtOnce = like.WritesAtOnce
		}
	}
	if p.LinkPrototype == nil {
		p.LinkPrototype = like.LinkPrototype
	}
	if !samePrototype(p.LinkPrototype, like.LinkPrototype) {
		return nil, fmt.Errorf("hamt: the map's blocks are named by %v, not by %v; rebuild it to change that", like.LinkPrototype, p.LinkPrototype)
	}
	if p.Context == nil {
		p.Context = like.Context
	}
	if p.read == (nodes.Settings{}) {
		p.read = like.read
	}
	config, err := p.open()
	if err != nil {
		return nil, err
	}
	return config.begin(base, treeOf(base).Link() != nil), nil
}

// NewTxn begins a transaction on the empty map.
func (p Prototype) NewTxn() (*Txn, error) {
	config, err := p.open()
	if err != nil {
		return nil, err
	}
	root := block.NewEncoder(config.Params).AppendRoot(nil)
	empty, err := config.node(config.Context, root, len(root), nil, 0)
	if err != nil {
		return nil, err
	}
	return config.begin(empty, false), nil
}

// treeOf returns what a Node is a view of.
func treeOf(n *adl.Node) *trie.Tree { return nodes.OriginOf(n).Tree }

func (w *config) begin(base *adl.Node, stored bool) *Txn {
	t := &Txn{config: w, base: base, stored: stored}
	t.reset()
	return t
}

func (t *Txn) reset() {
	t.overlay = hashsort.NewOverlay(t.config.Params, t.config.hasher)
	t.values, t.nested = map[string]blockio.Block{}, nil
}

// Base is the map that the transaction began with, or that its last Commit
// made.
func (t *Txn) Base() *adl.Node { return t.base }

// Changes is the number of keys that were set or deleted since.
func (t *Txn) Changes() int { return t.overlay.Len() }

// Set sets a key. The value is encoded at once; a value that has no DAG-CBOR
// form is fault.ErrValue. Typed nodes are stored in their representation form,
// and a HAMT, at any depth of the value, as a link to its root; Commit copies
// the blocks of one that stands in another LinkSystem and are missing in this
// one, but not what its values link to.
func (t *Txn) Set(key []byte, value datamodel.Node) (err error) {
	t.buffer, err = t.config.appendValue(t.buffer[:0], value, &t.nested)
	if err != nil {
		return err
	}
	return t.set(key, t.buffer)
}

// SetString is Set by the bytes of a string.
func (t *Txn) SetString(key string, value datamodel.Node) error { return t.Set([]byte(key), value) }

// SetRaw is Set of a value that is in DAG-CBOR already; fault.ErrValue where it
// is not, or not in its canonical form.
func (t *Txn) SetRaw(key, dagCBOR []byte) error {
	if err := cbor.Check(dagCBOR); err != nil {
		return err
	}
	return t.set(key, dagCBOR)
}

func (t *Txn) set(key, raw []byte) error {
	if err := t.config.layout.CheckKey(key); err != nil {
		return err
	}
	inline, own, err := t.config.inlineOrBlock(raw)
	if err != nil {
		return err
	}
	if own != nil {
		t.values[string(own.CID)] = *own
	}
	t.overlay.Set(key, inline)
	return nil
}

// SetIfAbsent sets a key that is not there yet, and reports whether it did. It
// looks the key up in Base, unless the transaction has changed it: before many
// of them over a slow store, [adl.Node.Prefetch] their keys.
func (t *Txn) SetIfAbsent(ctx context.Context, key []byte, value datamodel.Node) (bool, error) {
	there, err := t.Has(ctx, key)
	if err != nil || there {
		return false, err
	}
	return true, t.Set(key, value)
}

// SetStringIfAbsent is SetIfAbsent by the bytes of a string.
func (t *Txn) SetStringIfAbsent(ctx context.Context, key string, value datamodel.Node) (bool, error) {
	return t.SetIfAbsent(ctx, []byte(key), value)
}

// Delete deletes a key, and reports whether it was there. It looks the key up in
// Base, unless the transaction has changed it: before many of them over a slow
// store, [adl.Node.Prefetch] their keys.
func (t *Txn) Delete(ctx context.Context, key []byte) (existed bool, err error) {
	existed, err = t.Has(ctx, key)
	if existed {
		t.overlay.Set(key, nil)
	}
	return existed, err
}

// DeleteString is Delete by the bytes of a string.
func (t *Txn) DeleteString(ctx context.Context, key string) (existed bool, err error) {
	return t.Delete(ctx, []byte(key))
}

// Get finds the value of a key, as the transaction has it;
// datamodel.ErrNotExists where there is none. A value that was too large to be
// inline is the link that stands in its place.
func (t *Txn) Get(ctx context.Context, key []byte) (datamodel.Node, error) {
	value, changed := t.overlay.Get(key)
	if !changed {
		return t.base.Get(ctx, key)
	}
	if len(value) == 0 {
		return nil, datamodel.ErrNotExists{Segment: datamodel.PathSegmentOfString(string(key))}
	}
	return cbor.Decode(append([]byte(nil), value...))
}

// GetString is Get by the bytes of a string.
func (t *Txn) GetString(ctx context.Context, key string) (datamodel.Node, error) {
	return t.Get(ctx, []byte(key))
}

// Has reports whether a key is there, as the transaction has it.
func (t *Txn) Has(ctx context.Context, key []byte) (bool, error) {
	value, changed := t.overlay.Get(key)
	if changed {
		return len(value) > 0, nil
	}
	return t.base.Has(ctx, key)
}

// HasString is Has by the bytes of a string.
func (t *Txn) HasString(ctx context.Context, key string) (bool, error) {
	return t.Has(ctx, []byte(key))
}

// Commit writes what the transaction changed: each changed node once, children
// first, the root last, and no block that the map had before. It returns the new
// map and its root. Nodes collapse as the specification says, to any depth;
// empty buckets in nodes that are rewritten are dropped. Where the store is slow
// several of the nodes that the changes lead into are loaded at the same time
// ([adl.WithReadAhead]).
//
// After that the transaction goes on from the new map. After an error it is
// as it was, and can be committed again; nothing is written unless all blocks
// could be made.
func (t *Txn) Commit(ctx context.Context) (*adl.Node, datamodel.Link, error) {
	return t.commit(ctx, false)
}

// commit is Commit; with serial, it loads one block after the other.
func (t *Txn) commit(ctx context.Context, serial bool) (*adl.Node, datamodel.Link, error) {
	old, err := t.base.Link()
	if err != nil {
		return nil, nil, err
	}
	if t.overlay.Len() == 0 && t.stored {
		return t.base, old, nil
	}
	ahead := t.config.read.ReadAhead
	if serial {
		ahead = 1
	}
	d := staged{config: t.config}
	applied, err := treeOf(t.base).Apply(ctx, t.overlay, d.puts, ahead)
	if err != nil {
		return nil, nil, err
	}
	if err := d.finish(applied.Root); err != nil {
		return nil, nil, err
	}
	if err := t.config.copyMaps(ctx, t.nested.linkedFrom(t.overlay.Values()), serial); err != nil {
		return nil, nil, err
	}
	next, err := t.write(ctx, &d, applied, old)
	if err != nil {
		return nil, nil, err
	}
	t.base, t.stored = next, true
	t.reset()
	link, err := next.Link()
	return next, link, err
}

// write stores a staged tree and makes its Node; the old one where nothing changed.
func (t *Txn) write(ctx context.Context, d *staged, applied trie.Applied, old datamodel.Link) (*adl.Node, error) {
	same := t.stored && old.Binary() == string(d.named.CID)
	values := t.liveValues()
	if same { // all are there as they should be, since the map links to them
		values = slices.DeleteFunc(values, func(v blockio.Block) bool { return t.config.blockWriter.Has(ctx, v) })
	}
	if err := t.config.writeValues(ctx, values); err != nil {
		return nil, err
	}
	if same {
		return t.base, nil
	}
	if err := d.write(ctx, applied.Opened); err != nil {
		return nil, err
	}
	count, ok := t.base.KnownCount()
	if !ok {
		return d.node(t.base.Context(), -1)
	}
	return d.node(t.base.Context(), count+applied.Delta)
}

// liveValues returns the blocks of values that are not inline and that no later
// change has replaced.
func (t *Txn) liveValues() (live []blockio.Block) {
	if len(t.values) == 0 {
		return nil
	}
	seen := map[string]bool{}
	for raw := range t.overlay.Values() {
		from, to, err := cbor.Link(raw, 0)
		if err != nil || to != len(raw) {
			continue
		}
		name := string(raw[from:to])
		if b, ok := t.values[name]; ok && !seen[name] {
			seen[name] = true
			live = append(live, b)
		}
	}
	return live
}
