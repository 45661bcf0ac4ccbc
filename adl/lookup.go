package adl

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Get finds the value of a key. A key that is not there is
// datamodel.ErrNotExists; a block that cannot be loaded or read is a
// *fault.Error.
func (n *Node) Get(ctx context.Context, key []byte) (datamodel.Node, error) {
	raw, ok, err := n.tree.Lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, datamodel.ErrNotExists{Segment: datamodel.PathSegmentOfString(string(key))}
	}
	return cbor.Decode(raw)
}

// GetString is Get by the bytes of a string.
func (n *Node) GetString(ctx context.Context, key string) (datamodel.Node, error) {
	return n.Get(ctx, bytesOf(key))
}

// GetRaw finds the value of a key in DAG-CBOR. The bytes are the caller's.
func (n *Node) GetRaw(ctx context.Context, key []byte) (dagCBOR []byte, ok bool, err error) {
	raw, ok, err := n.tree.Lookup(ctx, key)
	return bytes.Clone(raw), ok, err
}

// Has says whether a key is there.
func (n *Node) Has(ctx context.Context, key []byte) (bool, error) {
	_, ok, err := n.tree.Lookup(ctx, key)
	return ok, err
}

// HasString is Has by the bytes of a string.
func (n *Node) HasString(ctx context.Context, key string) (bool, error) {
	return n.Has(ctx, bytesOf(key))
}

// bytesOf gives a string's bytes without copying them; nobody writes to them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
