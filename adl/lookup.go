package adl

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/ipld/go-ipld-prime/datamodel"
)

// Get finds the value of a key. A key that is not there is
// datamodel.ErrNotExists; a block that cannot be loaded or read is a
// *fault.Error, as is a value that cannot be decoded (fault.ErrUndecodable).
func (n *Node) Get(ctx context.Context, key []byte) (datamodel.Node, error) {
	raw, ok, err := n.tree.Lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, datamodel.ErrNotExists{Segment: datamodel.PathSegmentOfString(string(key))}
	}
	return decode(key, raw)
}

// GetString is Get by the bytes of a string.
func (n *Node) GetString(ctx context.Context, key string) (datamodel.Node, error) {
	return n.Get(ctx, bytesOf(key))
}

// GetRaw finds the value of a key in DAG-CBOR, also one that cannot be decoded. The
// bytes are the caller's.
func (n *Node) GetRaw(ctx context.Context, key []byte) (dagCBOR []byte, ok bool, err error) {
	raw, ok, err := n.tree.Lookup(ctx, key)
	return bytes.Clone(raw), ok, err
}

// Has reports whether a key is there.
func (n *Node) Has(ctx context.Context, key []byte) (bool, error) {
	_, ok, err := n.tree.Lookup(ctx, key)
	return ok, err
}

// HasString is Has by the bytes of a string.
func (n *Node) HasString(ctx context.Context, key string) (bool, error) {
	return n.Has(ctx, bytesOf(key))
}

// Prefetch loads the nodes on the way to keys into the cache, where the store
// is slow: up to ReadAhead of them at the same time, and each once. Has and Get
// of the keys, and the methods of a transaction on the map that look keys up,
// then find them in memory and need not wait for one block after another. Where
// the store is fast, or there is no cache or no read-ahead, it does nothing.
//
// It changes nothing but the time: there is no error, since the lookup that
// needs what could not be loaded says so itself. When ctx is done it returns.
// Keys whose nodes do not all fit into the cache had better be prefetched some
// hundreds at a time.
func (n *Node) Prefetch(ctx context.Context, keys [][]byte) {
	n.tree.Prefetch(ctx, keys, n.settings.ReadAhead)
}

// bytesOf returns a string's bytes without copying them; nobody writes to them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
