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
	// Put takes the blocks. It is called from several goroutines at the same
	// time, one for each part of the root's indexes; within a part, children
	// come before their parents.
	Put Put
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
	s := entries.scatter()
	parts := s.parts(workers, b.Params.BitWidth)
	emitters := make([]*Emitter, len(parts))
	var failed atomic.Bool
	put := func(raw []byte) ([]byte, error) {
		if failed.Load() {
			return nil, errStopped // there will be no root, so blocks are in vain
		}
		return b.Put(raw)
	}
	roots := make([]*block.Encoder, len(parts))
	errs := make([]error, len(parts))
	var wait sync.WaitGroup
	for i, p := range parts {
		emitters[i] = NewEmitter(b.Params, b.Hasher, put)
		wait.Go(func() {
			s.sort(p)
			if errs[i] = s.each(p, b.Repeated, emitters[i].Add); errs[i] == nil {
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

// Runs makes the tree of sorted runs and of a pile that came after them.
func (b Builder) Runs(runs []*Run, last *Pile, bufferBytes int) (root *block.Encoder, count int64, err error) {
	emitter := NewEmitter(b.Params, b.Hasher, b.Put)
	s := Sorter{order: order{b.Hasher, b.Params.BitWidth}, Repeated: b.Repeated, BufferBytes: bufferBytes}
	if err := s.each(runs, last, emitter.Add); err != nil {
		return nil, 0, err
	}
	root, err = emitter.Finish()
	return root, emitter.Entries(), err
}
