package cbor_test

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// peakHeap returns about the most memory that f has in use at a time, more than
// before.
func peakHeap(f func()) int {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, most, done := stats.HeapAlloc, stats.HeapAlloc, atomic.Bool{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !done.Load() {
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
			runtime.Gosched()
		}
	}()
	f()
	done.Store(true)
	<-ended
	return int(most - before)
}
