package merge

import (
	"context"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// within merges the values of a key that are maps. Those at different have changed it.
// done is false where one of them, or that of the base, is no map, or they are not alike.
func (m *merger) within(ctx context.Context, key []byte, values [][]byte, different []int) (value []byte, done bool, err error) {
	outer := m.path
	m.path = append(slices.Clip(outer), key)
	defer func() { m.path = outer }()
	if side := different[0]; len(m.path) > params.MaxDepth {
		return nil, false, at(faults.NestedTooDeep(m.trees[side].NestedLink(values[side])), m.side(side), m.path)
	}
	if value, done, err = m.fields(ctx, values, different); done || err != nil {
		return value, done, err
	}
	return m.links(ctx, values, different)
}

// links merges maps that values link to.
func (m *merger) links(ctx context.Context, values [][]byte, different []int) (value []byte, done bool, err error) {
	sides := append([]int{0}, different...)
	inner := &merger{Options: m.Options, ahead: m.ahead, path: m.path, report: m.report, left: m.left, into: m.into}
	var like *trie.Tree
	for _, side := range sides {
		if side == 0 && values[0] == nil {
			inner.trees = append(inner.trees, nil)
			inner.sides = append(inner.sides, Base)
			continue
		}
		t, err := m.open(ctx, side, values[side])
		if err != nil || t == nil {
			return nil, false, err
		}
		if side > 0 && like == nil {
			like = t
		}
		inner.trees, inner.sides = append(inner.trees, t), append(inner.sides, m.side(side))
	}
	if !inner.alike(like) {
		return nil, false, nil
	}
	inner.into.Params, inner.into.LinkPrototype = like.Params(), like.LinkPrototype()
	made, err := inner.slotwise(ctx)
	if err != nil {
		return nil, false, err
	}
	m.inner = append(m.inner, made)
	return cbor.AppendCID(nil, made.root), true, nil
}

// open opens the map that a value of one of the maps links to. It returns nil if there
// is none.
func (m *merger) open(ctx context.Context, side int, value []byte) (*trie.Tree, error) {
	outer := m.trees[side]
	link := outer.NestedLink(value)
	if link == nil {
		return nil, nil
	}
	t, err := outer.OpenNested(ctx, link)
	return t, at(err, m.side(side), m.path)
}

// fields merges plain maps, field by field.
func (m *merger) fields(ctx context.Context, values [][]byte, different []int) (value []byte, done bool, err error) {
	all := make([]map[string][]byte, len(values))
	for i, raw := range values {
		var ok bool
		if all[i], ok = fieldsOf(raw); !ok {
			return nil, false, nil
		}
	}
	for _, i := range different {
		if values[i] == nil { // it is deleted there
			return nil, false, nil
		}
	}
	var names []string
	for _, fields := range all {
		for name := range fields {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cbor.CompareKeys([]byte(a), []byte(b)) })
	count := 0
	var raw []byte
	for _, name := range slices.Compact(names) {
		field := make([][]byte, len(all))
		for i, fields := range all {
			field[i] = fields[name]
		}
		merged, _, err := m.merged(ctx, []byte(name), field)
		if err != nil {
			return nil, false, err
		}
		if merged != nil {
			count++
			raw = append(cbor.AppendString(raw, name), merged...)
		}
	}
	return append(cbor.AppendHead(nil, cbor.Map, uint64(count)), raw...), true, nil
}

// fieldsOf returns the fields of a plain map in DAG-CBOR; none for no value. ok is false
// for any other value.
func fieldsOf(raw []byte) (fields map[string][]byte, ok bool) {
	if raw == nil {
		return nil, true
	}
	if raw[0]&0xe0 != cbor.Map {
		return nil, false
	}
	value, err := cbor.Decode(raw)
	if err != nil {
		return nil, false
	}
	fields = map[string][]byte{}
	for it := value.MapIterator(); !it.Done(); {
		key, field, err := it.Next()
		if err != nil {
			return nil, false
		}
		name, err := key.AsString()
		if err != nil {
			return nil, false
		}
		if fields[name], err = cbor.Append(nil, field, nil); err != nil {
			return nil, false
		}
	}
	return fields, true
}
