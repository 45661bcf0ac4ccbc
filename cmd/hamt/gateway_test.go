package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	boxo "github.com/ipfs/boxo/gateway"
	"github.com/ipld/go-car/v2/blockstore"
)

// answer may answer in a gateway's place, and reports whether it did. n counts the
// requests.
type answer func(w http.ResponseWriter, r *http.Request, n int64) bool

// gateway is a trustless gateway, that of boxo and Kubo, that has the blocks of a
// CAR.
type gateway struct {
	url    string
	close  func()
	delay  atomic.Int64           // of each answer, in nanoseconds
	answer atomic.Pointer[answer] // what comes before its own, if anything does
	trees  atomic.Bool            // it serves CARs, too
	drip   atomic.Int64           // a pause before each piece of an answer, in nanoseconds

	requests, flying, most, bytes atomic.Int64
	mu                            sync.Mutex
	asked                         map[string]int // single blocks, by the path of the URL
}

// answers lets something else answer first; nil for nothing.
func (g *gateway) answers(a answer) {
	if a == nil {
		g.answer.Store(nil)
		return
	}
	g.answer.Store(&a)
}

// newGateway starts a gateway with the blocks of a CAR.
func newGateway(car string) (*gateway, error) {
	file, err := blockstore.OpenReadOnly(car)
	if err != nil {
		return nil, err
	}
	backend, err := boxo.NewBlocksBackend(blockservice.New(file, offline.Exchange(file)))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	honest := boxo.NewHandler(boxo.Config{}, backend)
	g := &gateway{asked: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.flies(g.flying.Add(1))
		defer g.flying.Add(-1)
		n := g.requests.Add(1)
		time.Sleep(time.Duration(g.delay.Load()))
		if other := g.answer.Load(); other != nil && (*other)(w, r, n) {
			return
		}
		if r.URL.Query().Get("format") == "raw" {
			g.mu.Lock()
			g.asked[r.URL.Path]++
			g.mu.Unlock()
		} else if !g.trees.Load() {
			http.Error(w, "raw blocks alone", http.StatusBadRequest)
			return
		}
		honest.ServeHTTP(weighed{w, g}, r)
	}))
	g.url = server.URL
	g.close = func() {
		server.CloseClientConnections()
		server.Close()
		_ = file.Close() // which was read only
	}
	return g, nil
}

// serve starts a gateway with the blocks of a map in the place's store, and what
// its values link to.
func (p place) serve(root string) *gateway {
	p.t.Helper()
	p.ok("", "export", root, "--values", "-o", "served.car")
	g, err := newGateway(filepath.Join(p.dir, "served.car"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(g.close)
	return g
}

// behave changes how the gateway answers, by a name that scripts use.
func (g *gateway) behave(how string, args ...string) error {
	argument := strings.Join(args, "")
	g.trees.Store(how == "trees")
	g.answers(nil)
	switch how {
	case "blocks", "trees": // as gateways do, with CARs or without
	case "lies-once": // with wrong bytes for each block, the first time
		var lied sync.Map
		g.answers(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			if _, again := lied.LoadOrStore(r.URL.Path, true); again {
				return false
			}
			_, _ = w.Write([]byte("wrong"))
			return true
		})
	case "unavailable":
		g.answers(func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
			http.Error(w, "gone", http.StatusServiceUnavailable)
			return true
		})
	case "dies-after": // that many requests
		most, err := strconv.ParseInt(argument, 10, 64)
		if err != nil {
			return err
		}
		g.forget()
		g.answers(func(_ http.ResponseWriter, _ *http.Request, n int64) bool {
			if n > most {
				panic(http.ErrAbortHandler)
			}
			return false
		})
	case "asks-for": // this value of Authorization
		g.answers(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			if r.Header.Get("Authorization") == argument {
				return false
			}
			http.Error(w, "who are you", http.StatusUnauthorized)
			return true
		})
	case "repeats": // the Authorization, and refuses
		g.answers(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			http.Error(w, "you said "+r.Header.Get("Authorization"), http.StatusForbidden)
			return true
		})
	case "hangs":
		g.answers(func(_ http.ResponseWriter, r *http.Request, _ int64) bool { <-r.Context().Done(); return true })
	default:
		return fmt.Errorf("a gateway cannot be told %q", how)
	}
	return nil
}

