package builder_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestSpillAgain: when there is room again, so is the Bulk.
func TestSpillAgain(t *testing.T) {
	dir := t.TempDir() + "/gone"
	bulk := hamttest.Must(builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem()}.NewBulk(builder.BulkOptions{MemoryBytes: 1, SpillDir: dir}))
	defer bulk.Close()
	content := hamttest.Numbered(20)
	failures := 0
	for key, value := range content {
		if err := bulk.SetString(key, value); err != nil {
			if failures++; failures > 1 {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, _, err := bulk.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failures == 0 {
		t.Error("nothing was spilled")
	}
	hamttest.ExpectContent(t, m, content)
}

// TestBulkLeavesNoSpill: what was spilled is gone, whatever the end was.
func TestBulkLeavesNoSpill(t *testing.T) {
	for name, end := range map[string]func(b *builder.Bulk, s *hamttest.Store){
		"finished": func(b *builder.Bulk, _ *hamttest.Store) { hamttest.MustFirst(b.Finish(t.Context())) },
		"closed":   func(b *builder.Bulk, _ *hamttest.Store) { b.Close() },
		"cancelled": func(b *builder.Bulk, _ *hamttest.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, _, err := b.Finish(ctx)
			hamttest.ExpectCancelled(t, err)
		},
		"failed": func(b *builder.Bulk, s *hamttest.Store) {
			s.OnWrite = func(datamodel.Link, []byte) error { return hamttest.ErrStore }
			if _, _, err := b.Finish(t.Context()); !errors.Is(err, hamttest.ErrStore) {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := hamttest.NewStore(), t.TempDir()
			b := hamttest.Must(builder.Prototype{LinkSystem: s.LinkSystem()}.NewBulk(builder.BulkOptions{MemoryBytes: 1, SpillDir: dir}))
			for key, value := range hamttest.Numbered(200) { // more than are merged at once
				if err := b.Set([]byte(key), value); err != nil {
					t.Fatal(err)
				}
			}
			if !hamttest.IsSpilled(t, dir) {
				t.Fatal("nothing was spilled")
			}
			end(b, s)
			if hamttest.IsSpilled(t, dir) {
				t.Error("the spill is still there")
			}
			if err := b.Set([]byte("key"), basicnode.NewInt(1)); err == nil {
				t.Error("the Bulk still takes entries")
			}
			if _, _, err := b.Finish(t.Context()); err == nil {
				t.Error("the Bulk can be finished again")
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBulkRepeatedKeys: the last value wins, or the key is refused, within
// memory and across the spill.
func TestBulkRepeatedKeys(t *testing.T) {
	for _, memory := range []int64{0, 1, 1 << 12, 30_000} {
		s := hamttest.NewStore()
		prototype := builder.Prototype{LinkSystem: s.LinkSystem()}
		b := hamttest.Must(prototype.NewBulk(builder.BulkOptions{MemoryBytes: memory}))
		for round := range 3 {
			for i := range 150 {
				// At once, and again in each round: within a pile and across.
				for repeat := range 2 {
					if err := b.Set(fmt.Append(nil, "key-", i), basicnode.NewInt(int64(i*(round+repeat-2)))); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		n, _, err := b.Finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hamttest.ExpectContent(t, n, hamttest.Numbered(150))
		if count, known := n.KnownCount(); !known || count != 150 {
			t.Errorf("%d entries are known (%v)", count, known)
		}

		strict := hamttest.Must(prototype.NewBulk(builder.BulkOptions{MemoryBytes: memory, Repeated: builder.Refuse}))
		for i := range 150 {
			if err := strict.Set(fmt.Append(nil, "key-", i), datamodel.Null); err != nil {
				t.Fatal(err)
			}
		}
		err = strict.Set([]byte("key-7"), datamodel.Null)
		if err == nil {
			_, _, err = strict.Finish(t.Context())
		}
		if !errors.Is(err, fault.ErrRepeatedKey) || !strings.Contains(err.Error(), "key-7") {
			t.Errorf("memory %d: error %v", memory, err)
		}
		if err := strict.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBulkWritesValuesMeanwhile: Set does not wait for the values' blocks,
// Finish does; their errors come late and are final, and Close leaves nothing
// under way.
func TestBulkWritesValuesMeanwhile(t *testing.T) {
	values := func(b *builder.Bulk) (err error) {
		for i := range 64 {
			err = errors.Join(err, b.Set(fmt.Append(nil, i), basicnode.NewBytes(bytes.Repeat([]byte{byte(i)}, 100))))
		}
		return err
	}
	for name, c := range map[string]func(t *testing.T, s *hamttest.Store, b *builder.Bulk){
		"finished": func(t *testing.T, s *hamttest.Store, b *builder.Bulk) {
			began := time.Now()
			if err := values(b); err != nil || time.Since(began) > 0 {
				t.Errorf("Set took %v, %v", time.Since(began), err)
			}
			hamttest.MustFirst(b.Finish(t.Context()))
			if took := time.Since(began); took != 5*time.Minute || s.Len() != 65 { // values of four times, and the root
				t.Errorf("it took %v to write %d blocks", took, s.Len())
			}
		},
		"closed": func(t *testing.T, s *hamttest.Store, b *builder.Bulk) {
			if err := values(b); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := b.Close(); err != nil || time.Since(began) > 0 || s.Len() > 0 {
				t.Errorf("it took %v, %v; %d blocks are written", time.Since(began), err, s.Len())
			}
		},
		"cancelled": func(t *testing.T, s *hamttest.Store, b *builder.Bulk) {
			if err := values(b); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			if _, _, err := b.Finish(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
				t.Errorf("it took %v: %v", time.Since(began), err)
			}
		},
		"failed": func(t *testing.T, s *hamttest.Store, b *builder.Bulk) {
			s.OnWrite = func(datamodel.Link, []byte) error { return hamttest.ErrStore }
			if err := b.Set([]byte("a"), basicnode.NewBytes(make([]byte, 100))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := b.Set([]byte("b"), basicnode.NewBytes(make([]byte, 101))); !errors.Is(err, hamttest.ErrStore) {
				t.Errorf("a later Set: %v", err)
			}
			if _, _, err := b.Finish(t.Context()); !errors.Is(err, hamttest.ErrStore) || s.Len() > 0 {
				t.Errorf("Finish: %v; %d blocks are written", err, s.Len())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := hamttest.NewStore()
				s.WriteDelay = func(datamodel.Link) time.Duration { return time.Minute }
				c(t, s, hamttest.Must(builder.Prototype{LinkSystem: s.LinkSystem(), WritesAtOnce: 16, InlineBytes: 50}.NewBulk(builder.BulkOptions{})))
			})
		})
	}
}
