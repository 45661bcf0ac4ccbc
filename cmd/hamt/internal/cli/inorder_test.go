package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// upTo yields numbers, and then an error if there is one.
func upTo(n int, last error) func(context.Context) iter.Seq2[int, error] {
	return func(context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if last != nil {
				yield(0, last)
			}
		}
	}
}

// TestInOrder: answers come in the order of the questions, however long each takes, and
// as many as may be are under way.
func TestInOrder(t *testing.T) {
	const n, atOnce = 1000, 8
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		began, want := time.Now(), 0
		o := inOrder[int, string]{
			atOnce: atOnce,
			answer: func(_ context.Context, i int) (string, error) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Duration(1+i%3) * time.Millisecond)
				now.Add(-1)
				return fmt.Sprint(i), nil
			},
			size: func(string) int64 { return 1 },
			idle: func() {},
		}
		for got, err := range o.all(t.Context(), upTo(n, nil)) {
			if err != nil || got != fmt.Sprint(want) {
				t.Fatalf("%s, %v; want %d", got, err, want)
			}
			want++
		}
		if want != n || most.Load() != atOnce {
			t.Errorf("%d answers, %d at the same time", want, most.Load())
		}
		if took, best := time.Since(began), 2*time.Millisecond*n/atOnce; took > best*11/10 {
			t.Errorf("it took %v, at best %v", took, best)
		}
	})
}

// TestInOrderBounded: behind an answer that does not come, no more wait than there may.
func TestInOrderBounded(t *testing.T) {
	for name, c := range map[string]struct{ size, most int64 }{
		"number": {1, mostWaiting + 10},
		"bytes":  {1 << 20, mostWaitingBytes>>20 + 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var answers atomic.Int64
				first := make(chan struct{})
				o := inOrder[int, int]{
					atOnce: 8,
					answer: func(_ context.Context, i int) (int, error) {
						if i == 0 {
							<-first
						}
						answers.Add(1)
						return i, nil
					},
					size: func(int) int64 { return c.size },
					idle: func() {},
				}
				go func() {
					time.Sleep(time.Hour)
					if got := answers.Load(); got > c.most || got < c.most-20 {
						t.Errorf("%d answers wait, want about %d", got, c.most)
					}
					close(first)
				}()
				want := 0
				for got, err := range o.all(t.Context(), upTo(10_000, nil)) {
					if err != nil || got != want {
						t.Fatalf("%d, %v; want %d", got, err, want)
					}
					want++
				}
				if want != 10_000 {
					t.Errorf("%d answers", want)
				}
			})
		})
	}
}

// TestInOrderEnds: an error ends it in its turn, and nothing goes on behind an end.
func TestInOrderEnds(t *testing.T) {
	bad := errors.New("bad")
	for name, c := range map[string]struct {
		last  error // of the inputs
		fails int   // the input that fails
		stop  int   // after how many answers the caller stops
		want  int   // answers
		err   error
	}{
		"input":  {last: bad, fails: -1, stop: 100, want: 10, err: bad},
		"work":   {fails: 4, stop: 100, want: 4, err: bad},
		"caller": {fails: -1, stop: 3, want: 3},
		"all":    {fails: -1, stop: 100, want: 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, met := 0, error(nil)
				var under atomic.Int64
				o := inOrder[int, int]{
					atOnce: 4,
					answer: func(ctx context.Context, i int) (int, error) {
						under.Add(1)
						defer under.Add(-1)
						if i == c.fails {
							return 0, bad
						}
						select {
						case <-time.After(time.Duration(10-i) * time.Second):
							return i, nil
						case <-ctx.Done():
							return 0, ctx.Err()
						}
					},
					size: func(int) int64 { return 1 },
					idle: func() {},
				}
				for _, err := range o.all(t.Context(), upTo(10, c.last)) {
					if met = err; err != nil {
						break
					}
					if got++; got == c.stop {
						break
					}
				}
				if got != c.want || !errors.Is(met, c.err) {
					t.Errorf("%d answers, %v; want %d, %v", got, met, c.want, c.err)
				}
				if n := under.Load(); n > 0 {
					t.Errorf("%d are under way behind the end", n)
				}
			})
		})
	}
}

// TestInOrderIdle: what was answered is not kept back until more is asked.
func TestInOrderIdle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	questions, flushed := make(chan int), make(chan int)
	asked := func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for {
				select {
				case q := <-questions:
					if !yield(q, nil) {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}
	}
	done := make(chan error)
	go func() {
		answered := 0
		o := inOrder[int, int]{
			atOnce: 4,
			answer: func(_ context.Context, q int) (int, error) { return q, nil },
			size:   func(int) int64 { return 1 },
			idle: func() {
				if answered > 0 {
					flushed <- answered
				}
			},
		}
		for answer, err := range o.all(ctx, asked) {
			if err != nil {
				done <- err
				return
			}
			answered = answer
		}
		done <- nil
	}()
	for i := 1; i <= 3; i++ {
		questions <- i
		for got := range flushed { // the last may be flushed once more
			if got == i {
				break
			}
		}
	}
	go func() {
		for range flushed {
		}
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(flushed)
}
