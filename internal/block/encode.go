package block

import (
	"bytes"

	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Encoder writes one node: its elements in ascending order of index, then
// Append. Reset makes it ready for another, keeping its memory.
type Encoder struct {
	params params.Params
	layout *Layout
	bitmap []byte
	data   []byte // the elements, encoded
	count  int
}

// NewEncoder returns an encoder for nodes of a map with the given parameters.
func NewEncoder(p params.Params) *Encoder {
	return &Encoder{params: p, layout: LayoutOf(p.Layout), bitmap: make([]byte, p.BitmapBytes())}
}

// Reset forgets all elements.
func (e *Encoder) Reset() {
	clear(e.bitmap)
	e.data = e.data[:0]
	e.count = 0
}

func (e *Encoder) begin(index int) {
	e.bitmap[index>>3] |= 1 << (index & 7)
	e.count++
}

// AddLink adds a link to a child node, by its binary CID.
func (e *Encoder) AddLink(index int, binaryCID []byte) {
	e.begin(index)
	e.data = cbor.AppendCID(e.data, binaryCID)
}

// AddBucket begins a bucket of n entries; AddEntry adds each, in the layout's
// order of keys.
func (e *Encoder) AddBucket(index, n int) {
	e.begin(index)
	if e.layout.slots {
		e.data = cbor.AppendHead(e.data, cbor.Map, uint64(n))
		return
	}
	e.data = cbor.AppendHead(e.data, cbor.List, uint64(n))
}

// AddEntry adds an entry to the bucket begun last, once CheckKey and CheckValue
// of the layout have nothing against it; value is DAG-CBOR.
func (e *Encoder) AddEntry(key, value []byte) {
	if e.layout.slots {
		e.data = append(cbor.AppendHead(e.data, cbor.String, uint64(len(key))), key...)
	} else {
		e.data = append(e.data, cbor.List|2)
		e.data = cbor.AppendBytes(e.data, key)
	}
	e.data = append(e.data, value...)
}

// AddElements adds elements as [Node.Elements] returns them, at ascending indexes.
func (e *Encoder) AddElements(indexes []int, encoded []byte) {
	for _, index := range indexes {
		e.begin(index)
	}
	if e.layout.slots {
		e.addSlots(len(indexes), encoded)
		return
	}
	e.data = append(e.data, encoded...)
}

// Join appends the elements of another encoder, all at higher indexes.
func (e *Encoder) Join(other *Encoder) {
	for i, b := range other.bitmap {
		e.bitmap[i] |= b
	}
	e.data = append(e.data, other.data...)
	e.count += other.count
}

// Append appends the block of a node below the root.
func (e *Encoder) Append(dst []byte) []byte {
	if e.layout.slots {
		return e.slots(dst)
	}
	dst = append(dst, cbor.List|2)
	if e.layout.bigEndian {
		dst = cbor.AppendBytes(dst, appendBigEndian(nil, e.bitmap))
	} else {
		dst = cbor.AppendBytes(dst, e.bitmap)
	}
	dst = cbor.AppendHead(dst, cbor.List, uint64(e.count))
	return append(dst, e.data...)
}

// AppendRoot appends the block of the root.
func (e *Encoder) AppendRoot(dst []byte) []byte {
	if !e.layout.rootMap {
		return e.Append(dst)
	}
	dst = append(dst, cbor.Map|3)
	dst = e.Append(cbor.AppendString(dst, fieldHamt))
	dst = cbor.AppendHead(cbor.AppendString(dst, fieldHashAlg), cbor.Uint, uint64(e.params.HashAlg))
	return cbor.AppendHead(cbor.AppendString(dst, fieldBucketSize), cbor.Uint, uint64(e.params.BucketSize))
}

// Canonical reports whether the node is written the one way that its codec and
// layout allow. It does not check its elements.
func Canonical(n *Node, p params.Params, isRoot bool) bool {
	if n.nonCanonical {
		return false
	}
	if LayoutOf(p.Layout).ReadOnly {
		return true // there is nothing to compare with
	}
	e := NewEncoder(p)
	n.Indexes(func(position, index int) bool {
		if n.IsLink(position) {
			e.AddLink(index, n.Link(position))
			return true
		}
		b := n.Bucket(position)
		e.AddBucket(index, b.Len())
		for b.Next() {
			e.AddEntry(b.Key(), b.Value())
		}
		return true
	})
	if isRoot {
		return bytes.Equal(e.AppendRoot(nil), n.Raw())
	}
	return bytes.Equal(e.Append(nil), n.Raw())
}
