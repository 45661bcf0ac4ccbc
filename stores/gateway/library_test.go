package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// numbered stores a map of n entries, in many blocks; each value is a number,
// and of some a link to a block.
func numbered(t *testing.T, n int) (b *content, root cid.Cid) {
	t.Helper()
	b = newContent()
	p := params.Default()
	p.BitWidth = 5
	txn, err := builder.Prototype{Params: p, LinkSystem: b.linkSystem()}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var value datamodel.Node = basicnode.NewInt(int64(i))
		if i%50 == 0 {
			value = basicnode.NewLink(cidlink.Link{Cid: b.raw(fmt.Sprint("value ", i))})
		}
		if err := txn.SetString(fmt.Sprint("key ", i), value); err != nil {
			t.Fatal(err)
		}
	}
	_, link, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b, link.(cidlink.Link).Cid
}

func keys(t *testing.T, m *adl.Node) (all []string) {
	t.Helper()
	for key, err := range m.KeyStrings(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key)
	}
	return all
}

// TestMapOverGateway reads a map over a gateway with a latency: what walks over
// it all takes the time of all blocks divided by the requests in flight.
func TestMapOverGateway(t *testing.T) {
	const entries, latency, atOnce = 5000, 20 * time.Millisecond, 64
	b, root := numbered(t, entries)
	link := cidlink.Link{Cid: root}
	local, err := hamt.Load(t.Context(), b.linkSystem(), link)
	if err != nil {
		t.Fatal(err)
	}
	want := keys(t, local)
	g := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		honest(b)(w, r)
	})
	s := open(t, remote.Options{AtOnce: atOnce}, g)
	walks := map[string]func(*adl.Node){
		"keys": func(m *adl.Node) {
			if got := keys(t, m); !slices.Equal(got, want) {
				t.Errorf("%d keys, or in another order", len(got))
			}
		},
		"count": func(m *adl.Node) {
			if n, err := m.Count(t.Context()); err != nil || n != entries {
				t.Errorf("%d, %v", n, err)
			}
		},
		"verify": func(m *adl.Node) {
			for err := range m.Verify(t.Context()) {
				t.Error(err)
			}
		},
	}
	for name, walk := range walks {
		before := g.asked.Load()
		m, err := hamt.Load(t.Context(), s.LinkSystem(), link, hamt.WithReadAhead(atOnce), hamt.WithCacheBytes(0))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		walk(m)
		took, asked := time.Since(begin), g.asked.Load()-before
		if sequential := time.Duration(asked) * latency; asked < 500 || took > sequential/3 { // machines may be busy
			t.Errorf("%s took %v for %d blocks", name, took, asked)
		}
		t.Logf("%s: %v for %d blocks, %v one by one", name, took, asked, time.Duration(asked)*latency)
	}
	if most, opened := g.most.Load(), g.opened.Load(); most > atOnce || opened > 2*atOnce {
		t.Errorf("%d requests at once, %d connections", most, opened)
	}
}
