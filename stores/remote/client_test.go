package remote

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// get asks once.
func get(ctx context.Context, c *Client, address string) (text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := c.HTTP().Do(request)
	if err != nil {
		return "", err
	}
	defer Discard(response.Body)
	if err := CheckStatus("the server", response); err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// ask is get in a client's Do.
func ask(t *testing.T, c *Client, address string) (text string, err error) {
	t.Helper()
	err = c.Do(t.Context(), "the server", func(ctx context.Context) error {
		text, err = get(ctx, c, address)
		return err
	})
	return text, err
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestFaultsOfANetwork meets the real errors of net/http.
func TestFaultsOfANetwork(t *testing.T) {
	hijack := func(w http.ResponseWriter) net.Conn {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
		}
		return connection
	}
	faults := map[string]func(w http.ResponseWriter, r *http.Request){
		"closes": func(w http.ResponseWriter, _ *http.Request) { _ = hijack(w).Close() },
		"resets": func(w http.ResponseWriter, _ *http.Request) {
			c := hijack(w)
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		},
		"cuts": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "ab")
		},
		"cuts chunks": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "ab")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"never answers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"never ends": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"is overloaded": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					fault(w, r)
					return
				}
				_, _ = io.WriteString(w, "well")
			})
			var warned atomic.Int32
			c := New(Options{Timeout: 200 * time.Millisecond, Warn: func(string) { warned.Add(1) }})
			defer c.Close()
			// net/http sends again by itself what found a dead connection, so
			// that there may be no error to see.
			if text, err := ask(t, c, s.URL); err != nil || text != "well" || asked.Load() != 2 {
				t.Errorf("%q, %v, asked %d times", text, err, asked.Load())
			}
			if warned.Load() != 1 {
				t.Errorf("warned %d times", warned.Load())
			}
		})
	}
}

