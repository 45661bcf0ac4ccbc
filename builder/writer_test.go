package builder

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
	"github.com/ipld-hamt/go-ipld-hamt/internal/teststore"
)

// TestWriterIsBounded: a store that answers nothing takes no more than a
// number of blocks, or of bytes, and none of it keeps a goroutine but what is
// under way.
func TestWriterIsBounded(t *testing.T) {
	const atOnce = 4
	for name, c := range map[string]struct{ size, most int }{
		"number": {1, queuePlaces * atOnce},
		"bytes":  {queueBytes/8 + 1, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := teststore.New()
				s.WriteDelay = func(datamodel.Link) time.Duration { return time.Hour }
				shop, err := Prototype{LinkSystem: s.LinkSystem(), WritesAtOnce: atOnce, MaxBlockBytes: queueBytes}.open()
				if err != nil {
					t.Fatal(err)
				}
				w := shop.writer(t.Context(), nil)
				added, ended := 0, make(chan error)
				go func() {
					for i := range byte(100) {
						b, err := shop.sink.Make(append(make([]byte, c.size), i))
						if err == nil {
							err = w.add(&pending{block: b})
						}
						if err != nil {
							ended <- err
							return
						}
						added++
					}
				}()
				synctest.Wait()
				if added != c.most {
					t.Errorf("%d blocks were taken, want %d", added, c.most)
				}
				if most := s.MostWrites(); most != atOnce {
					t.Errorf("%d writes at the same time", most)
				}
				w.stop()
				if err := <-ended; err != errWriterStopped || s.Len() > 0 {
					t.Errorf("who waits is told %v; %d blocks are written", err, s.Len())
				}
			})
		})
	}
}

// TestWriterOrder: a node whose block comes before its children are written
// waits for them, and theirs before them.
func TestWriterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := teststore.New()
		s.WriteDelay = func(datamodel.Link) time.Duration { return time.Second }
		shop, err := Prototype{LinkSystem: s.LinkSystem(), WritesAtOnce: 64}.open()
		if err != nil {
			t.Fatal(err)
		}
		w := shop.writer(context.Background(), nil)
		defer w.stop()
		b := branch{writer: w}
		var waves []int // how many blocks are there after each second
		for i, depth := range []int{3, 3, 2, 2, 1, 1, 3, 2, 1} {
			if err := b.add(must(shop.sink.Make([]byte{byte(i)})), depth); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			time.Sleep(time.Second)
			synctest.Wait()
			waves = append(waves, s.Len())
		}
		if want := [4]int{5, 7, 9, 9}; [4]int(waves) != want {
			t.Errorf("%v blocks, want %v", waves, want)
		}
		if err := w.wait(); err != nil {
			t.Error(err)
		}
	})
}

func must(b store.Block, err error) store.Block {
	if err != nil {
		panic(err)
	}
	return b
}
