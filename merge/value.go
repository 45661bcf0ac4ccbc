package merge

import (
	"bytes"
	"context"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// merged returns what the values of a key in the base and in the versions are merged to,
// nil for none. made says that it is none of them.
func (m *merger) merged(ctx context.Context, key []byte, values [][]byte) (value []byte, made bool, err error) {
	var different []int // versions that have changed it, each in another way
	for i := 1; i < len(values); i++ {
		if !equal(values[i], values[0]) && !slices.ContainsFunc(different, func(j int) bool { return equal(values[i], values[j]) }) {
			different = append(different, i)
		}
	}
	switch len(different) {
	case 0:
		return values[0], false, nil
	case 1:
		return values[different[0]], false, nil
	}
	if m.Recursive {
		value, done, err := m.within(ctx, key, values, different)
		if err != nil || done {
			return value, true, err
		}
	}
	// One version after the other, as merging two by two does.
	value = values[1]
	for _, theirs := range values[2:] {
		switch {
		case equal(theirs, values[0]) || equal(theirs, value):
		case equal(value, values[0]):
			value = theirs
		default:
			c := Conflict{Path: m.path, Key: key, Base: diff.RawValue(values[0]), Ours: diff.RawValue(value), Theirs: diff.RawValue(theirs)}
			if value, err = m.resolve(ctx, c); err != nil {
				return nil, false, err
			}
		}
	}
	return value, !slices.ContainsFunc(values, func(v []byte) bool { return equal(v, value) }), nil
}

// equal reports whether two values are the same, or none.
func equal(a, b []byte) bool { return bytes.Equal(a, b) }

// resolve decides a conflict. What is left is ours, which does not matter.
func (m *merger) resolve(ctx context.Context, c Conflict) ([]byte, error) {
	m.report.Conflicts++
	var r Resolution
	if m.Resolve != nil {
		var err error
		if r, err = m.Resolve(ctx, c); err != nil {
			return nil, err
		}
	}
	if !r.taken {
		if m.left.Left == 0 {
			m.left.First = c
		}
		m.left.Left++
		m.report.Left++
		return c.Ours.Raw(), nil
	}
	if !r.value.Exists() {
		return nil, nil
	}
	return r.value.Raw(), cbor.Check(r.value.Raw())
}
