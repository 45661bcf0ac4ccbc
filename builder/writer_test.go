package builder

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
)

// TestWriterIsBounded: a store that answers nothing takes no more than a
// number of blocks, or of bytes, and none of it keeps a goroutine but what is
// under way.
func TestWriterIsBounded(t *testing.T) {
	const atOnce = 4
	for name, c := range map[string]struct{ size, most int }{
		"number": {1, queuedPerWrite * atOnce},
		"bytes":  {queueBytes/8 + 1, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slowStore{delay: time.Hour}
				config, err := Prototype{LinkSystem: s.linkSystem(), WritesAtOnce: atOnce, MaxBlockBytes: queueBytes}.open()
				if err != nil {
					t.Fatal(err)
				}
				w := config.writer(t.Context(), nil)
				added, ended := 0, make(chan error)
				go func() {
					for i := range byte(100) {
						b, err := config.blockWriter.Encode(append(make([]byte, c.size), i))
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
				if most := s.most.Load(); most != atOnce {
					t.Errorf("%d writes at the same time", most)
				}
				w.stop()
				if err := <-ended; err != errWriterStopped || s.written.Load() > 0 {
					t.Errorf("who waits is told %v; %d blocks are written", err, s.written.Load())
				}
			})
		})
	}
}

// TestWriterOrder: a node whose block comes before its children are written
// waits for them, and theirs before them.
func TestWriterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{delay: time.Second}
		config, err := Prototype{LinkSystem: s.linkSystem(), WritesAtOnce: 64}.open()
		if err != nil {
			t.Fatal(err)
		}
		w := config.writer(context.Background(), nil)
		defer w.stop()
		b := branch{writer: w}
		var waves []int64 // how many blocks are there after each second
		for i, depth := range []int{3, 3, 2, 2, 1, 1, 3, 2, 1} {
			if err := b.add(must(config.blockWriter.Encode([]byte{byte(i)})), depth); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			time.Sleep(time.Second)
			synctest.Wait()
			waves = append(waves, s.written.Load())
		}
		if want := [4]int64{5, 7, 9, 9}; [4]int64(waves) != want {
			t.Errorf("%v blocks, want %v", waves, want)
		}
		if err := w.wait(); err != nil {
			t.Error(err)
		}
	})
}

// slowStore counts the blocks written to it, each of which takes a while.
type slowStore struct {
	delay              time.Duration
	now, most, written atomic.Int64
}

func (s *slowStore) linkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		return io.Discard, func(datamodel.Link) error {
			now := s.now.Add(1)
			defer s.now.Add(-1)
			for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
			}
			select {
			case <-time.After(s.delay):
				s.written.Add(1)
				return nil
			case <-lctx.Ctx.Done():
				return lctx.Ctx.Err()
			}
		}, nil
	}
	return &lsys
}

func must(b blockio.Block, err error) blockio.Block {
	if err != nil {
		panic(err)
	}
	return b
}
