package kubo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

func TestAddress(t *testing.T) {
	repository := t.TempDir()
	t.Setenv("IPFS_PATH", repository)
	refused := ""
	for _, c := range []struct{ address, want string }{
		{"", "http://127.0.0.1:5001"},
		{"http://127.0.0.1:5001/", "http://127.0.0.1:5001"},
		{"https://node.example/kubo", "https://node.example/kubo"},
		{"/ip4/127.0.0.1/tcp/5001", "http://127.0.0.1:5001"},
		{"/ip6/::1/tcp/5001", "http://[::1]:5001"},
		{"/dns/node.example/tcp/443/https", "https://node.example:443"},
		{"/dns4/node.example/tcp/443/tls/http", "https://node.example:443"},
		{"/unix/run/kubo.sock", refused},
		{"/ip4/127.0.0.1/udp/5001", refused},
		{"/ip4/127.0.0.1", refused},
		{"/nonsense", refused},
		{"http://user:sesame@127.0.0.1:5001", refused},
		{"127.0.0.1:5001", refused},
		{"ftp://127.0.0.1", refused},
	} {
		at, err := parseAddress(c.address)
		switch {
		case c.want == refused:
			if err == nil || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%q: %v, %v", c.address, at, err)
			}
		case err != nil || at.String() != c.want:
			t.Errorf("%q: %v, %v, want %s", c.address, at, err, c.want)
		}
	}

	file := filepath.Join(repository, "api")
	for _, c := range []struct{ text, want string }{
		{"/ip4/127.0.0.1/tcp/41234\n", "http://127.0.0.1:41234"},
		{"rubbish", refused},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if at, err := parseAddress(""); (err == nil) != (c.want != refused) || err == nil && at.String() != c.want {
			t.Errorf("the file %q: %v, %v", c.text, at, err)
		}
	}
}

// TestRepositoryPath: ~ is the home directory, as it is for Kubo.
func TestRepositoryPath(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for path, want := range map[string]string{
		"":            filepath.Join(home, ".ipfs"),
		"~":           home,
		"~/node":      filepath.Join(home, "node"),
		"/data/node~": "/data/node~",
		"~other/node": "",
	} {
		t.Setenv("IPFS_PATH", path)
		if got, err := repositoryPath(); got != want || (err == nil) != (want != "") {
			t.Errorf("IPFS_PATH=%q: %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestGet(t *testing.T) {
	f := newFakeNode(t)
	s := openFake(t, f, Options{})
	here, absent := testBlock(t, 1), testBlock(t, 2)
	f.blocks[here.CID.String()] = here.Data
	if got, err := s.LinkSystem().LoadRaw(linking.LinkContext{}, cidlink.Link{Cid: here.CID}); err != nil || !bytes.Equal(got, here.Data) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.Get(t.Context(), absent.CID); !errors.Is(err, stores.NotFound{CID: absent.CID}) {
		t.Errorf("%v", err)
	}
	for c, want := range map[cid.Cid]bool{here.CID: true, absent.CID: false} {
		if has, err := s.Has(t.Context(), c); has != want || err != nil {
			t.Errorf("%v, %v", has, err)
		}
	}
	inline, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.IDENTITY}.Sum([]byte("here"))
	if err != nil {
		t.Fatal(err)
	}
	asked := f.times("block/get") + f.times("block/stat")
	if got, err := s.Get(t.Context(), inline); err != nil || string(got) != "here" {
		t.Errorf("%q, %v", got, err)
	}
	if has, err := s.Has(t.Context(), inline); !has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	if err := s.Put(t.Context(), inline, []byte("here")); err != nil || len(s.waiting) > 0 {
		t.Error(err)
	}
	if n := f.times("block/get") + f.times("block/stat"); n != asked {
		t.Errorf("the node was asked for what the CID holds")
	}
}

// TestBadAnswers: whatever stands behind the address, there is one error that
// names it, and nothing is printed.
func TestBadAnswers(t *testing.T) {
	c := testBlock(t, 1).CID
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
		asked  int
	}{
		{"wrong bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("wrong")) }, "wrong bytes", 1},
		{"without end", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, endless{}) }, "more than", 1},
		{"not a node", http.NotFound, "404", 1},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>"))
		}, "502", 2},
		{"JSON of somebody else", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"error":"overloaded"}`))
		}, "500", 2},
		{"broken JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"error`))
		}, "500", 2},
		{"odd type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "odd/type; ;")
			w.WriteHeader(http.StatusTeapot)
		}, "418", 1},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "302", 1},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("0000"))
			panic(http.ErrAbortHandler)
		}, "", 2},
		{"silence", nil, "no answer within", 2},
		{"the node's own error", func(w http.ResponseWriter, _ *http.Request) { say(w, "something is broken") }, "something is broken", 1},
		{"a search in vain", func(w http.ResponseWriter, _ *http.Request) { say(w, "context deadline exceeded") }, "nor a peer of it", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeNode(t)
			f.before = func(_ string, w http.ResponseWriter, r *http.Request) bool {
				if test.answer == nil {
					<-f.over
				} else {
					test.answer(w, r)
				}
				return true
			}
			timeout := 10 * time.Second
			if test.answer == nil {
				timeout = 300 * time.Millisecond
			}
			s := openFake(t, f, Options{Remote: remote.Options{Retries: 1, Timeout: timeout}})
			if printed := stderrOf(t, func() {
				_, err := s.Get(t.Context(), c)
				if err == nil || strings.Count(err.Error(), f.URL) != 1 || !strings.Contains(err.Error(), c.String()) ||
					!strings.Contains(err.Error(), test.want) || stores.IsNotFound(err) {
					t.Errorf("%v", err)
				}
			}); printed != "" {
				t.Errorf("printed %q", printed)
			}
			if n := f.times("block/get"); n != test.asked {
				t.Errorf("asked %d times, not %d", n, test.asked)
			}
		})
	}
}

