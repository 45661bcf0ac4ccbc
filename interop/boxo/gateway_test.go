package boxo_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/exchange"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/gateway"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/interop/boxo"
)

// newGateway is the gateway of the Example.
func newGateway(t testing.TB, store blockstore.Blockstore, exchange exchange.Interface) http.Handler {
	t.Helper()
	service := blockservice.New(store, boxo.Exchange(exchange))
	resolver := boxo.NewResolver(service)
	resolver.AddValue = service.AddBlock
	backend, err := gateway.NewBlocksBackend(service, gateway.WithResolver(resolver))
	if err != nil {
		t.Fatal(err)
	}
	return newHandler(backend)
}

func newHandler(backend gateway.IPFSBackend) http.Handler {
	return gateway.NewHandler(gateway.Config{DeserializedResponses: true}, backend)
}

func get(ctx context.Context, handler http.Handler, p string) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Path: p}).String(), nil)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestGateway(t *testing.T) {
	ctx := t.Context()
	store := newStore()
	root := "/ipfs/" + buildExample(ctx, store).String() + "/"
	handler := newGateway(t, store, offline.Exchange(store))

	const asJSON, asText = "application/vnd.ipld.dag-json", "text/plain; charset=utf-8"
	for _, test := range []struct {
		path        string
		status      int
		contentType string
		body        string
	}{
		{"dir/hello.txt", 200, asText, hello},
		{"inner/dir/hello.txt", 200, asText, hello},
		{"plain/inner/dir/hello.txt", 200, asText, hello},
		{"Rabbit", 200, asJSON, `[{"column":22,"line":1}]`},
		{"Rabbit/0", 200, asJSON, `{"column":22,"line":1}`},
		{"Rabbit/0/line", 200, asJSON, `1`},
		{"inner/deep", 200, asJSON, `{"a":[7]}`},
		{"inner/deep/a/0", 200, asJSON, `7`},
		{"plain/inner/deep/a", 200, asJSON, `[7]`},
		{"key 1999", 200, asJSON, `1999`},
		{"nothing", 404, "", ""},
		{"nothing/at/all", 404, "", ""},
		{"dir/nothing", 404, "", ""},
		{"inner/nothing", 404, "", ""},
		{"plain/nothing", 404, "", ""},
		{"plain/inner/nothing/", 404, "", ""},
		{"Rabbit/1", 404, "", ""},
		{"Rabbit/1/line", 404, "", ""},
		{"Rabbit/0/nothing", 404, "", ""},
		{"key 1/nothing", 404, "", ""},
	} {
		response := get(ctx, handler, root+test.path)
		if response.Code != test.status {
			t.Errorf("%s: status %d (%s), want %d", test.path, response.Code, response.Body, test.status)
			continue
		}
		if test.status != http.StatusOK {
			continue
		}
		if got := response.Header().Get("Content-Type"); got != test.contentType {
			t.Errorf("%s: Content-Type %q, want %q", test.path, got, test.contentType)
		}
		if got := response.Body.String(); got != test.body {
			t.Errorf("%s: %q, want %q", test.path, got, test.body)
		}
	}
}

// What is no HAMT is served as boxo serves it.
func TestGatewayElsewhere(t *testing.T) {
	ctx := t.Context()
	store := newStore()
	root := buildExample(ctx, store)
	seeing := newGateway(t, store, offline.Exchange(store))
	backend, err := gateway.NewBlocksBackend(blockservice.New(store, offline.Exchange(store)))
	if err != nil {
		t.Fatal(err)
	}
	plain := newHandler(backend)
	dir, nested := linkAt(t, store, root, "dir"), linkAt(t, store, root, "plain")
	for _, path := range []string{
		"/ipfs/" + dir.String(),
		"/ipfs/" + dir.String() + "/",
		"/ipfs/" + dir.String() + "/hello.txt",
		"/ipfs/" + dir.String() + "/nothing",
		"/ipfs/" + dir.String() + "/hello.txt/nothing",
		"/ipfs/" + nested.String(),
		"/ipfs/" + nested.String() + "?format=dag-json",
		"/ipfs/" + nested.String() + "/inner",
		"/ipfs/" + nested.String() + "/nothing",
		"/ipfs/" + root.String(),
		"/ipfs/" + root.String() + "?format=raw",
		"/ipfs/" + root.String() + "?format=car",
	} {
		p, query, _ := strings.Cut(path, "?")
		ask := func(handler http.Handler) *httptest.ResponseRecorder {
			request := httptest.NewRequestWithContext(ctx, http.MethodGet, p+"?"+query, nil)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			return recorder
		}
		got, want := ask(seeing), ask(plain)
		if got.Code != want.Code || got.Body.String() != want.Body.String() || !reflect.DeepEqual(got.Header(), want.Header()) {
			t.Errorf("%s: %d %v, and without the resolver %d %v", path, got.Code, got.Header(), want.Code, want.Header())
		}
	}
}

