package bench_test

import (
	"errors"
	"os"
	"strconv"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// defaultSize is small, so that a run is brief; HAMT_BENCH_N sets another.
const defaultSize = 5000

// slowSize is the most for peers that are much slower than the others.
const slowSize = 1000

func size(b *testing.B, p peer.Peer) int {
	n := defaultSize
	if text := os.Getenv("HAMT_BENCH_N"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			b.Fatalf("HAMT_BENCH_N is %q", text)
		}
	}
	if p.Slow() {
		return min(n, slowSize)
	}
	return n
}

// BenchmarkWork does each work with each peer in Go. One operation is one
// whole run; ns/entry is what can be compared between sizes.
//
//	HAMT_BENCH_N=200000 go test ./bench -bench Work/lookup -count 10 | benchstat -col /impl -
func BenchmarkWork(b *testing.B) {
	subjects := map[string]*work.Subject{}
	for _, w := range work.All {
		b.Run("work="+w.Name, func(b *testing.B) {
			for _, p := range peer.All() {
				b.Run("impl="+p.Name(), func(b *testing.B) {
					if subjects[p.Name()] == nil {
						subjects[p.Name()] = work.NewSubject(p, workload.Entries(size(b, p)))
					}
					run(b, w, subjects[p.Name()])
				})
			}
		})
	}
}

// BenchmarkNetwork does the works over a simulated network.
func BenchmarkNetwork(b *testing.B) {
	for _, w := range work.OverNetwork(work.DefaultAtOnce) {
		b.Run("work="+w.Name, func(b *testing.B) {
			p := peer.Ours{}
			run(b, w, work.NewSubject(p, workload.Entries(size(b, p))))
		})
	}
}

// BenchmarkFloor is the least that a build can cost.
func BenchmarkFloor(b *testing.B) {
	entries := workload.Entries(size(b, peer.Ours{}))
	b.ReportAllocs()
	for b.Loop() {
		work.Floor(entries)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(entries)), "ns/entry")
}

func run(b *testing.B, w work.Work, s *work.Subject) {
	b.ReportAllocs()
	entries := 0
	for range b.N {
		b.StopTimer()
		r, err := w.Prepare(b.Context(), s)
		if errors.Is(err, peer.ErrNotOffered) {
			b.Skip(err)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		n, err := r.Do(b.Context())
		if errors.Is(err, peer.ErrNotOffered) {
			b.Skip(err)
		}
		if err != nil {
			b.Fatal(err)
		}
		entries += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(entries), "ns/entry")
}
