package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// numbered builds a map of the keys from first up to but not including end.
func numbered(t *testing.T, s *hamttest.Store, first, end int) datamodel.Link {
	t.Helper()
	p := builder.Prototype{LinkSystem: s.LinkSystem(), Params: params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}}
	txn, err := p.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	for i := first; i < end; i++ {
		if err := txn.SetString(fmt.Sprint("key-", i), basicnode.NewInt(int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	_, root, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestDeletesOverNetwork: however many keys are deleted over a slow store, and
// whatever changes are between them, the time is that of loading one node after
// another, divided by how many may be under way at once. What is said of keys
// that are not there is what each delete found in its turn.
func TestDeletesOverNetwork(t *testing.T) {
	const n, deleted, takes, ahead = 30_000, 10_000, 50 * time.Millisecond, 64
	var texts []string
	var deletes, mixed, again strings.Builder
	for i := range deleted {
		fmt.Fprintf(&deletes, "{\"op\":\"delete\",\"key\":\"key-%d\"}\n", i)
		fmt.Fprintf(&mixed, "{\"op\":\"delete\",\"key\":\"key-%d\"}\n{\"op\":\"set\",\"key\":\"key-%d\",\"value\":%d}\n", i, i+deleted, i+deleted)
		// Each is set between two deletes, and is gone at a third.
		fmt.Fprintf(&again, "{\"op\":\"delete\",\"key\":\"key-%d\"}\n{\"op\":\"set\",\"key\":\"key-%d\",\"value\":0}\n", i, i)
		fmt.Fprintf(&again, "{\"op\":\"delete\",\"key\":\"key-%d\"}\n{\"op\":\"delete\",\"key\":\"key-%d\"}\n", i, i)
		texts = append(texts, fmt.Sprint("key-", i))
	}
	deletes.WriteString(`{"op":"delete","key":"nobody"}` + "\n")
	texts = append(texts, "nobody")
	apply := func(lines string) func(ctx context.Context, e *edit, txn *builder.Txn) error {
		return func(ctx context.Context, e *edit, txn *builder.Txn) error {
			return e.apply(ctx, txn, input.Source{Reader: strings.NewReader(lines)}.Changes(), 1<<30)
		}
	}
	s := hamttest.NewStore()
	before, after := numbered(t, s, 0, n), numbered(t, hamttest.NewStore(), deleted, n)
	for name, c := range map[string]struct {
		edit func(ctx context.Context, e *edit, txn *builder.Txn) error
		says string
	}{
		"apply":            {apply(deletes.String()), "1 of the keys to delete were not there"},
		"apply, mixed":     {apply(mixed.String()), ""},
		"apply, and again": {apply(again.String()), "10000 of the keys to delete were not there"},
		"delete": {func(ctx context.Context, e *edit, txn *builder.Txn) error {
			missing, err := e.delete(ctx, txn, &keysFlags{}, texts)
			if missing != 1 {
				t.Errorf("%d keys were missing", missing)
			}
			return err
		}, `key "nobody" is not there`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := hamttest.NewStore()
				m.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) { return s.Block(link), nil }
				m.Delay = func(datamodel.Link) time.Duration { return takes }
				base, err := hamt.Load(t.Context(), m.LinkSystem(), before, hamt.WithReadAhead(ahead))
				if err != nil {
					t.Fatal(err)
				}
				txn, err := builder.NewTxn(base)
				if err != nil {
					t.Fatal(err)
				}
				var says bytes.Buffer
				e := &edit{app: &app{err: &says}}
				m.TakeLoads()
				began := time.Now()
				if err := c.edit(t.Context(), e, txn); err != nil {
					t.Fatal(err)
				}
				_, root, err := txn.Commit(t.Context())
				if err != nil || root != after {
					t.Errorf("root %v, %v; want %s", root, err, after)
				}
				took, loads := time.Since(began), len(m.TakeLoads())
				// Each fetch has its levels, and an end at which less is under way.
				fetches := 1 + time.Duration(len(texts)/fetchedAtOnce)
				if best := time.Duration(loads) * takes / ahead; took > best+5*fetches*takes {
					t.Errorf("%d loads took %v, at best %v", loads, took, best)
				}
				if got := strings.TrimSpace(says.String()); !strings.Contains(got, c.says) || strings.Contains(got, "\n") || c.says == "" && got != "" {
					t.Errorf("it says %q, want %q", got, c.says)
				}
				if m.Most() > ahead {
					t.Errorf("%d loads at the same time", m.Most())
				}
			})
		})
	}
}
