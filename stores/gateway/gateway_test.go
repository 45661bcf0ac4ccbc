package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

func TestBlocks(t *testing.T) {
	b := newContent()
	c, empty := b.raw("here"), b.raw("")
	g := serve(t, honest(b))
	s := open(t, remote.Options{}, g)
	for _, c := range []cid.Cid{c, empty} {
		if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, b.block(c)) {
			t.Errorf("%q, %v", got, err)
		}
		if has, err := s.Has(t.Context(), c); err != nil || !has {
			t.Errorf("%v, %v", has, err)
		}
	}
	if root, ok := s.DefaultRoot(); ok {
		t.Errorf("default root %v", root)
	}
}

// TestLargestBlock wants the bound to be where it is said to be.
func TestLargestBlock(t *testing.T) {
	b := newContent()
	largest, larger := b.put(cid.Raw, make([]byte, stores.MaxBlockBytes)), b.put(cid.Raw, make([]byte, stores.MaxBlockBytes+1))
	s := open(t, once, serve(t, honest(b)))
	if got, err := s.Get(t.Context(), largest); err != nil || len(got) != stores.MaxBlockBytes {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := s.Get(t.Context(), larger); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("%v", err)
	}
}

// TestInlined wants nothing to be asked for that a CID holds.
func TestInlined(t *testing.T) {
	g := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	s := open(t, once, g)
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.IDENTITY}.Sum([]byte("within"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), c); err != nil || string(got) != "within" {
		t.Errorf("%q, %v", got, err)
	}
	if has, err := s.Has(t.Context(), c); err != nil || !has {
		t.Errorf("%v, %v", has, err)
	}
	if err := s.Tree(t.Context(), c, nil); !errors.Is(err, ErrNoCAR) {
		t.Errorf("%v", err)
	}
}

func TestBadURLs(t *testing.T) {
	for _, urls := range [][]string{nil, {"ftp://x"}, {"http://me:SECRET@x"}, {"http://x", "http://x?SECRET"}} {
		if _, err := Open(t.Context(), urls, Options{}); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%v: %v", urls, err)
		}
	}
}

// hangUp closes the connection of a request, with a reset.
func hangUp(w http.ResponseWriter) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = connection.(*net.TCPConn).SetLinger(0)
	_ = connection.Close()
}

// faults are gateways that do not give the block, each in its way: the error is
// what their word for it looks like.
var faults = map[string]struct {
	answer func(w http.ResponseWriter, r *http.Request, block []byte)
	is     func(err error) bool
}{
	"lies": {func(w http.ResponseWriter, _ *http.Request, block []byte) {
		_, _ = w.Write(bytes.ToUpper(block))
	}, wrongBytes},
	"lies with another block": {func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = io.WriteString(w, "another block")
	}, wrongBytes},
	"adds a byte": {func(w http.ResponseWriter, _ *http.Request, block []byte) {
		_, _ = w.Write(append(bytes.Clone(block), '!'))
	}, wrongBytes},
	"cuts one off": {func(w http.ResponseWriter, _ *http.Request, block []byte) {
		_, _ = w.Write(block[:len(block)-1])
	}, wrongBytes},
	"never ends": {func(w http.ResponseWriter, r *http.Request, block []byte) {
		for chunk := append(bytes.Clone(block), make([]byte, 1<<20)...); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, lasting},
	"promises much": {func(w http.ResponseWriter, _ *http.Request, block []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(int64(1)<<50))
		_, _ = w.Write(block)
	}, remote.Temporary},
	"shows a page": {func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>log in to this network</html>")
	}, wrongBytes},
	"has not got it":   {status(http.StatusNotFound), stores.IsNotFound},
	"had it":           {status(http.StatusGone), stores.IsNotFound},
	"must not give it": {status(http.StatusUnavailableForLegalReasons), stores.IsNotFound},
	"does not know us": {status(http.StatusUnauthorized), lasting},
	"does not like it": {status(http.StatusBadRequest), lasting},
	"is broken":        {status(http.StatusInternalServerError), remote.Temporary},
	"cannot reach it":  {status(http.StatusGatewayTimeout), remote.Temporary},
	"has too much to do": {func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}, remote.Temporary},
	"never answers": {func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }, remote.Temporary},
	"stops in the middle": {func(w http.ResponseWriter, r *http.Request, block []byte) {
		_, _ = w.Write(block[:2])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, remote.Temporary},
	"resets in the middle": {func(w http.ResponseWriter, _ *http.Request, block []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(block)))
		_, _ = w.Write(block[:2])
		w.(http.Flusher).Flush()
		hangUp(w)
	}, remote.Temporary},
	"resets": {func(w http.ResponseWriter, _ *http.Request, _ []byte) { hangUp(w) }, remote.Temporary},
}