// TestHasIsCertain: an answer that is not about the block does not mean that the
// node has it.
func TestHasIsCertain(t *testing.T) {
	c := testBlock(t, 1).CID
	for _, answer := range []string{"", "{}", `{"Key":"` + testBlock(t, 2).CID.String() + `"}`, "<html>"} {
		f := newFakeNode(t)
		f.before = func(_ string, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
			return true
		}
		s := openFake(t, f, Options{})
		if has, err := s.Has(t.Context(), c); has || err == nil || !strings.Contains(err.Error(), f.URL) {
			t.Errorf("%q: %v, %v", answer, has, err)
		}
		if err := s.Publish(t.Context(), c); err == nil {
			t.Errorf("%q: published", answer)
		}
	}
}

// endless is zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// stderrOf is what is printed to stderr meanwhile.
func stderrOf(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()
	do()
	printed, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	return string(printed)
}

// TestNamesOnce: an answer that was cut off is asked for again, and not added to.
func TestNamesOnce(t *testing.T) {
	f := newFakeNode(t)
	first, second := testBlock(t, 1).CID, testBlock(t, 2).CID
	f.before = func(command string, w http.ResponseWriter, _ *http.Request) bool {
		if command != "pin/ls" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"Cid":%q,"Type":"recursive","Name":"b"}`+"\n", first)
		if f.times("pin/ls") == 1 {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, `{"Cid":%q,"Type":"recursive","Name":"a"}`+"\n", second)
		fmt.Fprintf(w, `{"Cid":%q,"Type":"recursive"}`+"\n", second)
		return true
	}
	s := openFake(t, f, Options{})
	var got []stores.Name
	for name, err := range s.Names(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	if want := fmt.Sprintf("[{a %s} {b %s}]", second, first); fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if root, found, err := s.Lookup(t.Context(), "b"); err != nil || !found || !root.Equals(first) {
		t.Errorf("%s, %v, %v", root, found, err)
	}
	for _, move := range []struct{ from, to cid.Cid }{{cid.Undef, second}, {second, cid.Undef}, {second, second}} {
		f.blocks[second.String()] = testBlock(t, 2).Data
		if err := s.MoveName(t.Context(), "b", move.from, move.to); !errors.Is(err, stores.ErrMoved) {
			t.Errorf("from %s to %s: %v", move.from, move.to, err)
		}
	}
	for _, name := range []string{"", "B", "bb"} {
		if root, found, err := s.Lookup(t.Context(), name); err != nil || found {
			t.Errorf("%q: %s, %v", name, root, err)
		}
	}
}

// TestPinOfAbsent: a node that is offline says at once what a pin lacks.
func TestPinOfAbsent(t *testing.T) {
	f := newFakeNode(t)
	f.before = func(command string, w http.ResponseWriter, r *http.Request) bool {
		switch command {
		case "pin/ls":
			if r.FormValue("arg") != "" {
				say(w, "path 'x' is not pinned")
			} else {
				w.Header().Set("Content-Type", "application/json")
			}
		case "pin/add":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Trailer", "X-Stream-Error")
			_, _ = io.WriteString(w, `{"Progress":3,"Bytes":300}`+"\n")
			w.Header().Set("X-Stream-Error", "pin: ipld: could not find bafy")
		default:
			return false
		}
		return true
	}
	s := openFake(t, f, Options{})
	root := testBlock(t, 1)
	f.blocks[root.CID.String()] = root.Data
	err := s.SetName(t.Context(), "words", root.CID)
	if err == nil || !strings.Contains(err.Error(), "values link to") || !strings.Contains(err.Error(), "after 3 blocks") || !strings.Contains(err.Error(), f.URL) {
		t.Errorf("%v", err)
	}
	if n := f.times("pin/add"); n != 1 {
		t.Errorf("pinned %d times", n)
	}
}

// TestNobodyThere: a node that does not run is told of at once, with what to look at.
func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	var warned []string
	s, err := Open(t.Context(), server.URL, Options{Remote: remote.Options{Warn: func(m string) { warned = append(warned, m) }}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, _, err = s.Lookup(t.Context(), "name")
	if err == nil || !strings.Contains(err.Error(), "is `ipfs daemon` running?") || !remote.Nobody(err) || len(warned) > 0 {
		t.Errorf("%v, after %q", err, warned)
	}
}