// weighed counts the bytes of answers, and slows them down.
type weighed struct {
	http.ResponseWriter
	*gateway
}

func (w weighed) Write(p []byte) (int, error) {
	w.bytes.Add(int64(len(p)))
	time.Sleep(time.Duration(w.drip.Load()))
	return w.ResponseWriter.Write(p)
}

func (g *gateway) flies(n int64) {
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
}

// counted is how often each block was asked for.
func (g *gateway) counted() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.asked)
}

// forget returns the number of requests since the last time.
func (g *gateway) forget() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.asked)
	return g.requests.Swap(0)
}

// blocks is how many blocks a map has.
func (p place) blocks(root string) int {
	p.t.Helper()
	return strings.Count(p.ok("", "blocks", root), "\n")
}

// TestGateway: every reading verb says of a map behind a gateway what it says of
// a local one, asks for no block twice, and has many requests in flight.
func TestGateway(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(5000), "build", "--bit-width", "5")
	g := p.serve(root)
	blocks := p.blocks(root)
	const delay = 20 * time.Millisecond
	g.delay.Store(int64(delay))
	for _, verb := range []string{"keys", "values", "entries", "len", "blocks", "stat", "verify", "export"} {
		args := []string{verb, root}
		if verb == "export" {
			args = append(args, "-o", "-")
		}
		want := p.run("", args...)
		g.forget()
		began := time.Now()
		got := p.run("", append([]string{"--store", "gateway:" + g.url}, args...)...)
		took := time.Since(began)
		if got != want {
			t.Errorf("%s: %.200v, want %.200v", verb, got, want)
		}
		for c, n := range g.counted() {
			if n > 1 {
				t.Errorf("%s asked for %s %d times", verb, c, n)
			}
		}
		if n := g.forget(); int(n) != blocks {
			t.Errorf("%s: %d requests for %d blocks", verb, n, blocks)
		}
		if sequential := time.Duration(blocks) * delay; took > sequential/5 {
			t.Errorf("%s took %v, and one block after the other takes %v", verb, took, sequential)
		}
	}
	if most := g.most.Load(); most > 64 {
		t.Errorf("%d requests in flight", most)
	}
}

// TestFaults: gateways that lie, hang, refuse for a while, or die.
func TestFaults(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(2000), "build", "--bit-width", "5")
	honest, other := p.serve(root), p.serve(root)
	want := p.ok("", "entries", root)
	both := "gateway:" + other.url + "," + honest.url
	faulty := map[string]answer{
		"lying": func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
			_, _ = w.Write([]byte("wrong"))
			return true
		},
		"endless": func(w http.ResponseWriter, r *http.Request, _ int64) bool {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					break
				}
			}
			return true
		},
		"limiting": func(w http.ResponseWriter, _ *http.Request, n int64) bool {
			if n%3 == 0 {
				w.Header().Set("Retry-After", "0")
				http.Error(w, "slow down", http.StatusTooManyRequests)
			}
			return n%3 == 0
		},
		"half-dead": func(_ http.ResponseWriter, _ *http.Request, n int64) bool {
			if n%2 == 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
		"hanging": func(_ http.ResponseWriter, r *http.Request, n int64) bool {
			if n > 3 {
				<-r.Context().Done()
			}
			return n > 3
		},
	}
	for name, answer := range faulty {
		other.answers(answer)
		other.forget()
		r := p.run("", "--store", both, "--timeout", "500ms", "entries", root)
		if r.status != 0 || r.out != want {
			t.Errorf("%s gateway first: status %d, %d bytes, %s", name, r.status, len(r.out), r.err)
		}
		if name == "lying" && !strings.Contains(r.err, strings.TrimPrefix(other.url, "http://")) {
			t.Errorf("nobody said who lied: %s", r.err)
		}
	}
	host := strings.TrimPrefix(other.url, "http://")
	for name, says := range map[string]string{"lying": "wrong bytes", "hanging": host, "endless": host} {
		other.answers(faulty[name])
		p.failsWithWarnings(3, says, "--store", "gateway:"+other.url, "--timeout", "300ms", "--retries", "1", "entries", root)
	}
	other.answers(func(_ http.ResponseWriter, r *http.Request, _ int64) bool { <-r.Context().Done(); return true })
	began := time.Now()
	p.failsWithWarnings(3, "--deadline", "--store", "gateway:"+other.url, "--deadline", "500ms", "entries", root)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the deadline of 500ms took %v", took)
	}
}

