package kubo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// soon is how long a client may take to see that its node is dead.
const soon = 20 * time.Second

// dead checks the error of what met a dead node: one that names it, and is there
// soon.
func dead(t *testing.T, what string, url string, do func() error) {
	t.Helper()
	begun := time.Now()
	err := do()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	if strings.Count(err.Error(), url) != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %q does not name the node once", what, err)
	}
	if took := time.Since(begun); took > soon {
		t.Errorf("%s: that took %v", what, took)
	}
}

// TestKilledWhileBuilding kills the daemon in the middle of a build. The same
// build again finishes, and then the map is whole.
func TestKilledWhileBuilding(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	_, want := usual.inMemory(t, entries)
	c := root(t, want)
	// Small batches, so that some are there, some on their way, some to come.
	o := kubo.Options{BatchBlocks: 32, Remote: quick}
	for _, at := range []int64{1, 500, 1100} {
		s := open(t, node.API, o)
		var once sync.Once
		dead(t, "build", node.API, func() error {
			built, err := usual.tryBuild(t.Context(), s.LinkSystem(), entries, func(blocks int64) {
				if blocks >= at {
					once.Do(node.Kill)
				}
			})
			if err != nil {
				return err
			}
			return s.Publish(t.Context(), root(t, built))
		})
		dead(t, "publish afterwards", node.API, func() error { return s.Publish(t.Context(), c) })
		dead(t, "name afterwards", node.API, func() error { return s.SetName(t.Context(), "words", c) })
		node.Start()
	}

	s := open(t, node.API, o)
	if built := root(t, usual.into(t, s, entries)); !built.Equals(c) {
		t.Errorf("root %s, and in memory %s", built, c)
	}
	theySee(t, node, want)
	holds(t, load(t, s.LinkSystem(), c), entries)
}

// TestKilledAfterPublish: what was acknowledged is there after that.
func TestKilledAfterPublish(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	c := root(t, usual.into(t, open(t, node.API, kubo.Options{}), entries))
	node.Kill()
	node.Start()
	holds(t, load(t, open(t, node.API, kubo.Options{}).LinkSystem(), c), entries)
}

// TestKilledBetween kills the daemon when it has imported a batch, before it can
// say so, and when it has just said so. It comes back while the same build goes
// on, and the root that is published in the end is whole.
func TestKilledBetween(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	var api atomic.Value
	api.Store(node.API)
	died := make(chan bool, 1)
	var up atomic.Bool // the daemon, and it may be killed
	up.Store(true)
	var killed atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to, err := url.Parse(api.Load().(string))
			if err != nil {
				t.Error(err)
			}
			r.SetURL(to)
		},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasSuffix(r.Request.URL.Path, "/dag/import") || killed.Load() >= 4 {
				return nil
			}
			said, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Contains(said, []byte("BlockCount")) {
				return errors.New("cut off by the death of the daemon")
			}
			r.Body = io.NopCloser(bytes.NewReader(said))
			if !up.CompareAndSwap(true, false) { // several batches are on their way
				return nil
			}
			node.Kill()
			n := killed.Add(1)
			died <- true
			if n%2 == 1 {
				return errors.New("cut off by the death of the daemon")
			}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	defer proxy.Close()
	s := open(t, proxy.URL, kubo.Options{BatchBlocks: 200})
	published := make(chan error, 1)
	var c cid.Cid
	go func() {
		built, err := usual.tryBuild(t.Context(), s.LinkSystem(), entries, nil)
		if err == nil {
			link, linkErr := built.Link()
			c, err = cidOf(link), errors.Join(linkErr, s.Publish(t.Context(), cidOf(link)))
		}
		published <- err
	}()
	for over := false; !over; {
		select {
		case <-died:
			node.Start()
			api.Store(node.API)
			up.Store(true)
		case err := <-published:
			if err != nil {
				t.Fatal(err)
			}
			over = true
		}
	}
	if killed.Load() < 4 {
		t.Errorf("killed %d times", killed.Load())
	}
	_, want := usual.inMemory(t, entries)
	if !c.Equals(root(t, want)) {
		t.Errorf("root %s", c)
	}
	theySee(t, node, want)
}

// TestKilledWhileReading kills the daemon in the middle of an iteration.
func TestKilledWhileReading(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	c := root(t, usual.into(t, open(t, node.API, kubo.Options{}), entries))
	s := open(t, node.API, kubo.Options{Remote: quick})
	dead(t, "iteration", node.API, func() error {
		return count(t.Context(), load(t, s.LinkSystem(), c), func(n int) {
			if n == 1000 {
				node.Kill()
			}
		})
	})
	node.Start()
	holds(t, load(t, open(t, node.API, kubo.Options{}).LinkSystem(), c), entries)
}

// count visits all entries.
func count(ctx context.Context, node *adl.Node, visited func(n int)) error {
	n := 0
	for _, err := range node.Entries(ctx) {
		if err != nil {
			return err
		}
		n++
		visited(n)
	}
	return nil
}

// TestKilledWhileMoving kills the daemon before each of the requests that move a
// name. Whenever that is, neither map is lost to the garbage collection, and
// doing it again finishes it.
func TestKilledWhileMoving(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	var left atomic.Int64 // requests until the daemon is killed
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if left.Add(-1) == 0 {
				node.Kill()
			}
			api, err := url.Parse(node.API)
			if err != nil {
				t.Error(err)
			}
			r.SetURL(api)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	defer proxy.Close()
	s := open(t, proxy.URL, kubo.Options{Remote: remote.Options{Retries: -1}})
	size := 100
	from := root(t, usual.into(t, s, size))
	if err := s.SetName(t.Context(), "words", from); err != nil {
		t.Fatal(err)
	}
	for at := int64(1); ; at++ {
		to := root(t, usual.into(t, s, size+1))
		left.Store(at)
		if err := s.MoveName(t.Context(), "words", from, to); err == nil {
			t.Logf("a name is moved with %d requests", at-1)
			break
		}
		left.Store(0)
		node.Start()
		node.IPFS("repo", "gc", "--quiet")
		holds(t, load(t, s.LinkSystem(), from), size)

		// It was not pinned yet, perhaps: whoever does it again begins so.
		usual.into(t, s, size+1)
		if err := s.SetName(t.Context(), "words", to); err != nil {
			t.Fatalf("killed before request %d: %v", at, err)
		}
		has(t, s, "words", to)
		if name, pinned := pinList(node)[from.String()]; !pinned || name != "" {
			t.Errorf("killed before request %d: the old root: %v, %q", at, pinned, name)
		}
		from, size = to, size+1
	}
}
