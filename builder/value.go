package builder

import (
	"bytes"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// appendValue appends a value in DAG-CBOR. A HAMT in it, at any depth, is not
// copied into the block: its root is linked to, which is what makes nested maps
// possible and keeps transformed ones what they are. One whose blocks may be
// missing where this map's blocks go is added to nested.
func (w *config) appendValue(dst []byte, value datamodel.Node, nested *nestedMaps) ([]byte, error) {
	return cbor.Append(dst, value, func(n datamodel.Node) (datamodel.Node, error) {
		m, ok := n.(*adl.Node)
		if !ok {
			return n, nil
		}
		if m == nil {
			return nil, nil
		}
		link, err := m.Link()
		if err != nil {
			return nil, err
		}
		if !w.holds(m) {
			nested.add(link, m)
		}
		return basicnode.NewLink(link), nil
	})
}

// inlineOrBlock decides whether a value stays inline. Where it is too large for
// that, or the layout links to all values, it gives the block that the value
// becomes and the link that stands in its place.
func (w *config) inlineOrBlock(raw []byte) (inline []byte, own *blockio.Block, err error) {
	if w.staysInline(raw) {
		return raw, nil, nil
	}
	b, err := w.ownBlock(raw)
	if err != nil {
		return nil, nil, err
	}
	return cbor.AppendCID(nil, b.CID), &b, nil
}

func (w *config) staysInline(raw []byte) bool {
	if w.layout.LinkedValues {
		return w.layout.CheckValue(raw) == nil
	}
	return w.InlineBytes < 1 || len(raw) <= w.InlineBytes
}

func (w *config) ownBlock(raw []byte) (blockio.Block, error) {
	if w.layout.LinkedValues {
		return w.blockWriter.Object(bytes.Clone(content(raw)))
	}
	return w.blockWriter.Encode(bytes.Clone(raw))
}

// content returns what is kept of a value in a block that is in no codec: of bytes
// those, of anything else its DAG-CBOR.
func content(raw []byte) []byte {
	if from, to, err := cbor.Span(raw, 0, cbor.Bytes); err == nil && to == len(raw) {
		return raw[from:]
	}
	return raw
}
