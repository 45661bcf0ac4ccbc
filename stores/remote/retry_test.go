package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

var errRefused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

// attempts records when something is attempted, and fails in turn.
type attempts struct {
	at     []time.Time
	errors []error
}

func (a *attempts) attempt(context.Context) error {
	a.at = append(a.at, time.Now())
	if len(a.errors) < len(a.at) {
		return nil
	}
	return a.errors[len(a.at)-1]
}

func (a *attempts) wait(n int) time.Duration { return a.at[n].Sub(a.at[n-1]) }

func TestWaitsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		c := New(Options{Warn: func(message string) { said = append(said, message) }})
		a := attempts{errors: []error{errRefused, errRefused, errRefused, errRefused, errRefused}}
		if err := c.Do(t.Context(), "gateway: block", a.attempt); err != nil {
			t.Fatal(err)
		}
		for n := 1; n < len(a.at); n++ {
			middle := firstWait << (n - 1)
			if wait := a.wait(n); wait < middle/2 || wait > middle*3/2 {
				t.Errorf("wait %d is %v, not about %v", n, wait, middle)
			}
		}
		if len(a.at) != 6 || len(said) != 5 {
			t.Errorf("%d attempts, %q", len(a.at), said)
		}
		if !strings.HasPrefix(said[0], "gateway: block: dial: connection refused; trying again in ") {
			t.Errorf("warned: %q", said[0])
		}
	})
}

// TestJitter wants waits that differ, lest all come back at the same moment.
func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		waits := map[time.Duration]bool{}
		for _, failure := range []error{errRefused, &StatusError{Code: 429, RetryAfter: time.Second}} {
			for range 10 {
				a := attempts{errors: []error{failure}}
				if err := c.Do(t.Context(), "x", a.attempt); err != nil {
					t.Fatal(err)
				}
				waits[a.wait(1)] = true
			}
		}
		if len(waits) < 15 {
			t.Errorf("waits are %v", waits)
		}
	})
}

func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for retries, want := range map[int]int{0: 1 + DefaultRetries, 2: 3, -1: 1} {
			c := New(Options{Retries: retries})
			a := attempts{errors: []error{errRefused, errRefused, errRefused, errRefused, errRefused, errRefused, errRefused}}
			err := c.Do(t.Context(), "kubo: block x", a.attempt)
			if len(a.at) != want || !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), "kubo: block x: ") {
				t.Errorf("retries %d: %d attempts, %v", retries, len(a.at), err)
			}
			if said := strings.Contains(err.Error(), fmt.Sprintf("(%d attempts)", want)); said != (want > 1) {
				t.Errorf("retries %d: %v", retries, err)
			}
		}
	})
}

func TestNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		for _, failure := range []error{
			&StatusError{Code: 404}, fmt.Errorf("x: %w", stores.ErrWrongBytes), Permanent(errRefused), context.Canceled,
		} {
			a := attempts{errors: []error{failure}}
			if err := c.Do(t.Context(), "x", a.attempt); !errors.Is(err, failure) || len(a.at) != 1 {
				t.Errorf("%v: %d attempts, %v", failure, len(a.at), err)
			}
		}
	})
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		a := attempts{errors: []error{&StatusError{Code: 429, RetryAfter: 20 * time.Second}}}
		if err := c.Do(t.Context(), "x", a.attempt); err != nil {
			t.Fatal(err)
		}
		if wait := a.wait(1); wait < 20*time.Second || wait > 21*time.Second {
			t.Errorf("waited %v", wait)
		}

		a = attempts{errors: []error{&StatusError{Source: "g", Code: 503, RetryAfter: time.Hour}}}
		begin := time.Now()
		err := c.Do(t.Context(), "x", a.attempt)
		if err == nil || !strings.Contains(err.Error(), "longer than we wait") || time.Since(begin) > 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// TestPatienceEnds wants a source that says again and again to come back later
// to be asked more often than others, and not for ever.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := func(n int) (errs []error) {
			for range n {
				errs = append(errs, &StatusError{Code: 429, RetryAfter: 10 * time.Second})
			}
			return errs
		}
		a := attempts{errors: busy(20)}
		if err := New(Options{Retries: 1}).Do(t.Context(), "x", a.attempt); err != nil {
			t.Errorf("after %d attempts: %v", len(a.at), err)
		}
		a = attempts{errors: busy(1000)}
		begin := time.Now()
		err := New(Options{Retries: 1}).Do(t.Context(), "x", a.attempt)
		if took := time.Since(begin); err == nil || took > MaxPatience || took < MaxPatience-20*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		a = attempts{errors: busy(1)}
		if err := New(Options{Retries: -1}).Do(t.Context(), "x", a.attempt); err == nil || len(a.at) != 1 {
			t.Errorf("without retries: %d attempts, %v", len(a.at), err)
		}
	})
}

