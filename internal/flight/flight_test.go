package flight

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errStore = errors.New("the store is out of order")

// outcome is what a call of Do returns.
type outcome struct {
	got *int
	err error
}

// do calls Do on a goroutine of its own.
func do(ctx context.Context, g *Group[*int], name string, load func() (*int, error)) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		got, err := g.Do(ctx, []byte(name), load)
		ended <- outcome{got, err}
	}()
	return ended
}

// expectEmpty expects that nothing is under way: a load that stayed would be
// what everybody waits for.
func expectEmpty(t *testing.T, g *Group[*int]) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.under) > 0 {
		t.Errorf("%d loads are under way", len(g.under))
	}
}

func TestDoSharesEqualLoads(t *testing.T) {
	for name, want := range map[string]outcome{"success": {new(int), nil}, "failure": {nil, errStore}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, loads := NewGroup[*int](), 0
				load := func() (*int, error) {
					loads++
					time.Sleep(time.Second)
					return want.got, want.err
				}
				var all []<-chan outcome
				for range 10 {
					all = append(all, do(t.Context(), g, "a", load))
				}
				for _, ended := range all {
					if got := <-ended; got != want {
						t.Errorf("Do returned %v, want %v", got, want)
					}
				}
				if loads != 1 {
					t.Errorf("%d loads for one name at the same time", loads)
				}
				// Nothing is kept: who comes later loads again.
				if got := <-do(t.Context(), g, "a", load); got != want || loads != 2 {
					t.Errorf("a later Do returned %v after %d loads in all", got, loads)
				}
				expectEmpty(t, g)
			})
		})
	}
}

func TestDoKeepsNamesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, began := NewGroup[*int](), time.Now()
		var all []<-chan outcome
		for i := range 10 {
			all = append(all, do(t.Context(), g, fmt.Sprint(i), func() (*int, error) {
				time.Sleep(time.Second)
				return &i, nil
			}))
		}
		for i, ended := range all {
			if got := <-ended; got.err != nil || *got.got != i {
				t.Errorf("load %d returned %v, %v", i, got.got, got.err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("ten loads of ten names took %v", took)
		}
		expectEmpty(t, g)
	})
}

// TestDoAmongCollidingNames: two names with one hash are not shared, and
// neither waits for the other.
func TestDoAmongCollidingNames(t *testing.T) {
	g := NewGroup[*int]()
	other := &Load[*int]{name: []byte("a"), hash: maphash.String(g.seed, "b")}
	g.under[other.hash] = other
	if mine, found := g.Begin([]byte("b")); mine != nil || found != nil {
		t.Errorf("Begin returned %v, %v", mine, found)
	}
	want := new(int)
	got, err := g.Do(t.Context(), []byte("b"), func() (*int, error) { return want, nil })
	if got != want || err != nil {
		t.Errorf("Do returned %v, %v", got, err)
	}
	if g.under[other.hash] != other {
		t.Error("the other load is no longer under way")
	}
}

// TestDoWhenLoadPanics: the panic is the caller's, those who wait get an error,
// and the name can be loaded again.
func TestDoWhenLoadPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, panicked := NewGroup[*int](), make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			g.Do(t.Context(), []byte("a"), func() (*int, error) {
				time.Sleep(time.Second)
				panic("no store")
			})
		}()
		synctest.Wait()
		waiter := do(t.Context(), g, "a", func() (*int, error) {
			t.Error("the waiter loads as well")
			return nil, nil
		})
		if got := <-panicked; got != "no store" {
			t.Errorf("the panic was %v", got)
		}
		if got := <-waiter; got.err != errNoReturn {
			t.Errorf("the waiter got %v, %v", got.got, got.err)
		}
		want := new(int)
		if got := <-do(t.Context(), g, "a", func() (*int, error) { return want, nil }); got.got != want || got.err != nil {
			t.Errorf("a later Do returned %v, %v", got.got, got.err)
		}
		expectEmpty(t, g)
	})
}

