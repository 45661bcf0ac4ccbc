// Compare measures HAMT implementations side by side, in one run on one
// machine, and prints one table.
//
//	go run ./bench/compare -n 200000
//	go run ./bench/compare -n 1000000 -impl 'go-(ipld-hamt|hamt-ipld)$' -work 'lookup|iterate'
//	go run ./bench/compare -n 10000,100000,1000000 -json > results.ndjson
//	go run ./bench/compare -work network-iterate -at-once 1,4,16,64 -json
//	for i in 1 2 3; do go run ./bench/compare -n 1000000 -json; done > results.ndjson
//	go run ./bench/compare -read results.ndjson -markdown
//
// Peers in other languages run where their toolchain is there. Whoever could
// not be measured is named at the end, with the reason.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/bench/foreign"
	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := parse()
	if err == nil {
		c := comparison{s, &output{to: os.Stdout, format: s.format}}
		err = c.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

type comparison struct {
	settings
	out *output
}

func (c comparison) run(ctx context.Context) error {
	if c.read != "" {
		return c.reread()
	}
	for _, n := range c.sizes {
		if err := c.floor(ctx, n); err != nil {
			return err
		}
	}
	for _, p := range peer.All() {
		if !c.impl.MatchString(p.Name()) {
			continue
		}
		sizes := c.sizes
		if p.Slow() {
			sizes = []int{c.slow}
		}
		for _, n := range sizes {
			if err := c.peer(ctx, p, n); err != nil {
				return fmt.Errorf("%s: %w", p.Name(), err)
			}
		}
		if err := c.network(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name(), err)
		}
	}
	if err := c.diffs(ctx); err != nil {
		return err
	}
	if err := c.foreign(ctx); err != nil {
		return err
	}
	return c.out.close()
}

// diffs measures what finds changes.
func (c comparison) diffs(ctx context.Context) error {
	works := append(work.Diffs[:len(work.Diffs):len(work.Diffs)], work.DiffsOverNetwork(c.atOnce[0])...)
	if !slices.ContainsFunc(works, func(w work.Work) bool { return c.work.MatchString(w.Name) }) {
		return nil
	}
	for _, n := range c.sizes {
		for _, p := range peer.Differs() {
			if !c.impl.MatchString(p.Name()) {
				continue
			}
			s := work.NewSubject(p, workload.Entries(n))
			for _, w := range works {
				if err := c.measure(ctx, w, s); err != nil {
					return fmt.Errorf("%s: %w", p.Name(), err)
				}
			}
		}
	}
	return nil
}

// reread prints results that were measured before. The file may be of several
// runs one after the other, which is fairer than several runs of each work where
// the machine's speed drifts; the fastest of each counts.
func (c comparison) reread() error {
	file, err := os.Open(c.read)
	if err != nil {
		return err
	}
	defer file.Close()
	results, err := work.ReadResults(file)
	if err != nil {
		return err
	}
	for _, r := range work.Fastest(results) {
		if c.work.MatchString(r.Work) && c.impl.MatchString(r.Impl) {
			if err := c.out.add(r); err != nil {
				return err
			}
		}
	}
	return c.out.close()
}

func (c comparison) floor(ctx context.Context, n int) error {
	if !c.impl.MatchString(work.FloorImpl) || !c.work.MatchString("build-raw") {
		return nil
	}
	return c.out.best(c.runs, func() (work.Result, error) {
		return work.MeasureFloor(ctx, workload.Entries(n))
	})
}

// peer measures all that happens in memory.
func (c comparison) peer(ctx context.Context, p peer.Peer, n int) error {
	s := work.NewSubject(p, workload.Entries(n))
	for _, w := range work.All {
		if err := c.measure(ctx, w, s); err != nil {
			return err
		}
	}
	if !c.work.MatchString(work.Memory) {
		return nil
	}
	s.Forget()
	return c.out.best(1, func() (work.Result, error) { return work.MeasureMemory(ctx, s) })
}

// network measures what waits for blocks: at the small size for all, and at
// the others for those that can hide the latency.
func (c comparison) network(ctx context.Context, p peer.Peer) error {
	if p.Slow() || p == (peer.Ours{Trusted: true}) { // hashing is not what takes the time here
		return nil
	}
	sizes := []int{c.slow}
	if p.Concurrent() {
		sizes = slices.Compact(slices.Sorted(slices.Values(append(sizes, c.sizes...))))
	}
	for _, n := range sizes {
		s := work.NewSubject(p, workload.Entries(n))
		for _, atOnce := range c.atOnce {
			if !p.Concurrent() && atOnce != c.atOnce[0] {
				break // it would be the same again
			}
			for _, w := range work.OverNetwork(atOnce) {
				if err := c.measure(ctx, w, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c comparison) measure(ctx context.Context, w work.Work, s *work.Subject) error {
	if !c.work.MatchString(w.Name) {
		return nil
	}
	name := fmt.Sprintf("%s-%s-%d", w.Name, strings.Map(fileSafe, s.Peer.Name()), s.N)
	err := c.out.best(c.runs, func() (work.Result, error) {
		profile := profile{dir: c.profiles, name: name}
		return work.Measure(ctx, w, s, profile.around)
	})
	if err != nil && !errors.Is(err, peer.ErrNotOffered) {
		return fmt.Errorf("%s: %w", w.Name, err)
	}
	return nil
}

func fileSafe(r rune) rune {
	if r == ' ' || r == ',' {
		return '_'
	}
	return r
}

// foreign measures the peers in other languages.
func (c comparison) foreign(ctx context.Context) error {
	for _, f := range foreign.All {
		if !c.impl.MatchString(f.Name) {
			continue
		}
		n := c.slow
		if !f.Slow {
			n = c.sizes[len(c.sizes)-1]
		}
		results, err := f.Measure(ctx, n)
		if err != nil {
			c.out.missing(f.Name, err)
			continue
		}
		for _, r := range results {
			if !c.work.MatchString(r.Work) {
				continue
			}
			if err := c.out.add(r); err != nil {
				return err
			}
		}
	}
	return nil
}
