package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime/datamodel"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestManyKeysOverNetwork: however many keys are asked for over a slow store, the time is
// that of its loads, divided by how many may be under way at once.
func TestManyKeysOverNetwork(t *testing.T) {
	const n, asked, takes, atOnce = 30_000, 3_000, 50 * time.Millisecond, 64
	s := hamttest.NewStore()
	root := numbered(t, s, 0, n)
	var want strings.Builder
	var keys []string
	for i := range asked {
		i = i * 7919 % n
		keys = append(keys, fmt.Sprint("key-", i))
		fmt.Fprintf(&want, "{\"key\":\"key-%d\",\"value\":%d}\n", i, i)
	}
	synctest.Test(t, func(t *testing.T) {
		slow := hamttest.NewStore()
		slow.OnRead = func(link datamodel.Link, _ []byte) ([]byte, error) { return s.Block(link), nil }
		slow.Delay = func(datamodel.Link) time.Duration { return takes }
		m, err := hamt.Load(t.Context(), slow.LinkSystem(), root)
		if err != nil {
			t.Fatal(err)
		}
		g := &get{app: &app{}}
		g.app.store.remote.AtOnce = atOnce
		slow.TakeLoads()
		began := time.Now()
		var got bytes.Buffer
		w := bufio.NewWriter(&got)
		missing, err := g.many(t.Context(), w, m, lookup{}, keys)
		if err != nil || missing > 0 {
			t.Fatalf("%d missing, %v", missing, err)
		}
		if err := w.Flush(); err != nil || got.String() != want.String() {
			t.Errorf("other answers than in the order of asking: %v", err)
		}
		took, loads := time.Since(began), len(slow.TakeLoads())
		if best := time.Duration(loads) * takes / atOnce; took > best*3/2 {
			t.Errorf("%d loads took %v, at best %v", loads, took, best)
		}
		if slow.Most() > atOnce {
			t.Errorf("%d loads at the same time", slow.Most())
		}
	})
}
