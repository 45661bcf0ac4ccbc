package work

import (
	"context"
	"runtime"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
)

// Memory is the name of the work that measures memory, not time.
const Memory = "memory"

// MeasureMemory measures what a map holds once all its blocks are loaded,
// without what the store holds. Only bytes_per_entry of the result is set.
func MeasureMemory(ctx context.Context, s *Subject) (Result, error) {
	if _, _, err := s.stored(ctx); err != nil {
		return Result{}, err
	}
	_, m, err := s.open(ctx, peer.Everything)
	if err != nil {
		return Result{}, err
	}
	before := heap()
	if err := warmUp(ctx, m, s.entries); err != nil {
		return Result{}, err
	}
	held := heap() - before
	runtime.KeepAlive(m)
	return Result{Work: Memory, Impl: s.Peer.Name(), N: s.N, BytesPerEntry: float64(held) / float64(s.N)}, nil
}

// heap is how many bytes are alive.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of at the first
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// sampleEvery is how often the peak of memory is looked for. Each look is a
// garbage collection, so this is only for works that mostly wait.
const sampleEvery = 100 * time.Millisecond

// peak watches the memory that is alive until the returned function is called,
// which returns by how much it has grown at most.
func peak() (stop func() int64) {
	before, most := heap(), int64(0)
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, heap()-before)
			case <-end:
				return
			}
		}
	}()
	return func() int64 {
		close(end)
		<-done
		return most
	}
}
