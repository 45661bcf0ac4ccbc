package input

import "iter"

// Change is a set or a delete. Key and Value are valid until the next change is
// asked for.
type Change struct {
	Delete bool
	Key    []byte
	Value  []byte // in DAG-CBOR; nil for a delete
	Line   int
}

// Changes reads lines {"op":"set","key":K,"value":V} or
// {"op":"delete","key":K}. The iteration is over after an error.
func (s Source) Changes() iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		var record record
		for line, err := range s.eachLine() {
			if err == nil {
				err = s.inLine(line, record.read(line.text, true))
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			c := Change{Delete: record.op == "delete", Key: record.key, Line: line.number}
			if !c.Delete {
				c.Value = record.value
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}