// linkAt returns what a key of a map links to.
func linkAt(t testing.TB, store blockstore.Blockstore, root cid.Cid, key string) cid.Cid {
	t.Helper()
	value, err := load(t, store, root).GetString(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	link, err := value.AsLink()
	if err != nil {
		t.Fatal(err)
	}
	return link.(cidlink.Link).Cid
}

func load(t testing.TB, store blockstore.Blockstore, root cid.Cid) *adl.Node {
	t.Helper()
	m, err := hamt.Load(t.Context(), linkSystem(store), cidlink.Link{Cid: root})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// onTheWay returns the blocks that lead to a key, present or not.
func onTheWay(t testing.TB, store blockstore.Blockstore, root cid.Cid, key string) []cid.Cid {
	t.Helper()
	location, err := load(t, store, root).LocateString(t.Context(), key)
	if _, absent := err.(datamodel.ErrNotExists); err != nil && !absent {
		t.Fatal(err)
	}
	var blocks []cid.Cid
	for _, link := range location.Blocks {
		blocks = append(blocks, link.(cidlink.Link).Cid)
	}
	if len(blocks) < 2 {
		t.Fatalf("%s is in the root block", key)
	}
	return blocks
}

// A path exists, or not, or it is not known: the gateway tells the third from
// the second whichever block it is that is missing or broken.
func TestGatewayWithoutABlock(t *testing.T) {
	ctx := t.Context()
	full := newStore()
	root := buildExample(ctx, full)
	dir, inner, plain := linkAt(t, full, root, "dir"), linkAt(t, full, root, "inner"), linkAt(t, full, root, "plain")
	file := resolve(t, full, dir, "hello.txt")

	for _, test := range []struct {
		path   string
		blocks []cid.Cid
	}{
		{"dir/hello.txt", append(onTheWay(t, full, root, "dir"), dir, file)},
		{"dir/nothing", append(onTheWay(t, full, root, "dir"), dir)},
		{"Rabbit", onTheWay(t, full, root, "Rabbit")},
		{"Rabbit/0/line", onTheWay(t, full, root, "Rabbit")},
		{"nothing", onTheWay(t, full, root, "nothing")},
		{"inner/deep/a", append(append(onTheWay(t, full, root, "inner"), inner), onTheWay(t, full, inner, "deep")...)},
		{"inner/dir/hello.txt", append(append(onTheWay(t, full, root, "inner"), onTheWay(t, full, inner, "dir")...), dir, file)},
		{"plain/inner/deep", append(append(onTheWay(t, full, root, "plain"), plain), onTheWay(t, full, inner, "deep")...)},
	} {
		for at, missing := range test.blocks {
			store := blockstore.Blockstore(without{full, missing})
			response := get(ctx, newGateway(t, store, offline.Exchange(store)), "/ipfs/"+root.String()+"/"+test.path)
			if response.Code != http.StatusBadGateway {
				t.Errorf("%s without block %d: status %d (%s)", test.path, at, response.Code, response.Body)
			} else if !strings.Contains(response.Body.String(), missing.String()) {
				t.Errorf("%s without block %s: %s", test.path, missing, response.Body)
			}
			if missing.Equals(file) { // any bytes are a file
				continue
			}
			store = broken{full, missing}
			response = get(ctx, newGateway(t, store, offline.Exchange(store)), "/ipfs/"+root.String()+"/"+test.path)
			if response.Code/100 != 5 {
				t.Errorf("%s with a malformed block %d: status %d (%s)", test.path, at, response.Code, response.Body)
			}
		}
	}
}

func resolve(t testing.TB, store blockstore.Blockstore, root cid.Cid, segments ...string) cid.Cid {
	t.Helper()
	resolver := boxo.NewResolver(blockservice.New(store, offline.Exchange(store)))
	c, remainder, err := resolver.ResolveToLastNode(t.Context(), immutable(t, root, segments...))
	if err != nil || len(remainder) > 0 {
		t.Fatal(c, remainder, err)
	}
	return c
}

// without is a store that lacks a block.
type without struct {
	blockstore.Blockstore
	missing cid.Cid
}

func (s without) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	if c.Equals(s.missing) {
		return newStore().Get(ctx, c)
	}
	return s.Blockstore.Get(ctx, c)
}

func (s without) Has(ctx context.Context, c cid.Cid) (bool, error) {
	return !c.Equals(s.missing), nil
}

// broken is a store that has other bytes for a block.
type broken struct {
	blockstore.Blockstore
	malformed cid.Cid
}

func (s broken) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	if c.Equals(s.malformed) {
		return blocks.NewBlockWithCid([]byte{0x82, 0x00}, c) // a list that ends early
	}
	return s.Blockstore.Get(ctx, c)
}

