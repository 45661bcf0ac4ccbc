package input

import "iter"

// Change is a set or a delete. Key and Value are valid until the next change is
// asked for.
type Change struct {
	Delete bool
	Entry  // without a value for a delete
}

// Changes reads the changes of all sources, one after the other.
func Changes(sources []Source) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for _, s := range sources {
			for change, err := range s.Changes() {
				if !yield(change, err) {
					return
				}
			}
		}
	}
}

// Changes reads lines {"op":"set","key":K,"value":V} or {"op":"delete","key":K}. A
// value that DAG-JSON cannot say may stand in a field "dagCbor" instead, as the bytes of
// its DAG-CBOR, which are not checked here. The iteration is over after an error.
func (s Source) Changes() iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		var record record
		for line, err := range s.eachLine() {
			if err == nil {
				err = record.read(line.text, true)
				err = s.inLine(line, err)
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			c := Change{record.op == "delete", Entry{Key: record.key, Position: s.beginOf(line)}}
			if !c.Delete {
				c.Value = record.value
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Sets makes changes of entries.
func Sets(entries iter.Seq2[Entry, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for entry, err := range entries {
			if !yield(Change{Entry: entry}, err) {
				return
			}
		}
	}
}
