package main_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	boxo "github.com/ipfs/boxo/gateway"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2/blockstore"
)

// answer may answer in a gateway's place, and says whether it did. n counts the
// requests.
type answer func(w http.ResponseWriter, r *http.Request, n int64) bool

// gateway is a trustless gateway, that of boxo and Kubo, that has the blocks of a
// CAR.
type gateway struct {
	url    string
	delay  atomic.Int64           // of each answer, in nanoseconds
	answer atomic.Pointer[answer] // what comes before its own, if anything does
	trees  atomic.Bool            // it gives CARs, too
	drip   atomic.Int64           // a pause before each piece of an answer, in nanoseconds

	requests, flying, most, bytes atomic.Int64
	mu                            sync.Mutex
	asked                         map[cid.Cid]int // for single blocks
}

// answers lets something else answer first; nil for nothing.
func (g *gateway) answers(a answer) {
	if a == nil {
		g.answer.Store(nil)
		return
	}
	g.answer.Store(&a)
}

// serve starts a gateway with the blocks of a map in the place's store, and what
// its values link to.
func (p place) serve(root string) *gateway {
	p.t.Helper()
	p.ok("", "export", root, "--values", "-o", "served.car")
	file, err := blockstore.OpenReadOnly(filepath.Join(p.dir, "served.car"))
	if err != nil {
		p.t.Fatal(err)
	}
	backend, err := boxo.NewBlocksBackend(blockservice.New(file, offline.Exchange(file)))
	if err != nil {
		p.t.Fatal(err)
	}
	honest := boxo.NewHandler(boxo.Config{}, backend)
	g := &gateway{asked: map[cid.Cid]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.flies(g.flying.Add(1))
		defer g.flying.Add(-1)
		n := g.requests.Add(1)
		time.Sleep(time.Duration(g.delay.Load()))
		if other := g.answer.Load(); other != nil && (*other)(w, r, n) {
			return
		}
		if r.URL.Query().Get("format") == "raw" {
			c, err := cid.Decode(strings.TrimPrefix(r.URL.Path, "/ipfs/"))
			if err != nil {
				p.t.Error(err)
			}
			g.mu.Lock()
			g.asked[c]++
			g.mu.Unlock()
		} else if !g.trees.Load() {
			http.Error(w, "raw blocks alone", http.StatusBadRequest)
			return
		}
		honest.ServeHTTP(weighed{w, g}, r)
	}))
	p.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := file.Close(); err != nil {
			p.t.Error(err)
		}
	})
	g.url = server.URL
	return g
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
func (g *gateway) counted() map[cid.Cid]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.asked)
}

// forget gives the number of requests since the last time.
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
	g.forget()
	p.same("get", p.ok("", "--store", "gateway:"+g.url, "get", root, "precip/3.21"), "3021\n")
	if n := g.forget(); n > 4 {
		t.Errorf("a lookup took %d requests", n)
	}
	p.fails(3, "is not at gateway", "", "--store", "gateway:"+g.url, "len", "bafyreic74j6pwbk7ne3d4oepwbzwi54odydl6xfo57nvajns3vmoa76pty")
	for _, args := range [][]string{{"build"}, {"set", root, "x", "1"}, {"import", "served.car"}} {
		p.fails(2, "read-only", "", append([]string{"--store", "gateway:" + g.url}, args...)...)
	}
	p.fails(2, "no names", "", "--store", "gateway:"+g.url, "names")
}