// TestNoTimeToWait wants no wait that the caller's deadline would end.
func TestNoTimeToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c := New(Options{})
		a := attempts{errors: []error{&StatusError{Source: "g", Code: 429, RetryAfter: 20 * time.Second}}}
		begin := time.Now()
		err := c.Do(ctx, "x", a.attempt)
		if !errors.Is(err, context.DeadlineExceeded) || !is[*StatusError](err) || time.Since(begin) > 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestEndOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{AtOnce: 1})
		stop := errors.New("stop")
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for name, attempt := range map[string]func(context.Context) error{
			"in an attempt": hang,
			"in a wait":     func(context.Context) error { return &StatusError{Code: 429, RetryAfter: 50 * time.Second} },
			"without a place": func(ctx context.Context) error {
				return c.Do(ctx, "y", hang) // which nobody should do
			},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Second, func() { cancel(stop) })
			begin := time.Now()
			err := c.Do(ctx, "x", attempt)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, stop) || time.Since(begin) != 10*time.Second {
				t.Errorf("%s: after %v: %v", name, time.Since(begin), err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Do(ctx, "x", hang); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestTimeout wants the end of one attempt to be no end of the caller.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Timeout: time.Second, Retries: 2})
		begin := time.Now()
		err := c.Do(t.Context(), "x", func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("reading: %w", ctx.Err())
		})
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("%v looks like the caller's end", err)
		}
		if want := "x: no answer within 1s (3 attempts)"; err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took < 3*time.Second || took > 6*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{AtOnce: 3})
		var mu sync.Mutex
		var now, most int
		begin := time.Now()
		for n := range 9 {
			go func() {
				err := c.Do(t.Context(), "x", func(context.Context) error {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					now--
					mu.Unlock()
					if n == 0 {
						return &StatusError{Code: 400}
					}
					return nil
				})
				if (err != nil) != (n == 0) {
					t.Errorf("%d: %v", n, err)
				}
			}()
		}
		time.Sleep(2999 * time.Millisecond)
		synctest.Wait()
		mu.Lock()
		if most != 3 || now != 3 {
			t.Errorf("%d at once, now %d", most, now)
		}
		mu.Unlock()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if now != 0 || time.Since(begin) != 3*time.Second {
			t.Errorf("%d still there", now)
		}
	})
}

// TestNoPlaceWhileWaiting wants others to be served while one waits.
func TestNoPlaceWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{AtOnce: 1})
		go func() {
			a := attempts{errors: []error{&StatusError{Code: 429, RetryAfter: 10 * time.Second}}}
			if err := c.Do(t.Context(), "x", a.attempt); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		begin := time.Now()
		if err := c.Do(t.Context(), "y", func(context.Context) error { return nil }); err != nil || time.Since(begin) > 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		time.Sleep(time.Minute)
	})
}

// slowReader returns a byte after each pause.
type slowReader struct {
	ctx   context.Context
	pause time.Duration
	left  int
}

func (r *slowReader) Read(p []byte) (int, error) {
	select {
	case <-time.After(r.pause):
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
	if r.left--; r.left < 0 {
		return 0, io.EOF
	}
	return 1, nil
}

// TestParts wants a long answer to be read as long as each part of it comes in
// time, however long its reader thinks about it.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Timeout: time.Second, Retries: -1})
		read := func(bytes int, pause, think time.Duration) error {
			return c.TryLong(t.Context(), func(ctx context.Context, part func(func() error) error) error {
				time.Sleep(900 * time.Millisecond)
				for range 10 {
					if err := part(func() error {
						_, err := io.ReadAll(&slowReader{ctx, pause, bytes})
						return err
					}); err != nil {
						return err
					}
					time.Sleep(think)
				}
				return nil
			})
		}
		if err := read(8, 100*time.Millisecond, 5*time.Second); err != nil {
			t.Errorf("a slow reader: %v", err)
		}
		if err := read(1, 1100*time.Millisecond, 0); !is[*timeoutError](err) {
			t.Errorf("an answer that does not go on: %v", err)
		}
		if err := read(11, 100*time.Millisecond, 0); !is[*timeoutError](err) {
			t.Errorf("a part that drips in: %v", err)
		}
	})
}
