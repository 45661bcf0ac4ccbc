package cbor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/schema"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// ValueDepth is the nesting at which the deepest value of a block stands: in
// an entry of a bucket of the data of the node of a root.
const ValueDepth = 5

// Decode returns the node of one value that Extent has accepted, if Skip does so
// too. Scalars and links are read here, because maps are full of them; collections
// by go-ipld-prime.
func Decode(raw []byte) (datamodel.Node, error) {
	if len(raw) == 0 {
		return nil, ErrTruncated
	}
	switch raw[0] {
	case simpleNull, simpleUndefined:
		return datamodel.Null, nil
	case simpleTrue:
		return basicnode.NewBool(true), nil
	case simpleFalse:
		return basicnode.NewBool(false), nil
	case simpleFloat16, simpleFloat32, simpleFloat64:
		if _, _, err := skipSimple(raw, 0); err != nil {
			return nil, err
		}
		return basicnode.NewFloat(float(raw, 0)), nil
	}
	major, arg, next, err := Head(raw, 0)
	if err != nil {
		return nil, err
	}
	switch major {
	case Uint:
		if arg > math.MaxInt64 {
			return basicnode.NewUint(arg), nil
		}
		return basicnode.NewInt(int64(arg)), nil
	case NegInt:
		if arg > math.MaxInt64 {
			return nil, errBelowInt64
		}
		return basicnode.NewInt(-1 - int64(arg)), nil
	case Bytes:
		return basicnode.NewBytes(bytes.Clone(raw[next:])), nil
	case String:
		return basicnode.NewString(string(raw[next:])), nil
	case Tag:
		from, to, err := Link(raw, 0)
		if err != nil {
			return nil, err
		}
		c, err := cid.Cast(raw[from:to])
		if err != nil {
			return nil, err
		}
		return basicnode.NewLink(cidlink.Link{Cid: c}), nil
	case Simple:
		_, _, err := skipSimple(raw, 0)
		return nil, err
	}
	if _, _, err := Skip(raw, 0, 0); err != nil {
		return nil, err // the codec passes over tags
	}
	return DecodeCollection(raw)
}

// DecodeCollection decodes any value with go-ipld-prime's codec. What that may
// allocate is bounded by the length of raw.
func DecodeCollection(raw []byte) (datamodel.Node, error) {
	builder := basicnode.Prototype.Any.NewBuilder()
	options := dagcbor.DecodeOptions{AllowLinks: true, AllocationBudget: 16 * (int64(len(raw)) + 64)}
	if err := options.Decode(builder, bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	return builder.Build(), nil
}

// Append appends the DAG-CBOR form of a value, or returns dst as it was
// and fault.ErrValue if it has none. Typed nodes are written in
// their representation form, at any depth.
//
// replace, if not nil, is called with every node in the value, from the
// outermost inwards, and returns what is written instead.
func Append(dst []byte, value datamodel.Node, replace func(datamodel.Node) (datamodel.Node, error)) ([]byte, error) {
	out, err := appendNode(dst, value, replace, ValueDepth)
	if err != nil {
		return dst, err
	}
	if out[len(dst)] >= List && out[len(dst)] < Tag {
		if err := Check(out[len(dst):]); err != nil {
			return dst, err
		}
	}
	return out, nil
}

// AppendUnchecked is like Append for a node that need not be a value in canonical
// form: the reader checks it.
func AppendUnchecked(dst []byte, node datamodel.Node) ([]byte, error) {
	return appendNode(dst, node, nil, 0)
}

func appendNode(dst []byte, value datamodel.Node, replace func(datamodel.Node) (datamodel.Node, error), depth int) ([]byte, error) {
	if typed, ok := value.(schema.TypedNode); ok {
		value = typed.Representation()
	}
	if replace != nil && value != nil {
		var err error
		if value, err = replace(value); err != nil {
			return dst, err
		}
	}
	if value == nil || value.IsAbsent() { // which would be of kind null
		return dst, faults.New(fault.ErrValue, "no node was given")
	}
	switch value.Kind() {
	case datamodel.Kind_Null:
		return AppendNull(dst), nil
	case datamodel.Kind_Bool:
		b, err := value.AsBool()
		return AppendBool(dst, b), err
	case datamodel.Kind_Int:
		if u, ok := value.(datamodel.UintNode); ok {
			i, err := u.AsUint()
			return AppendHead(dst, Uint, i), err
		}
		i, err := value.AsInt()
		return AppendInt(dst, i), err
	case datamodel.Kind_Float:
		f, err := value.AsFloat()
		if err != nil {
			return dst, err
		}
		return AppendFloat(dst, f)
	case datamodel.Kind_String:
		s, err := value.AsString()
		return AppendString(dst, s), err
	case datamodel.Kind_Bytes:
		b, err := value.AsBytes()
		return AppendBytes(dst, b), err
	case datamodel.Kind_Link:
		l, err := value.AsLink()
		if err != nil {
			return dst, err
		}
		return AppendLink(dst, l)
	}
	if depth >= MaxDepth {
		return dst, faults.New(fault.ErrValue, "lists and maps nest deeper than %d", MaxDepth)
	}
	switch value.Kind() {
	case datamodel.Kind_List:
		return appendList(dst, value, replace, depth)
	case datamodel.Kind_Map:
		return appendMap(dst, value, replace, depth)
	}
	return dst, faults.New(fault.ErrValue, "it is of kind %s", value.Kind())
}

func appendList(dst []byte, list datamodel.Node, replace func(datamodel.Node) (datamodel.Node, error), depth int) ([]byte, error) {
	n := list.Length()
	if n < 0 {
		return dst, faults.New(fault.ErrValue, "a list of unknown length")
	}
	dst = AppendHead(dst, List, uint64(n))
	for it := list.ListIterator(); !it.Done(); n-- {
		_, item, err := it.Next()
		if err == nil {
			dst, err = appendNode(dst, item, replace, depth+1)
		}
		if err != nil {
			return dst, err
		}
	}
	if n != 0 {
		return dst, faults.New(fault.ErrValue, "a list that does not have the length it says")
	}
	return dst, nil
}

// appendMap appends a map with its keys in DAG-CBOR's order: it appends the
// entries as they come, and then puts them in order.
func appendMap(dst []byte, m datamodel.Node, replace func(datamodel.Node) (datamodel.Node, error), depth int) ([]byte, error) {
	type entry struct {
		key      string
		from, to int // in dst
	}
	var entries []entry
	head, sorted := len(dst), true
	for it := m.MapIterator(); !it.Done(); {
		key, value, err := it.Next()
		if err != nil {
			return dst, err
		}
		if typed, ok := key.(schema.TypedNode); ok {
			key = typed.Representation()
		}
		e := entry{from: len(dst)}
		if e.key, err = key.AsString(); err != nil {
			return dst, err
		}
		if dst, err = appendNode(AppendString(dst, e.key), value, replace, depth+1); err != nil {
			return dst, err
		}
		e.to = len(dst)
		sorted = sorted && (len(entries) == 0 || CompareKeys(entries[len(entries)-1].key, e.key) < 0)
		entries = append(entries, e)
	}
	var count [9]byte
	n := len(AppendHead(count[:0], Map, uint64(len(entries))))
	if sorted { // as what was decoded from DAG-CBOR is
		dst = append(dst, count[:n]...)
		copy(dst[head+n:], dst[head:])
		copy(dst[head:], count[:n])
		return dst, nil
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return CompareKeys(a.key, b.key) })
	unsorted := bytes.Clone(dst[head:])
	dst = append(dst[:head], count[:n]...)
	for _, e := range entries {
		dst = append(dst, unsorted[e.from-head:e.to-head]...)
	}
	return dst, nil
}

