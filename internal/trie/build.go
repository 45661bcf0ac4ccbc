package trie

import (
	"runtime"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// parallelFrom is the number of entries from which building with several
// cores pays.
const parallelFrom = 4096

// Build makes the tree of a batch and gives the encoder of its root. put is
// called from several goroutines at the same time, one for each part of the
// root's indexes; within a part, children come before their parents.
func Build(batch *Batch, p params.Params, hasher *keyhash.Hasher, put Put) (root *block.Encoder, err error) {
	records := batch.sorted()
	workers := runtime.GOMAXPROCS(0)
	if len(records) < parallelFrom {
		workers = 1
	}
	parts := batch.parts(records, workers, p.BitWidth)
	roots := make([]*block.Encoder, len(parts))
	errs := make([]error, len(parts))
	var wait sync.WaitGroup
	for i, part := range parts {
		wait.Go(func() { roots[i], errs[i] = batch.emit(part, NewEmitter(p, hasher, put)) })
	}
	wait.Wait()
	root = block.NewEncoder(p)
	for i := range parts {
		if errs[i] != nil {
			return nil, errs[i]
		}
		root.Join(roots[i])
	}
	return root, nil
}

func (b *Batch) emit(records []record, e *Emitter) (*block.Encoder, error) {
	for _, r := range records {
		if item := b.item(r); len(item.Value) > 0 {
			if err := e.Add(item); err != nil {
				return nil, err
			}
		}
	}
	return e.Finish()
}

// parts cuts sorted records into about equal parts, between indexes of the
// root: an element of the root is never cut.
func (b *Batch) parts(records []record, n, bitWidth int) [][]record {
	var parts [][]record
	for ; n > 1 && len(records) > 0; n-- {
		cut := len(records) / n
		for cut > 0 && cut < len(records) &&
			records[cut].head>>(64-bitWidth) == records[cut-1].head>>(64-bitWidth) {
			cut++
		}
		parts = append(parts, records[:cut])
		records = records[cut:]
	}
	return append(parts, records)
}
