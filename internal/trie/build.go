package trie

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// parallelFrom is the number of entries from which building with several
// cores pays.
const parallelFrom = 4096

// Builder builds whole trees.
type Builder struct {
	Params params.Params
	Hasher *keyhash.Hasher
	// Puts is called once for each part of the root's indexes, and returns what
	// takes the part's blocks. Parts are built at the same time; the blocks of one
	// come in post-order.
	Puts func() Put
	// Repeated, if not nil, is called for keys that come more than once. If it
	// returns nil, the last entry counts.
	Repeated func(key []byte) error
}

// Overlay builds the tree of an overlay without deletions, and returns the encoder
// of its root and the number of its entries.
func (b Builder) Overlay(entries *hashsort.Overlay) (root *block.Encoder, count int64, err error) {
	return b.build(entries.Parts(workers(entries.Len())))
}

// Buffer builds the tree of a buffer.
func (b Builder) Buffer(entries *hashsort.Buffer) (root *block.Encoder, count int64, err error) {
	return b.build(entries.Parts(workers(entries.Len()), b.Repeated))
}

// Runs builds the tree of sorted runs and of a buffer that was filled after them.
// The memory for reading is no more than readBytes for each run.
func (b Builder) Runs(runs []*hashsort.Run, last *hashsort.Buffer, readBytes int) (root *block.Encoder, count int64, err error) {
	sorter := hashsort.NewSorter(b.Params, b.Hasher)
	sorter.Repeated, sorter.BufferBytes = b.Repeated, readBytes
	parts, err := sorter.Merge(runs, last, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	return b.build(parts)
}

// workers returns how many goroutines are worth their cost for n entries.
func workers(n int) int {
	if n < parallelFrom {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// build builds the parts of a tree at the same time, and joins them.
func (b Builder) build(parts *hashsort.Parts) (root *block.Encoder, count int64, err error) {
	n := parts.Len()
	emitters := make([]*Emitter, n)
	var failed atomic.Bool
	roots := make([]*block.Encoder, n)
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		put := b.Puts()
		emitters[i] = NewEmitter(b.Params, b.Hasher, func(raw []byte, depth int) ([]byte, error) {
			if failed.Load() {
				return nil, errStopped // there will be no root to link to more blocks
			}
			return put(raw, depth)
		})
		wait.Go(func() {
			if errs[i] = parts.Each(i, emitters[i].Add); errs[i] == nil {
				roots[i], errs[i] = emitters[i].Finish()
			}
			if errs[i] != nil {
				failed.Store(true)
			}
		})
	}
	wait.Wait()
	if err := firstError(errs); err != nil {
		return nil, 0, err
	}
	root = block.NewEncoder(b.Params)
	for i := range n {
		root.Join(roots[i])
		count += emitters[i].Entries()
	}
	return root, count, nil
}

// errStopped ends a part because another one has failed.
var errStopped = errors.New("hamt: another part has failed")

// firstError returns the first error that is not errStopped.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, errStopped) {
			return err
		}
	}
	return nil
}
