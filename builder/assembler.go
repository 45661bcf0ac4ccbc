package builder

import (
	"fmt"
	"unsafe"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/node/mixins"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keys"
)

var (
	_ datamodel.NodeBuilder   = (*mapBuilder)(nil)
	_ datamodel.MapAssembler  = (*mapAssembler)(nil)
	_ datamodel.NodeAssembler = (*keyAssembler)(nil)
	_ datamodel.NodeAssembler = (*valueAssembler)(nil)
)

// mapBuilder builds a map as go-ipld-prime builds any: entries go into an overlay
// as they are assembled, Finish makes and writes the tree. How it answers to
// errors and misuse is what HACKME_builderBehaviors asks for: repeated keys
// are an error at once, wrong order panics.
//
// One that amends begins with the entries of another map: there is a
// transaction on it, and the entries go into the transaction's overlay.
type mapBuilder struct {
	prototype Prototype
	amends    bool
	base      datamodel.Node // if it amends
	assembler mapAssembler
}

func newMapBuilder(p Prototype) *mapBuilder { return &mapBuilder{prototype: p} }

func newAmendingBuilder(p Prototype, base datamodel.Node) *mapBuilder {
	return &mapBuilder{prototype: p, amends: true, base: base}
}

// state is what a map assembler waits for.
type state uint8

const (
	unbegun     state = iota // BeginMap or AssignNode
	expectKey                // a key, or Finish
	midKey                   // the key assembler to finish
	expectValue              // AssembleValue
	midValue                 // the value assembler to finish
	finished                 // nothing
	broken                   // Reset: Finish has failed
)

func (b *mapBuilder) Build() datamodel.Node {
	if b.amends && b.assembler.state == unbegun {
		return b.base
	}
	if b.assembler.state != finished {
		panic("misuse: a builder must be finished before Build")
	}
	return b.assembler.built
}

func (b *mapBuilder) Reset() { b.assembler = mapAssembler{} }

func (b *mapBuilder) BeginMap(sizeHint int64) (datamodel.MapAssembler, error) {
	if b.assembler.state != unbegun {
		panic("misuse: the map has begun already")
	}
	if b.amends {
		return b.beginAmending()
	}
	return b.beginEmpty(sizeHint)
}

func (b *mapBuilder) beginEmpty(sizeHint int64) (datamodel.MapAssembler, error) {
	config, err := b.prototype.open()
	if err != nil {
		return nil, err
	}
	b.assembler.begin(config, sizeHint)
	return &b.assembler, nil
}

func (b *mapBuilder) beginAmending() (datamodel.MapAssembler, error) {
	base, ok := b.base.(*adl.Node)
	if !ok {
		return nil, fmt.Errorf("hamt: only a HAMT can be amended, and the base is a %T", b.base)
	}
	txn, err := b.prototype.Edit(base)
	if err != nil {
		return nil, err
	}
	b.assembler.amend(txn)
	return &b.assembler, nil
}

// AssignNode takes any map. One that has the same parameters and stands in the
// same store is taken as it is.
func (b *mapBuilder) AssignNode(v datamodel.Node) error {
	if b.assembler.state != unbegun {
		panic("misuse: the map has begun already")
	}
	if v == nil || v.Kind() != datamodel.Kind_Map {
		kind := datamodel.Kind_Invalid
		if v != nil {
			kind = v.Kind()
		}
		return datamodel.ErrWrongKind{TypeName: typeName, MethodName: "AssignNode", AppropriateKind: datamodel.KindSet_JustMap, ActualKind: kind}
	}
	if same, ok := v.(*adl.Node); ok && b.prototype.makes(same) {
		b.assembler.state, b.assembler.built = finished, same
		return nil
	}
	ma, err := b.beginEmpty(v.Length())
	if err != nil {
		return err
	}
	if err := copyEntries(ma, v); err != nil {
		return err
	}
	return ma.Finish()
}

// makes reports whether n can be taken for what building would give: a map of
// these entries, in the same store and of the same kind.
func (p Prototype) makes(n *adl.Node) bool {
	source := p.source()
	return source != nil && source == treeOf(n).Loader() && treeOf(n).Link() != nil &&
		p.InlineBytes < 1 && samePrototype(p.LinkPrototype, n.LinkPrototype())
}

func copyEntries(to datamodel.MapAssembler, from datamodel.Node) error {
	for it := from.MapIterator(); !it.Done(); {
		k, v, err := it.Next()
		if err != nil {
			return err
		}
		if err := to.AssembleKey().AssignNode(k); err != nil {
			return err
		}
		if err := to.AssembleValue().AssignNode(v); err != nil {
			return err
		}
	}
	return nil
}

const typeName = "HashMap"

var mapMixin = mixins.MapAssembler{TypeName: typeName}