func wrongBytes(err error) bool {
	return errors.Is(err, stores.ErrWrongBytes) && !remote.Temporary(err)
}
func lasting(err error) bool { return !remote.Temporary(err) && !stores.IsNotFound(err) }

func status(code int) func(w http.ResponseWriter, r *http.Request, block []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(code) }
}

// TestFaults wants of each faulty gateway an error that names it, and no bytes;
// and the block from the next one, if there is one that has it.
func TestFaults(t *testing.T) {
	b := newContent()
	c := b.raw("the block that is asked for")
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := serve(t, honest(b))
			bad := serve(t, with(b, fault.answer))
			o := remote.Options{Retries: -1, Timeout: 300 * time.Millisecond}
			if name == "never ends" {
				o.Timeout = time.Minute
			}
			got, err := open(t, o, bad).Get(t.Context(), c)
			if got != nil || !fault.is(err) || !strings.Contains(err.Error(), bad.URL) || !strings.Contains(err.Error(), c.String()) {
				t.Errorf("alone: %q, %v", got, err)
			}
			if strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("more than a line: %v", err)
			}
			s := open(t, o, bad, good)
			if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, b.block(c)) {
				t.Errorf("before a good one: %q, %v", got, err)
			}
			_, err = open(t, o, bad, bad).Get(t.Context(), c)
			if !fault.is(err) {
				t.Errorf("twice: %v", err)
			}
		})
	}
}

// TestRefusedConnection is a fault that no server can have.
func TestRefusedConnection(t *testing.T) {
	b := newContent()
	c := b.raw("x")
	gone, good := serve(t, nil), serve(t, honest(b))
	gone.Close()
	if _, err := open(t, once, gone).Get(t.Context(), c); !remote.Nobody(err) || !strings.Contains(err.Error(), gone.URL) {
		t.Errorf("%v", err)
	}
	if _, err := open(t, once, gone, good).Get(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// TestNotFound wants that only if all gateways said so.
func TestNotFound(t *testing.T) {
	b := newContent()
	c := newContent().raw("nowhere")
	first, second := serve(t, honest(b)), serve(t, honest(b))
	broken := serve(t, with(b, status(http.StatusInternalServerError)))
	s := open(t, once, first, second)
	_, err := s.Get(t.Context(), c)
	notFound := stores.NotFound{}
	if !errors.As(err, &notFound) || !notFound.CID.Equals(c) {
		t.Errorf("%v", err)
	}
	if want := fmt.Sprintf("block %s is not at gateway %s, nor at gateway %s", c, first.URL, second.URL); fmt.Sprint(err) != want {
		t.Errorf("%v", err)
	}
	if has, err := s.Has(t.Context(), c); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	unlike := serve(t, with(b, status(http.StatusBadRequest)))
	if _, err = open(t, once, first, unlike).Get(t.Context(), c); err == nil || stores.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	s = open(t, once, first, broken, second)
	if _, err = s.Get(t.Context(), c); err == nil || stores.IsNotFound(err) || !strings.Contains(err.Error(), "answered 500") {
		t.Errorf("%v", err)
	}
	if has, err := s.Has(t.Context(), c); has || err == nil {
		t.Errorf("%v, %v", has, err)
	}
}

// TestHasWithoutHEAD asks gateways that know GET only.
func TestHasWithoutHEAD(t *testing.T) {
	b := newContent()
	c := b.raw("x")
	for _, code := range []int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		g := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(code)
				return
			}
			honest(b)(w, r)
		})
		if has, err := open(t, once, g).Has(t.Context(), c); !has || err != nil {
			t.Errorf("%d: %v, %v", code, has, err)
		}
		if has, err := open(t, once, g).Has(t.Context(), newContent().raw("y")); has || err != nil {
			t.Errorf("%d: %v, %v", code, has, err)
		}
	}
}