// TestCache: what is in the cache is not asked for again, and works without the
// gateway; wrong bytes never enter it.
func TestCache(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(2000), "build", "--bit-width", "5")
	g := p.serve(root)
	store := []string{"--store", "gateway:" + g.url, "--cache", "cache"}
	// Of the wrong bytes the second try is right.
	var lied sync.Map
	g.answers(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		if _, again := lied.LoadOrStore(r.URL.Path, true); again {
			return false
		}
		_, _ = w.Write([]byte("wrong"))
		return true
	})
	p.failsWithWarnings(3, "wrong bytes", append(store, "--retries", "0", "len", root)...)
	g.answers(nil)
	want := p.ok("", "entries", root)
	p.same("first", p.ok("", append(store, "entries", root)...), want)
	g.forget()
	g.answers(func(w http.ResponseWriter, _ *http.Request, _ int64) bool {
		http.Error(w, "gone", http.StatusServiceUnavailable)
		return true
	})
	p.same("from the cache", p.ok("", append(store, "entries", root)...), want)
	if n := g.forget(); n != 0 {
		t.Errorf("%d requests", n)
	}
	p.fails(3, "503", "", "--store", "gateway:"+g.url, "--retries", "0", "entries", root)
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

// TestCredentials: they reach whom they are for, and nobody else.
func TestCredentials(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(100), "build")
	g := p.serve(root)
	var seen sync.Map
	g.answers(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		auth := r.Header.Get("Authorization")
		seen.Store(auth, true)
		if auth == "" {
			http.Error(w, "who are you", http.StatusUnauthorized)
		}
		return auth == ""
	})
	file := filepath.Join(p.dir, "credentials")
	if err := os.WriteFile(file, fmt.Appendf(nil, "# mine\n%s bearer s3cret\nhttp://example.org basic me:s3cret2\n", g.url), 0o600); err != nil {
		t.Fatal(err)
	}
	store := []string{"--store", "gateway:" + g.url, "--retries", "0"}
	p.fails(3, "401", "", append(store, "len", root)...)
	p.same("with credentials", p.ok("", append(store, "--credentials", "credentials", "len", root)...), "100\n")
	if _, ok := seen.Load("Bearer s3cret"); !ok {
		t.Error("they were not sent")
	}
	g.answers(func(w http.ResponseWriter, r *http.Request, _ int64) bool {
		http.Error(w, "you said "+r.Header.Get("Authorization"), http.StatusForbidden)
		return true
	})
	if r := p.run("", append(store, "--credentials", "credentials", "len", root)...); r.status != 3 || strings.Contains(r.err, "s3cret") {
		t.Errorf("status %d, %s", r.status, r.err)
	}
	p.fails(2, "has credentials in it", "", "--store", "gateway:http://me:s3cret@example.org", "len", root)
	for _, store := range []string{
		"gateway:http://me:s3cret@example.org", "gateway:http://example.org,http://example.org?token=s3cret", "kubo:https://s3cret@[::1",
		"kubo:me:s3cret@example.org:5001", "kubo:me:s3cret@x://example.org", "http://me:s3cret@example.org",
	} {
		for _, args := range [][]string{{"len", root}, {"build"}, {"names"}, {"copy", root, "--to", "x"}, {"copy", root, "--from", ".hamt", "--to", store}, {"--help"}, {"build", "--help"}} {
			c := p.command(t.Context(), args...)
			c.Env = append(c.Env, "HAMT_STORE="+store)
			out, err := c.CombinedOutput()
			if strings.Contains(string(out), "s3cret") || (err == nil) != (args[len(args)-1] == "--help") {
				t.Errorf("HAMT_STORE=%s hamt %q: %v, %s", store, args, err, out)
			}
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	p.fails(2, "credentials", "", append(store, "--credentials", "credentials", "len", root)...)
	p.fails(2, "absent", "", append(store, "--credentials", "absent", "len", root)...)
}

// TestCopy: between all kinds of stores, what is missing and no more.
func TestCopy(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(3000), "build", "--bit-width", "5", "--name", "state")
	blocks := p.blocks(root)
	g := p.serve(root)
	copied := func(moved int, args ...string) {
		t.Helper()
		r := p.run("", append([]string{"copy"}, args...)...)
		if says := fmt.Sprintf("%d of %d blocks copied", moved, blocks); r.status != 0 || r.out != root+"\n" || !strings.Contains(r.err, says) {
			t.Errorf("copy %q: status %d, %q, %q, want %q", args, r.status, r.out, r.err, says)
		}
	}
	copied(blocks, "state", "--to", "other", "--name", "copy")
	p.same("the name", p.ok("", "--store", "other", "names"), "copy\t"+root+"\n")
	p.same("the copy", p.ok("", "--store", "other", "entries", "copy"), p.ok("", "entries", "state"))
	copied(0, "state", "--to", "other")
	copied(blocks, root, "--from", "gateway:"+g.url, "--to", "third")
	g.forget()
	copied(0, root, "--from", "gateway:"+g.url, "--to", "third")
	if n := g.forget(); n != 0 {
		t.Errorf("%d requests for nothing", n)
	}
	copied(blocks, "state", "--to", "copy.car")
	copied(blocks, "--from", "copy.car", "--to", "fourth")

	// A gateway that dies in the middle: what came is there, and the next copy
	// goes on.
	const most = 150
	g.answers(func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		if n > most {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	p.failsWithWarnings(3, strings.TrimPrefix(g.url, "http://"), "copy", root, "--from", "gateway:"+g.url, "--to", "fifth", "--retries", "0")
	g.answers(nil)
	g.forget()
	r := p.run("", "copy", root, "--from", "gateway:"+g.url, "--to", "fifth")
	if n := int(g.forget()); r.status != 0 || n >= blocks || n < blocks-most {
		t.Errorf("the copy went on with %d requests for %d blocks, %d of them there: %v", n, blocks, most, r)
	}
	p.same("verify", p.ok("", "--store", "fifth", "verify", root), "")

	p.fails(2, "--to", "", "copy", root)
	p.fails(2, "same", "", "copy", root, "--to", ".hamt")
	p.fails(2, "read-only", "", "copy", root, "--to", "gateway:"+g.url)
	p.fails(2, "--pin is for Kubo", "", "copy", root, "--to", "other", "--pin")
	p.fails(2, "--pin", "", "copy", root, "--to", "kubo:", "--name", "x")
	p.fails(2, "a CAR has no names", "", "copy", root, "--to", "x.car", "--name", "x")
	p.fails(2, "kubo:URL or gateway:URL", "", "--store", "http://127.0.0.1:5001", "names")
	p.fails(2, "--timeout", "", "--timeout", "0", "--store", "gateway:"+g.url, "len", root)
}

// TestCopyTrees: from a gateway that gives CARs a new store gets a map in few
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
	p.fails(3, "is not in the store", "", "--store", "alone", "get", root, "1", "--follow")
	copied("all", 2, root, "--values")
	p.same("a value", p.ok("", "--store", "all", "get", root, "1", "--follow"), p.ok("", "get", root, "1", "--follow"))
}

// TestBuildIntoCAR: the CAR has the map, whatever was there is replaced when it
// is whole, and a failure leaves it alone.
func TestBuildIntoCAR(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(3000), "build", "--bit-width", "5")
	p.same("root", p.root(lines(3000), "--store", "car:out.car", "build", "--bit-width", "5"), root)
	p.same("entries", p.ok("", "--store", "out.car", "entries"), p.ok("", "entries", root))
	p.same("verify", p.ok("", "--store", "out.car", "verify"), "")
	p.same("import", p.root("", "--store", "imported", "import", "out.car"), root)
	before := p.read("out.car")
	p.fails(2, "stdin:2", `{"key":"a","value":1}`+"\nnonsense", "--store", "car:out.car", "build")
	p.same("after a failure", p.read("out.car"), before)
	p.root(people, "--store", "out.car", "build")
	p.same("replaced", p.ok("", "--store", "out.car", "get", "Alice"), "1\n")
	if entries, err := filepath.Glob(filepath.Join(p.dir, ".out.car*")); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
