package remote

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestTryMoving: an attempt goes on as long as something moves, and ends when
// nothing does for the time that others have in all.
func TestTryMoving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Second
		c := New(Options{Timeout: timeout})
		attempt := func(moves int) (time.Duration, error) {
			begun := time.Now()
			err := c.TryMoving(t.Context(), func(ctx context.Context, moved func()) error {
				for range moves {
					time.Sleep(timeout - 1)
					moved()
				}
				select {
				case <-time.After(timeout + 1):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			return time.Since(begun), err
		}
		for _, moves := range []int{0, 1, 10} {
			want := time.Duration(moves)*(timeout-1) + timeout
			if took, err := attempt(moves); !Temporary(err) || took != want {
				t.Errorf("%d moves: %v after %v, want %v", moves, err, took, want)
			}
		}
	})
}
