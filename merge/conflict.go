package merge

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// Conflict is a key that two versions have changed in different ways.
type Conflict struct {
	// Path are the keys of the maps, and the fields of the values, that the key is in,
	// outermost first. It is empty but for what [Options].Recursive finds.
	Path [][]byte
	// Key is the key's bytes. Key and values are views into blocks: they stay valid, and
	// must not be written to.
	Key []byte
	// Base is the value in what the versions come from, Ours and Theirs are those that
	// the versions have. Each may be none.
	Base, Ours, Theirs diff.Value
}

// Resolver decides a conflict. It is called by one goroutine at a time, in hash order of
// the keys. An error ends the merge.
type Resolver func(ctx context.Context, c Conflict) (Resolution, error)

// Resolution is how a conflict is decided. The zero value is Leave.
type Resolution struct {
	taken bool
	value diff.Value
}

// Leave leaves a conflict what it is, so that there will be no merged map; the others are
// still looked for.
func Leave() Resolution { return Resolution{} }

// Take gives the key a value, or deletes it if there is none. That is one of a Conflict's,
// or of diff.RawValue.
func Take(v diff.Value) Resolution { return Resolution{true, v} }

// Delete deletes the key.
func Delete() Resolution { return Take(diff.Value{}) }

// Set gives the key a value. One that has no DAG-CBOR form is fault.ErrValue.
func Set(value datamodel.Node) (Resolution, error) {
	raw, err := cbor.Append(nil, value, nil)
	return Take(diff.RawValue(raw)), err
}

// TakeOurs is a Resolver that takes what the first version has.
func TakeOurs(_ context.Context, c Conflict) (Resolution, error) { return Take(c.Ours), nil }

// TakeTheirs is a Resolver that takes what the other version has.
func TakeTheirs(_ context.Context, c Conflict) (Resolution, error) { return Take(c.Theirs), nil }

// Fail is a Resolver that ends the merge at the first conflict, with a *ConflictError.
func Fail(_ context.Context, c Conflict) (Resolution, error) {
	return Leave(), &ConflictError{First: c, Left: 1}
}

// LastWriter returns a Resolver that takes the value in which a field is greater: an
// integer, a float or a string, as a time in RFC 3339 and UTC is. It leaves the conflict
// where a value is none, or has no such field, where the fields are of different kinds,
// and where they are equal. It does the same whichever version is ours.
func LastWriter(field string) Resolver {
	return func(_ context.Context, c Conflict) (Resolution, error) {
		ours, theirs := fieldOf(c.Ours, field), fieldOf(c.Theirs, field)
		if ours == nil || theirs == nil || ours.Kind() != theirs.Kind() {
			return Leave(), nil
		}
		switch order := compare(ours, theirs); {
		case order > 0:
			return Take(c.Ours), nil
		case order < 0:
			return Take(c.Theirs), nil
		}
		return Leave(), nil
	}
}

// fieldOf returns a field of a value, or nil.
func fieldOf(v diff.Value, field string) datamodel.Node {
	value, err := v.Node()
	if err != nil || value.Kind() != datamodel.Kind_Map {
		return nil
	}
	found, err := value.LookupByString(field)
	if err != nil {
		return nil
	}
	return found
}

// compare compares values of one kind; those that have no order are equal.
func compare(x, y datamodel.Node) int {
	switch x.Kind() {
	case datamodel.Kind_Int:
		a, errA := cbor.Append(nil, x, nil)
		b, errB := cbor.Append(nil, y, nil)
		if errA == nil && errB == nil {
			return compareIntegers(a, b)
		}
	case datamodel.Kind_Float:
		a, errA := x.AsFloat()
		b, errB := y.AsFloat()
		switch {
		case errA != nil || errB != nil || a == b:
		case a < b:
			return -1
		default:
			return 1
		}
	case datamodel.Kind_String:
		a, errA := x.AsString()
		b, errB := y.AsString()
		if errA == nil && errB == nil {
			return strings.Compare(a, b)
		}
	}
	return 0
}

// compareIntegers compares integers in DAG-CBOR, which hold more than an int64: longer is
// farther from zero.
func compareIntegers(a, b []byte) int {
	negativeA, negativeB := a[0]&0xe0 == cbor.NegInt, b[0]&0xe0 == cbor.NegInt
	switch {
	case negativeA && !negativeB:
		return -1
	case !negativeA && negativeB:
		return 1
	}
	order := len(a) - len(b)
	if order == 0 {
		order = bytes.Compare(a, b)
	}
	if negativeA {
		return -order
	}
	return order
}

// FirstOf returns a Resolver that asks some, one after the other, until one does not leave
// the conflict.
func FirstOf(resolvers ...Resolver) Resolver {
	return func(ctx context.Context, c Conflict) (Resolution, error) {
		for _, resolve := range resolvers {
			if r, err := resolve(ctx, c); err != nil || r.taken {
				return r, err
			}
		}
		return Leave(), nil
	}
}

// ConflictError is the error of a merge of which conflicts are left.
type ConflictError struct {
	// First is the first of them.
	First Conflict
	// Left is how many there are, or 1 where the merge ended at the first.
	Left int64
}

// Error is one line: how many conflicts there are, and the first key.
func (e *ConflictError) Error() string {
	var key strings.Builder
	for _, outer := range e.First.Path {
		fmt.Fprintf(&key, "%.200q, ", outer)
	}
	fmt.Fprintf(&key, "%.200q", e.First.Key)
	if e.Left == 1 {
		return fmt.Sprintf("hamt: key %s was changed on both sides", &key)
	}
	return fmt.Sprintf("hamt: %d keys were changed on both sides, key %s first", e.Left, &key)
}
