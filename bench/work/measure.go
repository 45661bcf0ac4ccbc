package work

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"time"
)

// Result is one line of the comparison.
type Result struct {
	Work           string  `json:"work"`
	Impl           string  `json:"impl"`
	N              int     `json:"n"`
	NsPerEntry     float64 `json:"ns_per_entry"`
	AllocsPerEntry float64 `json:"allocs_per_entry"`
	BytesPerEntry  float64 `json:"bytes_per_entry"` // allocated; of the work memory: held
	BlocksWritten  int     `json:"blocks_written"`
	// Only of the works over a network: the most requests that were under way
	// at once, and by how much live memory grew at most.
	RequestsAtOnce  int   `json:"requests_at_once,omitempty"`
	PeakMemoryBytes int64 `json:"peak_memory_bytes,omitempty"`
}

// ReadResults reads results that stand one a line, in JSON.
func ReadResults(from io.Reader) (results []Result, err error) {
	for lines := json.NewDecoder(from); ; {
		var r Result
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return results, nil
		} else if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
}

// Fastest keeps the fastest result of each work of an implementation at a size,
// in the order in which they first come.
func Fastest(results []Result) (fastest []Result) {
	type subject struct {
		work, impl string
		n, atOnce  int
	}
	at := map[subject]int{}
	for _, r := range results {
		key := subject{r.Work, r.Impl, r.N, r.RequestsAtOnce}
		if i, ok := at[key]; !ok {
			at[key] = len(fastest)
			fastest = append(fastest, r)
		} else if r.NsPerEntry < fastest[i].NsPerEntry {
			fastest[i] = r
		}
	}
	return fastest
}

// Measure measures a work; around is called before and after what is measured
// and may be nil.
func Measure(ctx context.Context, w Work, s *Subject, around func(begin bool) error) (Result, error) {
	run, err := w.Prepare(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if around == nil {
		around = func(bool) error { return nil }
	}
	runtime.GC() // nobody pays for what the preparation left
	if err := around(true); err != nil {
		return Result{}, err
	}
	stop := func() int64 { return 0 }
	if run.Slow != nil {
		stop = peak()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	entries, err := run.Do(ctx)
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	most := stop()
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Work: w.Name, Impl: s.Peer.Name(), N: s.N,
		NsPerEntry:     float64(elapsed.Nanoseconds()) / float64(entries),
		AllocsPerEntry: float64(after.Mallocs-before.Mallocs) / float64(entries),
		BytesPerEntry:  float64(after.TotalAlloc-before.TotalAlloc) / float64(entries),
	}
	if run.Store != nil {
		r.BlocksWritten = run.Store.Writes()
	}
	if run.Slow != nil {
		r.RequestsAtOnce, r.PeakMemoryBytes = int(run.Slow.Most()), most
	}
	return r, around(false)
}