// failsWithWarnings is fails where warnings may come first.
func (p place) failsWithWarnings(status int, says string, args ...string) {
	p.t.Helper()
	r := p.run("", args...)
	all := strings.Split(strings.TrimSpace(r.err), "\n")
	last := all[len(all)-1]
	if r.status != status || !strings.Contains(last, says) || strings.HasPrefix(last, "hamt: warning") {
		p.t.Errorf("hamt %q: status %d, stderr %q; want %d and %q", args, r.status, r.err, status, says)
	}
}

// TestCopyResumes: of a copy that a gateway's death has broken off the next one
// takes only the rest. It counts requests while a copy runs.
func TestCopyResumes(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(3000), "build", "--bit-width", "5")
	blocks := p.blocks(root)
	g := p.serve(root)
	const most = 150
	if err := g.behave("dies-after", fmt.Sprint(most)); err != nil {
		t.Fatal(err)
	}
	p.failsWithWarnings(3, strings.TrimPrefix(g.url, "http://"), "copy", root, "--from", "gateway:"+g.url, "--to", "other", "--retries", "0")
	g.answers(nil)
	g.forget()
	r := p.run("", "copy", root, "--from", "gateway:"+g.url, "--to", "other")
	if n := int(g.forget()); r.status != 0 || n >= blocks || n < blocks-most {
		t.Errorf("the copy went on with %d requests for %d blocks, %d of them there: %v", n, blocks, most, r)
	}
	p.same("verify", p.ok("", "--store", "other", "verify", root), "")
}

// TestCopyTrees: from a gateway that serves CARs a new store gets a map in few
// requests, and of what values link to nothing unless it is asked for.
func TestCopyTrees(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(5000), "build", "--bit-width", "5")
	blocks := p.blocks(root)
	g := p.serve(root)
	g.trees.Store(true)
	from := "gateway:" + g.url
	copied := func(to string, most int, args ...string) {
		t.Helper()
		g.forget()
		g.bytes.Store(0)
		const delay = 20 * time.Millisecond
		g.delay.Store(int64(delay))
		began := time.Now()
		if got := p.root("", append([]string{"copy", "--from", from, "--to", to}, args...)...); got != root {
			t.Errorf("%s: %s", to, got)
		}
		sequential := time.Duration(blocks) * delay // which tells nothing where it is short
		if took := time.Since(began); sequential > 10*time.Second && took > sequential/5 {
			t.Errorf("copy to %s took %v, and one block after the other takes %v", to, took, sequential)
		}
		if n := g.forget(); int(n) > most {
			t.Errorf("copy to %s: %d requests, and not %d at most", to, n, most)
		}
		p.same("verify", p.ok("", "--store", to, "verify", root), "")
	}
	copied("one", blocks/4, root)
	copied("few", blocks/4, root, "--at-once", "4")
	copied("few.car", blocks/4, root)
	g.trees.Store(false)
	copied("singly", blocks+1, root)

	// Values that are blocks of their own.
	var people strings.Builder
	for i := range 500 {
		fmt.Fprintf(&people, "{\"key\":\"%d\",\"value\":%q}\n", i, strings.Repeat(fmt.Sprint("person ", i), 2000))
	}
	root = p.root(people.String(), "build", "--bit-width", "3", "--inline-bytes", "1KiB")
	blocks = p.blocks(root)
	g = p.serve(root)
	g.trees.Store(true)
	from = "gateway:" + g.url
	copied("alone", blocks+1, root)
	if n := g.bytes.Load(); n > 500_000 {
		t.Errorf("%d bytes came for %d blocks of a map", n, blocks)
	}
	copied("all", 2, root, "--values")
	p.same("a value", p.ok("", "--store", "all", "get", root, "1", "--follow"), p.ok("", "get", root, "1", "--follow"))
}