func TestRefusedAndUnknown(t *testing.T) {
	s := serve(t, nil)
	s.Close()
	c := New(Options{Retries: -1})
	if _, err := ask(t, c, s.URL+"/path?secret=x"); Temporary(err) || !Nobody(err) || strings.Contains(err.Error(), "secret") ||
		!strings.Contains(err.Error(), "/path") {
		t.Errorf("refused: %v", err)
	}
	there := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := ask(t, c, there.URL); err != nil {
		t.Error(err)
	}
	if _, err := ask(t, c, s.URL); !Temporary(err) || Nobody(err) {
		t.Errorf("refused, after there was an answer: %v", err)
	}
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	if _, err := ask(t, c, secure.URL); err == nil || Temporary(err) {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := ask(t, c, strings.Replace(plain.URL, "http", "https", 1)); err == nil || Temporary(err) {
		t.Errorf("no TLS there: %v", err)
	}
}

// TestConnectionsAreKept wants as many connections as there are requests in
// flight, and not as there are requests, errors among them.
func TestConnectionsAreKept(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/absent" {
			http.Error(w, strings.Repeat("not here ", 1000), http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, "well")
	}))
	var opened atomic.Int32
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := New(Options{AtOnce: 8})
	for range 50 { // in between, all connections are idle
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() {
				path := "/"
				if n%3 == 0 {
					path = "/absent"
				}
				if _, err := ask(t, c, s.URL+path); (err != nil) != (n%3 == 0) {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	// A connection whose request was slow to be sent is not kept, so that a
	// busy machine opens some more.
	if n := opened.Load(); n > 2*8 {
		t.Errorf("%d connections", n)
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Now()
	for text, want := range map[string]time.Duration{
		"":                     0,
		"0":                    0,
		"17":                   17 * time.Second,
		"-3":                   0,
		"soon":                 0,
		"4294967295":           365 * 24 * time.Hour,
		"99999999999999999999": 365 * 24 * time.Hour,
		"1.5":                  0,
		now.Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
		now.Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
	} {
		if got := retryAfter(text, now); got > want || got < want-time.Second {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestCheckStatus(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/text":
			w.Header().Set("Retry-After", "7")
			http.Error(w, "  too\tmany\n\x1b[31m requests\xff", http.StatusTooManyRequests)
		case "/page":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		case "/long":
			http.Error(w, strings.Repeat("x", 5000), http.StatusTeapot)
		}
	})
	c := New(Options{Retries: -1})
	for path, want := range map[string]string{
		"/text": "the server: the server answered 429 Too Many Requests: too many [31m requests (ask again in 7s)",
		"/page": "the server: the server answered 502 Bad Gateway",
		"/long": "the server: the server answered 418 I'm a teapot: " + strings.Repeat("x", 200) + "…",
		"/good": "",
	} {
		_, err := ask(t, c, s.URL+path)
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestCredentialsStayAtHome follows a redirect to another origin and back.
func TestCredentialsStayAtHome(t *testing.T) {
	var heard sync.Map // of each server, the headers it got
	hear := func(name string, r *http.Request) {
		heard.Store(name+r.URL.Path, r.Header.Clone())
	}
	var home *httptest.Server
	stranger := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hear("stranger", r)
		http.Redirect(w, r, home.URL+"/back", http.StatusFound)
	})
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		hear("home", r)
		if r.URL.Path != "/back" {
			http.Redirect(w, r, stranger.URL+"/there?token=secret", http.StatusFound)
		}
	})
	credentials := &Credentials{}
	if err := errors.Join(credentials.Basic(parse(t, home.URL), "me", "pass"),
		credentials.Header(parse(t, home.URL), "X-Key", "key")); err != nil {
		t.Fatal(err)
	}
	c := New(Options{Credentials: credentials})
	if _, err := ask(t, c, home.URL+"/first"); err != nil {
		t.Fatal(err)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:pass"))
	for where, known := range map[string]bool{"home/first": true, "stranger/there": false, "home/back": true} {
		got, ok := heard.Load(where)
		if !ok {
			t.Fatalf("%s was not asked", where)
		}
		header := got.(http.Header)
		if (header.Get("Authorization") == basic) != known || (header.Get("X-Key") == "key") != known ||
			!known && (header.Get("Authorization") != "" || header.Get("X-Key") != "") {
			t.Errorf("%s got %v", where, header)
		}
		if header.Get("Referer") != "" {
			t.Errorf("%s knows where we come from", where)
		}
	}
}

// TestNoSecretInErrors wants neither credentials nor the queries of redirects
// in what is said.
func TestNoSecretInErrors(t *testing.T) {
	gone := serve(t, nil)
	gone.Close()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(gone.URL, "http://", "http://user:secret@", 1)+"/x?token=secret", http.StatusFound)
	})
	credentials := &Credentials{}
	if err := credentials.Bearer(parse(t, s.URL), "secret"); err != nil {
		t.Fatal(err)
	}
	var said []string
	c := New(Options{Retries: 1, Credentials: credentials, Warn: func(m string) { said = append(said, m) }})
	_, err := ask(t, c, s.URL)
	if text := fmt.Sprint(err, said); !strings.Contains(text, "/x") || strings.Contains(text, "secret") || len(said) != 1 {
		t.Error(text)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if text := fmt.Sprintf(verb, credentials); text != "credentials" {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

// TestSecretsThatComeBack wants credentials not to be shown though a server says
// them, in whatever it says.
func TestSecretsThatComeBack(t *testing.T) {
	s := serve(t, nil)
	credentials := &Credentials{}
	to := parse(t, s.URL)
	if err := errors.Join(credentials.Basic(to, "me", "pass word"), credentials.Header(to, "X-Key", "k3y-of-mine"),
		credentials.Bearer(parse(t, "http://x"), "t0ken"), credentials.Header(to, "X-Number", "1")); err != nil {
		t.Fatal(err)
	}
	var said []string
	c := New(Options{Retries: 1, Credentials: credentials, Warn: func(m string) { said = append(said, m) }})
	echo := "you sent " + base64.StdEncoding.EncodeToString([]byte("me:pass word")) + ", which is me:pass word or pass word, k3y-of-mine and t0ken"
	err := c.Retry(t.Context(), "1 thing", func(context.Context) error { return &StatusError{Source: "it", Code: 503, Excerpt: echo} })
	want := "503 Service Unavailable: you sent …, which is … or …, … and …"
	if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "1 thing: ") || !is[*StatusError](err) {
		t.Error(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], want) {
		t.Error(said)
	}
}

// TestEndlessHeaders wants an answer that does not come to its body to be given
// up.
func TestEndlessHeaders(t *testing.T) {
	var sent atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		_, err = io.WriteString(connection, "HTTP/1.1 200 OK\r\n")
		for n := 0; err == nil; n++ {
			var length int
			length, err = fmt.Fprintf(connection, "X-Header-%d: %s\r\n", n, strings.Repeat("x", 1000))
			sent.Add(int64(length))
		}
	})
	c := New(Options{Retries: -1, Timeout: time.Minute})
	if _, err := ask(t, c, s.URL); err == nil || !strings.Contains(err.Error(), "exceeded") || sent.Load() > 8<<20 { // with what the system holds
		t.Errorf("%v, after %d bytes", err, sent.Load())
	}
}

func TestRedirectedForEver(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "/", http.StatusFound)
	})
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "ftp://x/", http.StatusFound) })
	c := New(Options{})
	if _, err := ask(t, c, s.URL); err == nil || asked.Load() != 6 {
		t.Errorf("%d times, %v", asked.Load(), err)
	}
	if _, err := ask(t, c, elsewhere.URL); err == nil || !strings.Contains(err.Error(), "neither http nor https") {
		t.Errorf("%v", err)
	}
}
