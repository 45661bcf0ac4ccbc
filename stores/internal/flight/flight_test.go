package flight

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

var one = func() cid.Cid {
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum([]byte("one"))
	if err != nil {
		panic(err)
	}
	return c
}()

// TestShared: equal fetches under way are one, and later ones are not.
func TestShared(t *testing.T) {
	for _, want := range []error{nil, errors.New("the store is out of order")} {
		synctest.Test(t, func(t *testing.T) {
			var g Group
			gets, ended := 0, make(chan error)
			ask := func() {
				block, err := g.Do(t.Context(), one, func() ([]byte, error) {
					gets++
					time.Sleep(time.Second)
					return []byte("one"), want
				})
				if string(block) != "one" {
					err = errors.New("another block")
				}
				ended <- err
			}
			for round := range 2 {
				for range 10 {
					go ask()
				}
				for range 10 {
					if err := <-ended; err != want {
						t.Error(err)
					}
				}
				if gets != round+1 || len(g.under) > 0 {
					t.Errorf("asked %d times, %d under way", gets, len(g.under))
				}
			}
		})
	}
}

// TestContexts: whoever waits gives up with its own context, and takes over from
// a first caller who did.
func TestContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		get := func(ctx context.Context) func() ([]byte, error) {
			return func() ([]byte, error) {
				select {
				case <-time.After(time.Minute):
					return []byte("one"), nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		}
		ask := func(after time.Duration) <-chan error {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			ended := make(chan error, 1)
			go func() {
				defer cancel()
				_, err := g.Do(ctx, one, get(ctx))
				ended <- err
			}()
			synctest.Wait()
			return ended
		}
		first, short, long := ask(10*time.Second), ask(time.Second), ask(time.Hour)
		begun := time.Now()
		if err := <-short; !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-long; err != nil || time.Since(begun) != 70*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// TestPanic: nobody waits forever for a fetch that panics.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group
		go func() {
			defer func() { _ = recover() }()
			_, _ = g.Do(t.Context(), one, func() ([]byte, error) {
				time.Sleep(time.Second)
				panic("out of order")
			})
		}()
		synctest.Wait()
		if _, err := g.Do(t.Context(), one, nil); err != errNoReturn {
			t.Error(err)
		}
	})
}
