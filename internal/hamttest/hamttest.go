// Package hamttest is what the tests of this library share: a store in memory
// that can be slow or lie (Store), small maps and all the ways of building one
// (Model, Makers), every way of reading one (Uses), blocks put together by hand
// (Handmade) or broken (BrokenTree), the documents in spec-fixtures (Fixtures),
// and what is expected of a map (ExpectContent and others).
package hamttest

import (
	"errors"
	"hash"
	"time"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
)

// Delay is what a block takes in these tests. They run in bubbles of
// testing/synctest, in which time is a pretence: it stands still while
// anything computes, so what is measured is waiting for the store alone.
const Delay = 10 * time.Millisecond

// ConstantHash is the hash of collisions.md: four zero bytes for every key.
type ConstantHash struct{}

// ConstantHashCode is its code; importing this package registers it.
const ConstantHashCode = 0x300001

func (ConstantHash) Write(p []byte) (int, error) { return len(p), nil }

func (ConstantHash) Sum(b []byte) []byte { return append(b, 0, 0, 0, 0) }

func (ConstantHash) Reset() {}

func (ConstantHash) Size() int { return 4 }

func (ConstantHash) BlockSize() int { return 1 }

func init() {
	if err := hamt.RegisterHash(ConstantHashCode, func() hash.Hash { return ConstantHash{} }); err != nil {
		panic(err)
	}
}

// Must is for what cannot fail unless the test itself is wrong.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// ErrStore is the error of a store that fails.
var ErrStore = errors.New("the store is out of order")

// MustFirst is Must of what also has a second result.
func MustFirst[T, U any](value T, _ U, err error) T { return Must(value, err) }