// CompareKeys orders keys of maps as DAG-CBOR does: shorter ones first.
func CompareKeys[Key ~string | ~[]byte](a, b Key) int {
	switch {
	case len(a) != len(b):
		return cmp.Compare(len(a), len(b))
	case string(a) < string(b):
		return -1
	case string(a) > string(b):
		return 1
	}
	return 0
}

// Check returns fault.ErrValue unless raw is exactly one value in canonical
// DAG-CBOR that can stand in a map.
func Check(raw []byte) error {
	next, nonCanonical, err := Skip(raw, 0, ValueDepth)
	switch {
	case err != nil:
		return &fault.Error{Kind: fault.ErrValue, Cause: err}
	case next != len(raw):
		return faults.New(fault.ErrValue, "%d bytes follow the value", len(raw)-next)
	case nonCanonical:
		return faults.New(fault.ErrValue, "it is not in canonical DAG-CBOR")
	}
	return nil
}

// Canonical returns the canonical form of a value that was read from a block
// that is not canonical. One that cannot be decoded, or not be written, stays as it
// is: it is not for whoever edits beside it to mend.
func Canonical(raw []byte) []byte {
	if Check(raw) == nil {
		return raw
	}
	value, err := Decode(raw)
	if err != nil {
		return raw
	}
	canonical, err := Append(nil, value, nil)
	if err != nil {
		return raw
	}
	return canonical
}

// AppendHead appends a head with its argument in the shortest form.
func AppendHead(dst []byte, major byte, arg uint64) []byte {
	switch headLen(arg) {
	case 1:
		return append(dst, major|byte(arg))
	case 2:
		return append(dst, major|24, byte(arg))
	case 3:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case 5:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

// AppendNull appends null.
func AppendNull(dst []byte) []byte { return append(dst, simpleNull) }

// AppendBool appends a bool.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, simpleTrue)
	}
	return append(dst, simpleFalse)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, i int64) []byte {
	if i < 0 {
		return AppendHead(dst, NegInt, uint64(-1-i))
	}
	return AppendHead(dst, Uint, uint64(i))
}

// AppendFloat appends a float, in 64 bits as DAG-CBOR wants it; NaN and the
// infinities have no form there.
func AppendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, faults.New(fault.ErrValue, "%v has no DAG-CBOR form", f)
	}
	return binary.BigEndian.AppendUint64(append(dst, simpleFloat64), math.Float64bits(f)), nil
}

// AppendString appends a string.
func AppendString(dst []byte, s string) []byte {
	return append(AppendHead(dst, String, uint64(len(s))), s...)
}

// AppendBytes appends a byte string.
func AppendBytes(dst, b []byte) []byte {
	return append(AppendHead(dst, Bytes, uint64(len(b))), b...)
}

// AppendLink appends a link, which must be a CID.
func AppendLink(dst []byte, l datamodel.Link) ([]byte, error) {
	c, ok := l.(cidlink.Link)
	if !ok || !c.Defined() {
		return dst, faults.New(fault.ErrValue, "link %v is not a CID", l)
	}
	return AppendCID(dst, []byte(c.KeyString())), nil
}

// AppendCID appends a link by its binary CID.
func AppendCID(dst, binaryCID []byte) []byte {
	dst = AppendHead(append(dst, Tag|24, 42), Bytes, uint64(len(binaryCID))+1)
	return append(append(dst, 0), binaryCID...)
}
