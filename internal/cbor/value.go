package cbor

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

// ValueDepth is the nesting at which the deepest value of a block stands: in
// an entry of a bucket of the data of the node of a root.
const ValueDepth = 5

// Decode makes a node of one value that Skip has accepted. Scalars and links
// are read here, because maps are full of them; collections by go-ipld-prime.
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
	}
	return DecodeCollection(raw)
}

// DecodeCollection makes a node of any value with go-ipld-prime's codec. What
// it may allocate is bound to the length of raw, which is in memory already.
func DecodeCollection(raw []byte) (datamodel.Node, error) {
	builder := basicnode.Prototype.Any.NewBuilder()
	options := dagcbor.DecodeOptions{AllowLinks: true, AllocationBudget: 16 * (int64(len(raw)) + 64)}
	if err := options.Decode(builder, bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	return builder.Build(), nil
}

// Append appends the DAG-CBOR form of a value, or fails with fault.ErrValue
// where it has none.
func Append(dst []byte, value datamodel.Node) ([]byte, error) {
	if value == nil || value.IsAbsent() { // which would be of kind null
		return dst, fault.New(fault.ErrValue, "no node was given")
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
	case datamodel.Kind_Map, datamodel.Kind_List:
		return appendCollection(dst, value)
	}
	return dst, fault.New(fault.ErrValue, "it is of kind %s", value.Kind())
}

func appendCollection(dst []byte, value datamodel.Node) ([]byte, error) {
	buffer := bytes.NewBuffer(dst)
	options := dagcbor.EncodeOptions{AllowLinks: true, MapSortMode: codec.MapSortMode_RFC7049}
	if err := options.Encode(value, buffer); err != nil {
		return dst, &fault.Error{Kind: fault.ErrValue, Cause: err}
	}
	// The codec writes what it would not read, such as NaN, so look again.
	if err := Check(buffer.Bytes()[len(dst):]); err != nil {
		return dst, err
	}
	return buffer.Bytes(), nil
}

// Check reports with fault.ErrValue whether raw is anything but exactly one
// value in canonical DAG-CBOR that can stand in a map.
func Check(raw []byte) error {
	next, loose, err := Skip(raw, 0, ValueDepth)
	switch {
	case err != nil:
		return &fault.Error{Kind: fault.ErrValue, Cause: err}
	case next != len(raw):
		return fault.New(fault.ErrValue, "%d bytes follow the value", len(raw)-next)
	case loose:
		return fault.New(fault.ErrValue, "it is not in canonical DAG-CBOR")
	}
	return nil
}

// Canonical gives the canonical form of a value that was read from a block
// with loose encoding.
func Canonical(raw []byte) ([]byte, error) {
	if Check(raw) == nil {
		return raw, nil
	}
	value, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	return Append(nil, value)
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
		return dst, fault.New(fault.ErrValue, "%v has no DAG-CBOR form", f)
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
		return dst, fault.New(fault.ErrValue, "link %v is not a CID", l)
	}
	return AppendCID(dst, []byte(c.KeyString())), nil
}

// AppendCID appends a link by its binary CID.
func AppendCID(dst, binaryCID []byte) []byte {
	dst = AppendHead(append(dst, Tag|24, 42), Bytes, uint64(len(binaryCID))+1)
	return append(append(dst, 0), binaryCID...)
}