// TestAskedAgain wants only those to be asked again that may have another
// answer then, all of them before there is a wait.
func TestAskedAgain(t *testing.T) {
	b := newContent()
	c := b.raw("x")
	absent := serve(t, with(b, status(http.StatusNotFound)))
	lying := serve(t, with(b, faults["lies"].answer))
	overloaded := serve(t, with(b, status(http.StatusServiceUnavailable)))
	var late *server
	late = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if late.asked.Load() == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		honest(b)(w, r)
	})
	var said warnings
	s := open(t, remote.Options{Warn: said.warn}, absent, lying, overloaded, late)
	if _, err := s.Get(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[*server]int32{absent: 1, lying: 1, overloaded: 2, late: 2} {
		if got := name.asked.Load(); got != want {
			t.Errorf("%s was asked %d times", name.URL, got)
		}
	}
	if len(said.said) != 2 || !strings.Contains(said.said[0], "asked last from now on") ||
		!strings.Contains(said.said[1], "trying again in") {
		t.Errorf("warned:\n%v", &said)
	}
}

// TestRetryAfter wants a gateway to be left alone until it wants to be asked,
// by everybody.
func TestRetryAfter(t *testing.T) {
	b := newContent()
	c, other := b.raw("x"), b.raw("y")
	for name, header := range map[string]func() string{
		"seconds": func() string { return "1" },
		"date":    func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var times []time.Time
			g := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				times = append(times, time.Now())
				first := len(times) == 1
				mu.Unlock()
				if first {
					w.Header().Set("Retry-After", header())
					w.WriteHeader(http.StatusTooManyRequests)
					return
				}
				honest(b)(w, r)
			})
			s := open(t, remote.Options{}, g)
			var all sync.WaitGroup
			all.Go(func() {
				if _, err := s.Get(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(200 * time.Millisecond)
			if _, err := s.Get(t.Context(), other); err != nil {
				t.Error(err)
			}
			all.Wait()
			for _, at := range times[1:] {
				if waited := at.Sub(times[0]); waited < 900*time.Millisecond {
					t.Errorf("asked again after %v", waited)
				}
			}
			if len(times) != 3 {
				t.Errorf("asked %d times", len(times))
			}
		})
	}
}

