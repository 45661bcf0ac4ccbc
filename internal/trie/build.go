package trie

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// parallelFrom is the number of entries from which building with several
// cores pays.
const parallelFrom = 4096

// Builder makes whole trees.
type Builder struct {
	Params params.Params
	Hasher *keyhash.Hasher
	// Puts is asked, for each part of the root's indexes, for what takes its
	// blocks. Parts are made at the same time; the blocks of one come in
	// post-order.
	Puts func() Put
	// Repeated, if not nil, is asked about keys that come more than once;
	// where it gives no error, the last one counts.
	Repeated func(key []byte) error
}

// Batch makes the tree of a batch without deletions, and gives the encoder of
// its root and the number of its entries.
func (b Builder) Batch(batch *Batch) (root *block.Encoder, count int64, err error) {
	return b.build(batch.unsorted())
}

// Pile makes the tree of a pile.
func (b Builder) Pile(pile *Pile) (root *block.Encoder, count int64, err error) {
	return b.build(pile.unsorted())
}

func (b Builder) build(entries unsorted) (root *block.Encoder, count int64, err error) {
	workers := runtime.GOMAXPROCS(0)
	if len(entries.records) < parallelFrom {
		workers = 1
	}
	s := entries.scatter(1)
	return b.parts(s.parts(workers, b.Params.BitWidth), func(p part, add func(Item) error) error {
		s.sort(p)
		return s.each(p, b.Repeated, add)
	})
}

// parts makes a tree by parts, of the entries that each adds, and joins them.
func (b Builder) parts(parts []part, each func(p part, add func(Item) error) error) (root *block.Encoder, count int64, err error) {
	emitters := make([]*Emitter, len(parts))
	var failed atomic.Bool
	roots := make([]*block.Encoder, len(parts))
	errs := make([]error, len(parts))
	var wait sync.WaitGroup
	for i, p := range parts {
		put := b.Puts()
		emitters[i] = NewEmitter(b.Params, b.Hasher, func(raw []byte, depth int) ([]byte, error) {
			if failed.Load() {
				return nil, errStopped // there will be no root, so blocks are in vain
			}
			return put(raw, depth)
		})
		wait.Go(func() {
			if errs[i] = each(p, emitters[i].Add); errs[i] == nil {
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
	for i := range parts {
		root.Join(roots[i])
		count += emitters[i].Entries()
	}
	return root, count, nil
}

// errStopped ends a part because another one has failed.
var errStopped = errors.New("hamt: another part has failed")

// firstError gives the first error that is not for another's sake.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, errStopped) {
			return err
		}
	}
	return nil
}

// Runs makes the tree of sorted runs and of a pile that came after them. The
// buffers for reading take no more than bufferBytes for each run.
func (b Builder) Runs(runs []*Run, last *Pile, bufferBytes int) (root *block.Encoder, count int64, err error) {
	sources, err := open(runs)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, sources.close()) }()
	sources.last = last.unsorted().sort()
	s := Sorter{order: order{b.Hasher, b.Params.BitWidth}, Repeated: b.Repeated}
	parts := sources.groups().parts(runtime.GOMAXPROCS(0), b.Params.BitWidth)
	return b.parts(parts, func(p part, add func(Item) error) error {
		return s.each(sources.streams(p, bufferBytes/len(parts)), add)
	})
}