func (b *mapBuilder) BeginList(int64) (datamodel.ListAssembler, error) { return mapMixin.BeginList(0) }
func (b *mapBuilder) AssignNull() error                                { return mapMixin.AssignNull() }
func (b *mapBuilder) AssignBool(bool) error                            { return mapMixin.AssignBool(false) }
func (b *mapBuilder) AssignInt(int64) error                            { return mapMixin.AssignInt(0) }
func (b *mapBuilder) AssignFloat(float64) error                        { return mapMixin.AssignFloat(0) }
func (b *mapBuilder) AssignString(string) error                        { return mapMixin.AssignString("") }
func (b *mapBuilder) AssignBytes([]byte) error                         { return mapMixin.AssignBytes(nil) }
func (b *mapBuilder) AssignLink(datamodel.Link) error                  { return mapMixin.AssignLink(nil) }
func (b *mapBuilder) Prototype() datamodel.NodePrototype               { return b.prototype }

// mapAssembler takes the entries of a map that has begun.
type mapAssembler struct {
	state   state
	config  *config
	overlay *hashsort.Overlay
	values  []blockio.Block // of values that are not inline
	nested  nestedMaps
	txn     *Txn          // on the map that is amended; nil for none
	slot    hashsort.Slot // of the key that waits for its value
	key     []byte        // that key
	buffer  []byte        // the value being encoded
	ka      keyAssembler
	va      valueAssembler
	built   *adl.Node
}

func (a *mapAssembler) begin(config *config, sizeHint int64) {
	a.state, a.config = expectKey, config
	a.overlay = hashsort.NewOverlay(config.Params, config.hasher)
	// The hint is anybody's guess, so it is worth no more than some memory.
	a.overlay.Expect(int(max(0, min(sizeHint, 1<<20))))
}

func (a *mapAssembler) amend(txn *Txn) {
	a.state, a.config, a.overlay, a.txn = expectKey, txn.config, txn.overlay, txn
}

func (a *mapAssembler) expect(s state, call string) {
	if a.state != s {
		panic("misuse: " + call + " is out of order")
	}
}

func (a *mapAssembler) AssembleKey() datamodel.NodeAssembler {
	a.expect(expectKey, "AssembleKey")
	a.state, a.ka.parent = midKey, a
	return &a.ka
}

func (a *mapAssembler) AssembleValue() datamodel.NodeAssembler {
	a.expect(expectValue, "AssembleValue")
	a.state, a.va.parent = midValue, a
	return &a.va
}

func (a *mapAssembler) AssembleEntry(k string) (datamodel.NodeAssembler, error) {
	a.expect(expectKey, "AssembleEntry")
	if err := a.takeKey(bytesOf(k)); err != nil {
		return nil, err
	}
	a.state, a.va.parent = midValue, a
	return &a.va, nil
}

// bytesOf returns a string's bytes without copying them; nobody writes to them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// takeKey keeps a key until its value comes; repeated ones, and those that the
// layout does not take, are refused and leave no trace.
func (a *mapAssembler) takeKey(key []byte) error {
	if err := a.config.layout.CheckKey(key); err != nil {
		a.state = expectKey
		return err
	}
	slot, taken := a.overlay.Slot(key)
	if taken {
		a.state = expectKey
		return datamodel.ErrRepeatedMapKey{Key: basicnode.NewString(string(key))}
	}
	a.slot, a.key = slot, append(a.key[:0], key...)
	a.state = expectValue
	return nil
}

// takeValue keeps the entry whose value is in the buffer.
func (a *mapAssembler) takeValue() error {
	inline, own, err := a.config.inlineOrBlock(a.buffer)
	if err != nil {
		return err
	}
	if own != nil {
		a.values = append(a.values, *own)
	}
	a.overlay.Put(a.slot, a.key, inline)
	a.state = expectKey
	return nil
}

// Finish makes all blocks of the tree, then writes them. After an error
// nothing more can be assembled; the builder can be reset.
func (a *mapAssembler) Finish() error {
	a.expect(expectKey, "Finish")
	built, err := a.build()
	if err != nil {
		*a = mapAssembler{state: broken}
		return err
	}
	*a = mapAssembler{state: finished, built: built}
	return nil
}

func (a *mapAssembler) build() (*adl.Node, error) {
	if a.txn == nil {
		return a.config.build(a.config.Context, a.overlay, a.values, a.nested)
	}
	for _, v := range a.values {
		a.txn.values[string(v.CID)] = v
	}
	a.txn.nested = a.nested
	built, _, err := a.txn.commit(a.config.Context, true)
	return built, err
}

func (a *mapAssembler) KeyPrototype() datamodel.NodePrototype { return basicnode.Prototype.String }
func (a *mapAssembler) ValuePrototype(string) datamodel.NodePrototype {
	return basicnode.Prototype.Any
}

// keyAssembler takes one key: a string, or bytes.
type keyAssembler struct {
	parent *mapAssembler // nil once the key is there
}

