package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/storage/memstore"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// content is blocks for servers to serve.
type content struct{ memstore.Store }

func newContent() *content { return &content{memstore.Store{Bag: map[string][]byte{}}} }

func (b *content) put(codec uint64, data []byte) cid.Cid {
	c, err := cid.V1Builder{Codec: codec, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		panic(err)
	}
	b.Bag[c.KeyString()] = data
	return c
}

func (b *content) raw(text string) cid.Cid { return b.put(cid.Raw, []byte(text)) }

func (b *content) block(c cid.Cid) []byte { return b.Bag[c.KeyString()] }

func (b *content) linkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.SetReadStorage(b)
	lsys.SetWriteStorage(b)
	return &lsys
}

// server is a gateway that counts.
type server struct {
	*httptest.Server
	asked  atomic.Int32 // requests in all
	cars   atomic.Int32 // those for CARs
	flying atomic.Int32
	most   atomic.Int32 // requests in flight
	opened atomic.Int32 // connections
}

func serve(t testing.TB, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if wantsCAR(r) {
			s.cars.Add(1)
		}
		now := s.flying.Add(1)
		defer s.flying.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		handler(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func wantsCAR(r *http.Request) bool {
	return r.URL.Query().Get("format") == "car" && strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.ipld.car;")
}

func wantsBlock(r *http.Request) bool {
	return r.URL.Query().Get("format") == "raw" && r.Header.Get("Accept") == "application/vnd.ipld.raw"
}

// asked is the CID that a request is for.
func asked(r *http.Request) cid.Cid {
	c, err := cid.Decode(path.Base(r.URL.Path))
	if err != nil || path.Dir(r.URL.Path) != "/ipfs" {
		panic(fmt.Sprint("asked for ", r.URL))
	}
	return c
}

// honest is a gateway that gives single blocks, as the specification has it,
// and whole trees in the order that it is told.
func honest(b *content, order ...cid.Cid) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		block, ok := b.Bag[asked(r).KeyString()]
		switch {
		case !ok:
			http.Error(w, "block was not found", http.StatusNotFound)
		case wantsBlock(r):
			w.Header().Set("Content-Type", "application/vnd.ipld.raw")
			_, _ = w.Write(block)
		case wantsCAR(r) && len(order) > 0:
			w.Header().Set("Content-Type", "application/vnd.ipld.car; version=1; order=dfs; dups=n")
			car, err := carfile.NewWriter(w, asked(r))
			if err != nil {
				panic(err)
			}
			for _, c := range order {
				if err := car.Put(context.Background(), c, b.block(c)); err != nil {
					panic(err)
				}
			}
			if err := car.Finish(); err != nil {
				panic(err)
			}
		default:
			http.Error(w, "neither a block nor a CAR", http.StatusNotAcceptable)
		}
	}
}

// with is honest, but for what one block is answered with.
func with(b *content, answer func(w http.ResponseWriter, r *http.Request, block []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { answer(w, r, b.block(asked(r))) }
}

// warnings collects what is warned of.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) warn(message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, message)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.said, "\n")
}

// open opens the gateways that servers are.
func open(t testing.TB, o remote.Options, servers ...*server) *Store {
	t.Helper()
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL)
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	s, err := Open(t.Context(), urls, Options{Remote: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// once is for stores that are not to try again.
var once = remote.Options{Retries: -1}