// A request that is given up, or takes too long, says nothing about the path
// either.
func TestGatewayGivenUp(t *testing.T) {
	full := newStore()
	root := buildExample(t.Context(), full)
	way := onTheWay(t, full, root, "Rabbit")
	for at, slow := range way {
		store := without{full, slow}
		cancelled, cancel := context.WithCancel(t.Context())
		asked := make(chan struct{}, 1)
		handler := newGateway(t, store, waiting{offline.Exchange(store), asked})
		go func() { <-asked; cancel() }()
		if response := get(cancelled, handler, "/ipfs/"+root.String()+"/Rabbit"); response.Code/100 != 5 {
			t.Errorf("cancelled while it waits for block %d: status %d (%s)", at, response.Code, response.Body)
		}
		late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		handler = newGateway(t, store, waiting{offline.Exchange(store), make(chan struct{}, 1)})
		if response := get(late, handler, "/ipfs/"+root.String()+"/Rabbit"); response.Code != http.StatusGatewayTimeout {
			t.Errorf("out of time while it waits for block %d: status %d (%s)", at, response.Code, response.Body)
		}
		cancel()
	}
}

// waiting is an exchange with nobody to ask.
type waiting struct {
	exchange.Interface
	asked chan<- struct{}
}

func (w waiting) GetBlock(ctx context.Context, _ cid.Cid) (blocks.Block, error) {
	select {
	case w.asked <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// An exchange with sessions keeps them, and they tell what is missing as well.
func TestExchangeSessions(t *testing.T) {
	store := newStore()
	absent := buildExample(t.Context(), newStore())
	sessions := withSessions{offline.Exchange(store), new(int)}
	service := blockservice.New(store, boxo.Exchange(sessions))
	for range 2 {
		_, err := blockservice.NewSession(t.Context(), service).GetBlock(t.Context(), absent)
		if _, ok := errors.AsType[*boxo.Error](err); !ok {
			t.Errorf("%T %v", err, err)
		}
	}
	if *sessions.made != 2 {
		t.Errorf("%d sessions, want 2", *sessions.made)
	}
}

type withSessions struct {
	exchange.Interface
	made *int
}

func (s withSessions) NewSession(context.Context) exchange.Fetcher {
	*s.made++
	return s.Interface
}

// A browser sees a value as it sees any other block.
func TestGatewayForABrowser(t *testing.T) {
	store := newStore()
	root := buildExample(t.Context(), store)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ipfs/"+root.String()+"/Rabbit/", nil)
	request.Header.Set("Accept", "text/html")
	recorder := httptest.NewRecorder()
	newGateway(t, store, offline.Exchange(store)).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), "column") {
		t.Errorf("status %d: %s", recorder.Code, recorder.Body)
	}
}
