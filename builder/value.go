package builder

import (
	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
)

// appendValue appends a value in DAG-CBOR. A value that is a HAMT itself is not
// copied into the block: its root is linked to, which is what makes nested
// maps possible and keeps transformed ones what they are. (A HAMT within a
// plain map or list is copied as the map it is; who wants a link there puts
// one.)
func appendValue(dst []byte, value datamodel.Node) ([]byte, error) {
	if nested, ok := value.(*adl.Node); ok {
		link, err := nested.Link()
		if err != nil {
			return dst, err
		}
		return cbor.AppendLink(dst, link)
	}
	return cbor.Append(dst, value)
}

// outline decides whether a value stays inline. Where it is too large for
// that, it gives the block that the value becomes and the link that stands in
// its place.
func (w *workshop) outline(raw []byte) (inline []byte, own *store.Block, err error) {
	if w.InlineBytes < 1 || len(raw) <= w.InlineBytes {
		return raw, nil, nil
	}
	b, err := w.sink.Make(append([]byte(nil), raw...))
	if err != nil {
		return nil, nil, err
	}
	return cbor.AppendCID(nil, b.CID), &b, nil
}
