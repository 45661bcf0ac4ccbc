// Package keys reads the keys of maps.
package keys

import "github.com/ipld/go-ipld-prime/datamodel"

// Bytes returns the bytes of a key that comes as a node of kind string or
// bytes. It returns datamodel.ErrWrongKind for any other kind.
func Bytes(key datamodel.Node) ([]byte, error) {
	kind := datamodel.Kind_Invalid
	if key != nil {
		kind = key.Kind()
	}
	switch kind {
	case datamodel.Kind_String:
		s, err := key.AsString()
		return []byte(s), err
	case datamodel.Kind_Bytes:
		return key.AsBytes()
	}
	return nil, datamodel.ErrWrongKind{
		TypeName: "HashMap", MethodName: "map key",
		AppropriateKind: datamodel.KindSet{datamodel.Kind_String, datamodel.Kind_Bytes}, ActualKind: kind,
	}
}
