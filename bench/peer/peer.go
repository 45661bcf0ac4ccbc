// Package peer brings each HAMT implementation into a common form, so that one
// piece of code measures them all.
package peer

import (
	"context"
	"errors"
	"io"

	"github.com/ipfs/go-cid"
	ipldcbor "github.com/ipfs/go-ipld-cbor"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// The parameters that everybody is measured with, beside sha2-256.
const (
	BitWidth   = 8
	BucketSize = 3
)

// ErrNotOffered: the implementation has nothing of the kind.
var ErrNotOffered = errors.New("not offered")

// How is a way to build a map.
type How uint8

const (
	// AsNode assembles a data-model map; for those without one, sets integers.
	AsNode How = iota
	// FromRaw takes values that are encoded already.
	FromRaw
	// OneByOne sets each key in a map that exists, then writes it.
	OneByOne
)

// Store is a store in the two forms that the implementations know.
type Store interface {
	LinkSystem() *linking.LinkSystem
	IpldStore() ipldcbor.IpldStore
}

// Cache says what a map keeps of the blocks it has loaded.
type Cache uint8

const (
	// AsUsual leaves that to the implementation.
	AsUsual Cache = iota
	// Everything keeps all blocks.
	Everything
	// Nothing keeps none, where that can be said.
	Nothing
)

// Reading says how a map is read.
type Reading struct {
	Cache  Cache
	AtOnce int // requests at the same time, where that can be said; 0 is the usual
}

// Peer is one implementation.
type Peer interface {
	Name() string
	// Slow says that it is measured at a small size only.
	Slow() bool
	// Concurrent says that it loads blocks ahead of their use.
	Concurrent() bool
	// Build builds the map of the entries into the store.
	Build(ctx context.Context, store Store, how How, entries []workload.Entry) (cid.Cid, error)
	// Open opens a map.
	Open(ctx context.Context, store Store, root cid.Cid, how Reading) (Map, error)
}

// Map is a map of a Peer, opened from its store.
type Map interface {
	// Get returns a value that is there.
	Get(ctx context.Context, key string) (int64, error)
	// Entries visits all entries without decoding values, and counts them.
	Entries(ctx context.Context) (int, error)
	// Nodes visits all entries as data-model nodes, and counts them.
	Nodes(ctx context.Context) (int, error)
	// Edit sets and deletes, and writes what is new.
	Edit(ctx context.Context, sets []workload.Entry, deletes []string) (cid.Cid, error)
}

// Walker is a Map that can do more over all blocks than visit the entries.
type Walker interface {
	Map
	// Count counts the entries without visiting them.
	Count(ctx context.Context) (int, error)
	// Verify checks all blocks and all places, and counts what is wrong.
	Verify(ctx context.Context) (faults int, err error)
}

// Prover is a Map of which proofs can be written.
type Prover interface {
	Map
	// Prove writes the proof of what the values of keys are.
	Prove(ctx context.Context, w io.Writer, keys []string) error
	// ProveSets writes the proof of what sets make of the map, and returns its root.
	ProveSets(ctx context.Context, w io.Writer, sets []workload.Entry) (cid.Cid, error)
}

// Verifier is a Peer that checks proofs with nothing but roots.
type Verifier interface {
	Peer
	// Check checks the proof of keys that are there.
	Check(proof []byte, root cid.Cid, keys []string) error
	// CheckSets checks the proof that sets make one map of another.
	CheckSets(proof []byte, from, to cid.Cid, sets []workload.Entry) error
}

// All are the implementations in Go.
func All() []Peer { return []Peer{Ours{}, Ours{Trusted: true}, GoHamtIpld{}, GoIpldAdlHamt{}} }

var errWrongAnswer = errors.New("wrong answer: a key of the map is not there, or a value is another")
