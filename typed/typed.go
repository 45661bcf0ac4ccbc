// Package typed is for maps whose values are all of one type: it reads and
// writes them as Go values, by an IPLD Schema and go-ipld-prime's bindnode.
//
//	Map[V]   an adl.Node:     Get, All
//	Txn[V]   a builder.Txn:   Get, Set, Delete, Commit
//
// Values stand in the blocks in the representation that the schema asks for (a
// tuple, renamed fields, …), so that any implementation reads them.
package typed

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// Map is a map with values of type V. As the Node, it never changes, and is safe
// for concurrent use as far as its LinkSystem is.
type Map[V any] struct {
	node   *adl.Node
	values schema.TypedPrototype
}

// NewMap returns m as a map with values of type V, to which p binds a schema
// type:
//
//	bindnode.Prototype((*V)(nil), types.TypeByName("V"))
//
// Any other prototype is an error. Nothing is loaded.
func NewMap[V any](m *adl.Node, p schema.TypedPrototype) (*Map[V], error) {
	return orNil(&Map[V]{m, p}, check[V](p))
}

// Node returns the map that values are read from.
func (m *Map[V]) Node() *adl.Node { return m.node }

// Get returns the value of a key; a key that is not there is
// datamodel.ErrNotExists. It loads what [adl.Node.Get] loads, and has its
// errors; a value that does not match the schema is an error that names the key.
func (m *Map[V]) Get(ctx context.Context, key string) (V, error) {
	value, err := m.node.GetString(ctx, key)
	return from[V](ctx, m.node, m.values, key, value, err)
}

// All returns the entries in hash order, and a function that returns the error
// that has ended the last iteration over them, or nil. Blocks are loaded as
// [adl.Node.Entries] loads them.
func (m *Map[V]) All(ctx context.Context) (entries iter.Seq2[string, V], failed func() error) {
	var err error
	return func(yield func(string, V) bool) {
		for e, walkErr := range m.node.Entries(ctx) {
			value, valueErr := e.Value()
			v, entryErr := from[V](ctx, m.node, m.values, e.KeyString(), value, cmp.Or(walkErr, valueErr))
			if err = entryErr; err != nil || !yield(e.KeyString(), v) {
				return
			}
		}
	}, func() error { return err }
}

// NewTxn begins a transaction on the map.
func (m *Map[V]) NewTxn() (*Txn[V], error) {
	txn, err := builder.NewTxn(m.node)
	return orNil(&Txn[V]{txn, m.values}, err)
}

// Txn collects changes to a map with values of type V. It is a [builder.Txn]
// underneath: nothing is written before Commit, and it is for one goroutine.
type Txn[V any] struct {
	txn    *builder.Txn
	values schema.TypedPrototype
}

// NewTxn returns a transaction as one on a map with values of type V: to begin a
// map, or where the transaction has limits of its own. The prototype is as for
// [NewMap].
func NewTxn[V any](txn *builder.Txn, p schema.TypedPrototype) (*Txn[V], error) {
	return orNil(&Txn[V]{txn, p}, check[V](p))
}

// Get returns the value of a key, as the transaction has it. One that Set found
// too large to stand in the map can be read only after Commit.
func (t *Txn[V]) Get(ctx context.Context, key string) (V, error) {
	value, err := t.txn.GetString(ctx, key)
	return from[V](ctx, t.txn.Base(), t.values, key, value, err)
}

// Set sets the value of a key. It is encoded at once; a Go value that is no value
// of the schema type, such as a union without a member, is an error.
func (t *Txn[V]) Set(key string, v V) (err error) {
	defer func() {
		if p := recover(); p != nil { // how bindnode refuses some of them
			err = fmt.Errorf("hamt: the value of %q: %v", key, p)
		}
	}()
	n := t.values.NewBuilder().Build()
	*bindnode.Unwrap(n).(*V) = v
	return t.txn.SetString(key, n.(schema.TypedNode).Representation())
}

// Delete deletes a key, and reports whether it was there.
func (t *Txn[V]) Delete(ctx context.Context, key string) (bool, error) {
	return t.txn.DeleteString(ctx, key)
}

// Commit writes what the transaction changed, as [builder.Txn.Commit] does, and
// returns the new map and the link of its root.
func (t *Txn[V]) Commit(ctx context.Context) (*Map[V], datamodel.Link, error) {
	node, root, err := t.txn.Commit(ctx)
	m, err := orNil(&Map[V]{node, t.values}, err)
	return m, root, err
}

// check reports a prototype that makes something else than V.
func check[V any](p schema.TypedPrototype) error {
	if p != nil {
		if _, ok := bindnode.Unwrap(p.NewBuilder().Build()).(*V); ok {
			return nil
		}
	}
	return fmt.Errorf("hamt: the prototype is not one of bindnode for %T", *new(V))
}

// from returns the Go form of the value that a lookup of a key has returned.
func from[V any](ctx context.Context, m *adl.Node, p schema.TypedPrototype, key string, value datamodel.Node, err error) (none V, _ error) {
	if err != nil {
		return none, err
	}
	nb := p.Representation().NewBuilder()
	if err = nb.AssignNode(value); err != nil && value.Kind() == datamodel.Kind_Link {
		// Too large to stand in the map: see builder.Prototype.InlineBytes.
		nb = p.Representation().NewBuilder()
		link, _ := value.AsLink()
		lsys := m.LinkSystem()
		err = lsys.Fill(linking.LinkContext{Ctx: ctx, LinkNode: value}, link, nb)
	}
	if err != nil {
		return none, fmt.Errorf("hamt: the value of %q: %w", key, err)
	}
	return *bindnode.Unwrap(nb.Build()).(*V), nil
}

func orNil[T any](v *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}