// TestRateLimit reads many blocks from a gateway that gives few at a time, with
// many requests in flight.
func TestRateLimit(t *testing.T) {
	b := newContent()
	var all []cid.Cid
	for n := range 60 {
		all = append(all, b.raw(fmt.Sprint("block ", n)))
	}
	var mu sync.Mutex
	var window time.Time
	var given int
	g := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if time.Since(window) > time.Second {
			window, given = time.Now(), 0
		}
		given++
		enough := given > 20
		mu.Unlock()
		if enough {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		honest(b)(w, r)
	})
	s := open(t, remote.Options{Retries: 1}, g)
	var readers sync.WaitGroup
	for _, c := range all {
		readers.Go(func() {
			if _, err := s.Get(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
}

// TestDeadOnesCostOnce wants a gateway that never answers to be waited for by
// those that asked first, and not by each one after them.
func TestDeadOnesCostOnce(t *testing.T) {
	b := newContent()
	dead := serve(t, with(b, faults["never answers"].answer))
	good := serve(t, honest(b))
	s := open(t, remote.Options{Timeout: 200 * time.Millisecond}, dead, good)
	begin := time.Now()
	for n := range 50 {
		if _, err := s.Get(t.Context(), b.raw(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 2*time.Second || dead.asked.Load() > 3 {
		t.Errorf("took %v, asked %d times", took, dead.asked.Load())
	}
}

// TestRecovery wants a gateway that failed to be the first again some time
// after it does well, found out by one request at a time.
func TestRecovery(t *testing.T) {
	b := newContent()
	c := b.raw("x")
	var well atomic.Bool
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		honest(b)(w, r)
	})
	second := serve(t, honest(b))
	s := open(t, once, first, second)
	get := func(n int) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				if _, err := s.Get(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	get(1)
	time.Sleep(firstRest + 100*time.Millisecond)
	get(20)
	if n := first.asked.Load(); n != 2 {
		t.Errorf("a gateway that does not recover was asked %d times", n)
	}
	well.Store(true)
	time.Sleep(2*firstRest + 100*time.Millisecond)
	get(1)
	before := second.asked.Load()
	get(20)
	if second.asked.Load() != before {
		t.Error("a gateway that does well again is not the first")
	}
}

// TestLiarsAreLast wants a gateway that lied to be asked last, and to be warned
// of once.
func TestLiarsAreLast(t *testing.T) {
	b := newContent()
	lying, good := serve(t, with(b, faults["lies"].answer)), serve(t, honest(b))
	var said warnings
	s := open(t, remote.Options{Warn: said.warn}, lying, good)
	for n := range 10 {
		if _, err := s.Get(t.Context(), b.raw(fmt.Sprint("x", n))); err != nil {
			t.Fatal(err)
		}
	}
	if n := lying.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if len(said.said) != 1 || !strings.Contains(said.said[0], lying.URL) || !strings.Contains(said.said[0], "wrong bytes") {
		t.Errorf("warned:\n%v", &said)
	}
	// It may still have what the other one has not.
	absent := newContent().raw("y")
	if _, err := s.Get(t.Context(), absent); err == nil || lying.asked.Load() != 2 {
		t.Errorf("asked %d times, %v", lying.asked.Load(), err)
	}
}

// TestDies is a gateway that is there for some requests.
func TestDies(t *testing.T) {
	b := newContent()
	var first *server
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if first.asked.Load() > 5 {
			hangUp(w)
			return
		}
		honest(b)(w, r)
	})
	second := serve(t, honest(b))
	s := open(t, once, first, second)
	for n := range 20 {
		if _, err := s.Get(t.Context(), b.raw(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
	if n := second.asked.Load(); n != 15 {
		t.Errorf("the second gateway was asked %d times", n)
	}
}

// TestEndOfTheCaller wants a context to end all, and to be told from a gateway
// that fails.
func TestEndOfTheCaller(t *testing.T) {
	b := newContent()
	c := b.raw("x")
	slow := serve(t, with(b, faults["never answers"].answer))
	s := open(t, remote.Options{}, slow, serve(t, with(b, faults["never answers"].answer)))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if s.sources[0].health.failures != 0 {
		t.Error("the gateway is blamed for it")
	}
}

// TestRedirected wants credentials to stay at their gateway.
func TestRedirected(t *testing.T) {
	b := newContent()
	c := b.raw("x")
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another host got the credentials")
		}
		honest(b)(w, r)
	})
	g := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			t.Error("no credentials")
		}
		http.Redirect(w, r, elsewhere.URL+r.URL.Path+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
	})
	to, err := remote.ParseURL(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	credentials := &remote.Credentials{}
	if err := credentials.Bearer(to, "token"); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, remote.Options{Credentials: credentials}, g).Get(t.Context(), c); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestConnectionsAreKept wants as many connections as requests in flight, also
// where a gateway answers with errors, pages, and too much.
func TestConnectionsAreKept(t *testing.T) {
	b := newContent()
	var all []cid.Cid
	for n := range 600 {
		all = append(all, b.raw(fmt.Sprint("block ", n)))
	}
	var turn atomic.Int32
	g := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch turn.Add(1) % 4 {
		case 0:
			http.Error(w, strings.Repeat("overloaded ", 1000), http.StatusNotFound)
		case 1:
			_, _ = io.WriteString(w, strings.Repeat("<p>", 10000))
		default:
			honest(b)(w, r)
		}
	})
	s := open(t, remote.Options{AtOnce: 8}, g)
	var readers sync.WaitGroup
	for _, c := range all {
		readers.Go(func() {
			got, err := s.Get(t.Context(), c)
			if err == nil && !bytes.Equal(got, b.block(c)) {
				t.Errorf("%s is %q", c, got)
			}
		})
	}
	readers.Wait()
	// A connection whose request was slow to be sent is not kept, so that a
	// busy machine opens some more.
	if opened, most := g.opened.Load(), g.most.Load(); opened > 2*8 || most > 8 {
		t.Errorf("%d connections, %d requests at once", opened, most)
	}
}