// TestDoWhenFirstIsCancelled: its load fails because its own context is done,
// which is nothing to those who wait: one of them loads for all the others.
func TestDoWhenFirstIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, loads := NewGroup[*int](), 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := do(ctx, g, "a", func() (*int, error) {
			<-ctx.Done()
			return nil, errStore // in the store's own words
		})
		synctest.Wait()
		want := new(int)
		var others []<-chan outcome
		for range 5 {
			others = append(others, do(t.Context(), g, "a", func() (*int, error) {
				loads++
				time.Sleep(time.Second)
				return want, nil
			}))
		}
		if got := <-first; got.err != errStore {
			t.Errorf("the first got %v, %v", got.got, got.err)
		}
		for _, ended := range others {
			if got := <-ended; got.got != want || got.err != nil {
				t.Errorf("a waiter got %v, %v", got.got, got.err)
			}
		}
		if loads != 1 {
			t.Errorf("%d of the waiters loaded", loads)
		}
		expectEmpty(t, g)
	})
}

// TestDoWhenAllAreCancelled: nobody begins a load under a context that is done,
// also where the load that was waited for ended a moment before.
func TestDoWhenAllAreCancelled(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			g := NewGroup[*int]()
			ctx, cancel := context.WithCancel(t.Context())
			mine, _ := g.Begin([]byte("a"))
			waiter := do(ctx, g, "a", func() (*int, error) {
				if ctx.Err() != nil {
					t.Error("the waiter loads as well")
				}
				return nil, context.Canceled
			})
			synctest.Wait()
			mine.Set(nil, context.Canceled, true)
			g.End(mine)
			cancel()
			if got := <-waiter; got.err != context.Canceled {
				t.Errorf("the waiter got %v, %v", got.got, got.err)
			}
		})
	}
}

// TestDoWhenCancelledFirstSucceeds: a load that gives something although its
// context is done is as good as any.
func TestDoWhenCancelledFirstSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, want := NewGroup[*int](), new(int)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := do(ctx, g, "a", func() (*int, error) {
			<-ctx.Done()
			return want, nil
		})
		synctest.Wait()
		waiter := do(t.Context(), g, "a", func() (*int, error) { return nil, errStore })
		if a, b := <-first, <-waiter; a != (outcome{want, nil}) || b != a {
			t.Errorf("the first got %v, %v, and the waiter %v, %v", a.got, a.err, b.got, b.err)
		}
	})
}

func TestDoWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, want, began := NewGroup[*int](), new(int), time.Now()
		first := do(t.Context(), g, "a", func() (*int, error) {
			time.Sleep(time.Hour)
			return want, nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waiter := do(ctx, g, "a", func() (*int, error) { return nil, errStore })
		if got := <-waiter; got.err != context.DeadlineExceeded || time.Since(began) != time.Second {
			t.Errorf("the waiter got %v, %v after %v", got.got, got.err, time.Since(began))
		}
		if got := <-first; got.got != want || got.err != nil {
			t.Errorf("the first got %v, %v", got.got, got.err)
		}
	})
}

// TestBegin: between Begin and End the load is found by others, who get what
// was set.
func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, want := NewGroup[*int](), new(int)
		mine, other := g.Begin([]byte("a"))
		if mine == nil || other != nil {
			t.Fatalf("Begin returned %v, %v", mine, other)
		}
		if again, found := g.Begin([]byte("a")); again != nil || found != mine {
			t.Errorf("the second Begin returned %v, %v", again, found)
		}
		waiter := do(t.Context(), g, "a", func() (*int, error) { return nil, errStore })
		synctest.Wait()
		mine.Set(want, nil, false)
		g.End(mine)
		if got := <-waiter; got.got != want || got.err != nil {
			t.Errorf("the waiter got %v, %v", got.got, got.err)
		}
		expectEmpty(t, g)
	})
}

// TestBeginLeft: who ends a load without having loaded leaves it to the others.
func TestBeginLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, want := NewGroup[*int](), new(int)
		mine, _ := g.Begin([]byte("a"))
		waiter := do(t.Context(), g, "a", func() (*int, error) { return want, nil })
		synctest.Wait()
		mine.Set(nil, context.Canceled, true)
		g.End(mine)
		if got := <-waiter; got.got != want || got.err != nil {
			t.Errorf("the waiter got %v, %v", got.got, got.err)
		}
	})
}

// TestDoConcurrently is for the race detector.
func TestDoConcurrently(t *testing.T) {
	g := NewGroup[*int]()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				name := byte(i+worker) % 3
				got, err := g.Do(t.Context(), []byte{name}, func() (*int, error) {
					n := int(name)
					return &n, nil
				})
				if err != nil || *got != int(name) {
					t.Errorf("load %d returned %v, %v", name, got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	expectEmpty(t, g)
}
