package adl

import (
	"io"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// substrate is a root block as plain data. The DAG-CBOR codec finds the bytes
// ready.
type substrate struct {
	datamodel.Node
	raw []byte
}

func newSubstrate(root *block.Node) datamodel.Node {
	plain, err := cbor.DecodeCollection(root.Raw())
	if err != nil {
		// What the block parser accepts the codec accepts, which a differential
		// fuzz test holds, but for values that cannot be decoded: there it has no
		// data model form, but still its bytes.
		plain = datamodel.Absent
	}
	return substrate{plain, root.Raw()}
}

// EncodeDagCbor is go-ipld-prime's fast path for DAG-CBOR.
func (s substrate) EncodeDagCbor(w io.Writer) error {
	_, err := w.Write(s.raw)
	return err
}