func (k *keyAssembler) take(key []byte) error {
	parent := k.live()
	k.parent = nil
	return parent.takeKey(key)
}

func (k *keyAssembler) live() *mapAssembler {
	if k.parent == nil {
		panic("misuse: the key has been assembled already")
	}
	return k.parent
}

func (k *keyAssembler) AssignString(s string) error { return k.take(bytesOf(s)) }
func (k *keyAssembler) AssignBytes(b []byte) error  { return k.take(b) }
func (k *keyAssembler) AssignNode(v datamodel.Node) error {
	k.live()
	key, err := keys.Bytes(v)
	if err != nil {
		return err
	}
	return k.take(key)
}

var keyMixin = mixins.StringAssembler{TypeName: typeName + " key"}

func (k *keyAssembler) BeginMap(int64) (datamodel.MapAssembler, error) { return keyMixin.BeginMap(0) }
func (k *keyAssembler) BeginList(int64) (datamodel.ListAssembler, error) {
	return keyMixin.BeginList(0)
}
func (k *keyAssembler) AssignNull() error                  { return keyMixin.AssignNull() }
func (k *keyAssembler) AssignBool(bool) error              { return keyMixin.AssignBool(false) }
func (k *keyAssembler) AssignInt(int64) error              { return keyMixin.AssignInt(0) }
func (k *keyAssembler) AssignFloat(float64) error          { return keyMixin.AssignFloat(0) }
func (k *keyAssembler) AssignLink(datamodel.Link) error    { return keyMixin.AssignLink(nil) }
func (k *keyAssembler) Prototype() datamodel.NodePrototype { return basicnode.Prototype.String }

// valueAssembler takes one value, of any kind, and encodes it at once.
type valueAssembler struct {
	parent *mapAssembler // nil once the value is there
}

func (v *valueAssembler) live() *mapAssembler {
	if v.parent == nil {
		panic("misuse: the value has been assembled already")
	}
	return v.parent
}

// take ends the assembly with the value that encode appends to the buffer.
// Where that fails, the value is still to come.
func (v *valueAssembler) take(encode func(dst []byte) ([]byte, error)) (err error) {
	a := v.live()
	if a.buffer, err = encode(a.buffer[:0]); err != nil {
		return err
	}
	if err := a.takeValue(); err != nil {
		return err
	}
	v.parent = nil
	return nil
}

func (v *valueAssembler) AssignNull() error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendNull(dst), nil })
}

func (v *valueAssembler) AssignBool(b bool) error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendBool(dst, b), nil })
}

func (v *valueAssembler) AssignInt(i int64) error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendInt(dst, i), nil })
}

func (v *valueAssembler) AssignFloat(f float64) error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendFloat(dst, f) })
}

func (v *valueAssembler) AssignString(s string) error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendString(dst, s), nil })
}

func (v *valueAssembler) AssignBytes(b []byte) error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendBytes(dst, b), nil })
}

func (v *valueAssembler) AssignLink(l datamodel.Link) error {
	return v.take(func(dst []byte) ([]byte, error) { return cbor.AppendLink(dst, l) })
}

func (v *valueAssembler) AssignNode(n datamodel.Node) error {
	a := v.live()
	return v.take(func(dst []byte) ([]byte, error) { return a.config.appendValue(dst, n, &a.nested) })
}

func (v *valueAssembler) Prototype() datamodel.NodePrototype { return basicnode.Prototype.Any }

// BeginMap assembles a value that is a map, in memory: its keys have to be
// sorted before it can be encoded.
func (v *valueAssembler) BeginMap(sizeHint int64) (datamodel.MapAssembler, error) {
	v.live()
	nb := basicnode.Prototype.Map.NewBuilder()
	ma, err := nb.BeginMap(sizeHint)
	return &mapValue{ma, nb, v}, err
}

// BeginList assembles a value that is a list.
func (v *valueAssembler) BeginList(sizeHint int64) (datamodel.ListAssembler, error) {
	v.live()
	nb := basicnode.Prototype.List.NewBuilder()
	la, err := nb.BeginList(sizeHint)
	return &listValue{la, nb, v}, err
}

// mapValue ends the value assembler when the map ends.
type mapValue struct {
	datamodel.MapAssembler
	builder datamodel.NodeBuilder
	value   *valueAssembler
}

func (m *mapValue) Finish() error {
	if err := m.MapAssembler.Finish(); err != nil {
		return err
	}
	return m.value.AssignNode(m.builder.Build())
}

// listValue ends the value assembler when the list ends.
type listValue struct {
	datamodel.ListAssembler
	builder datamodel.NodeBuilder
	value   *valueAssembler
}

func (l *listValue) Finish() error {
	if err := l.ListAssembler.Finish(); err != nil {
		return err
	}
	return l.value.AssignNode(l.builder.Build())
}
