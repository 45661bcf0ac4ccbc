package input

import (
	"fmt"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// record reads one line of ndjson after the other, into the same memory.
type record struct {
	op         string
	key, value []byte

	hasKey, hasValue, hasOp bool
	reader                  dagjson.Reader
}

// readKeyed reads a line that is a map, of which one field is the key.
func (r *record) readKeyed(text []byte, field string) (err error) {
	r.reader.Reset(text)
	if r.key, r.value, err = r.reader.Record(r.value[:0], field); err != nil {
		return err
	}
	return r.reader.End()
}

// read reads the fields of one line: "key" and "value" or, where it is a
// change, "op" with them.
func (r *record) read(text []byte, change bool) error {
	r.op, r.hasKey, r.hasValue, r.hasOp = "", false, false, false
	r.reader.Reset(text)
	err := r.reader.Fields(func(name string) (err error) {
		switch {
		case name == "key":
			r.hasKey = true
			var key []byte
			key, err = r.reader.Key()
			r.key = append(r.key[:0], key...)
		case name == "value":
			if r.hasValue {
				return fmt.Errorf("there is a value already")
			}
			r.hasValue = true
			r.value, err = r.reader.Value(r.value[:0])
		case name == "dagCbor" && change:
			if r.hasValue {
				return fmt.Errorf("there is a value already")
			}
			r.hasValue = true
			var raw []byte
			raw, err = r.reader.Bytes()
			r.value = append(r.value[:0], raw...)
		case name == "op" && change:
			r.hasOp = true
			var op []byte
			op, err = r.reader.String()
			r.op = string(op)
		default:
			return fmt.Errorf("unknown field %q", name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := r.reader.End(); err != nil {
		return err
	}
	return r.complete(change)
}

// complete says which field is missing, or too many.
func (r *record) complete(change bool) error {
	switch {
	case change && !r.hasOp:
		return fmt.Errorf(`field "op" is missing`)
	case change && r.op != "set" && r.op != "delete":
		return fmt.Errorf(`unknown op %q: it is "set" or "delete"`, r.op)
	case !r.hasKey:
		return fmt.Errorf(`field "key" is missing`)
	case r.op == "delete" && r.hasValue:
		return fmt.Errorf(`field "value" has no meaning for op "delete"`)
	case r.op != "delete" && !r.hasValue:
		return fmt.Errorf(`field "value" is missing`)
	}
	return nil
}
