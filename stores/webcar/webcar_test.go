package webcar

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// server is a web server with one file, which may misbehave.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	file     []byte
	etag     string
	whole    bool // it gives no parts
	behave   func(w http.ResponseWriter, r *http.Request) (done bool)
	requests atomic.Int64
	sent     atomic.Int64
}

func serve(t *testing.T, file []byte) *server {
	s := &server{file: file, etag: `"one"`}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.behave != nil && s.behave(w, r) {
			return
		}
		w.Header().Set("Etag", s.etag)
		if s.whole {
			r.Header.Del("Range")
		}
		http.ServeContent(counted{w, &s.sent}, r, "x.car", time.Time{}, bytes.NewReader(s.file))
	}))
	t.Cleanup(s.Close)
	return s
}

type counted struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.sent.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// someBlocks returns blocks of various lengths.
func someBlocks(n int) map[cid.Cid][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	blocks := map[cid.Cid][]byte{}
	for i := range n {
		block := make([]byte, 1+random.IntN(3000))
		if i%500 == 0 {
			block = make([]byte, 300_000)
		}
		for j := range block {
			block[j] = byte(random.Uint32())
		}
		c, err := cid.Prefix{Version: 1, Codec: cid.Raw, MhType: multihash.SHA2_256, MhLength: -1}.Sum(block)
		if err != nil {
			panic(err)
		}
		blocks[c] = block
	}
	return blocks
}

// sorted returns the CIDs of blocks, in an order that is always the same.
func sorted(blocks map[cid.Cid][]byte) []cid.Cid {
	return slices.SortedFunc(maps.Keys(blocks), func(a, b cid.Cid) int { return strings.Compare(a.KeyString(), b.KeyString()) })
}

func packOf(t *testing.T, blocks map[cid.Cid][]byte) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "pack.car"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := pack.NewWriter(file, 1)
	order := sorted(blocks)
	for _, c := range order {
		if _, err := w.Write(pack.AppendSection(nil, c, blocks[c])); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(order[0]); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func carOf(t *testing.T, blocks map[cid.Cid][]byte) []byte {
	t.Helper()
	var text bytes.Buffer
	order := sorted(blocks)
	w, err := carfile.NewWriter(&text, order[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range order {
		if err := w.Put(t.Context(), c, blocks[c]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func open(t *testing.T, s *server, o remote.Options) stores.Rooted {
	t.Helper()
	opened, err := Open(t.Context(), s.URL+"/x.car", Options{Remote: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}

// noTemporaries checks in the end that no temporary file is left.
func noTemporaries(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}

// TestGet: all blocks of all kinds of CARs are there, from all kinds of servers, also for
// many who ask at the same time.
func TestGet(t *testing.T) {
	blocks := someBlocks(2000)
	order := sorted(blocks)
	for name, file := range map[string][]byte{"pack": packOf(t, blocks), "car": carOf(t, blocks)} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", whole ", whole), func(t *testing.T) {
				noTemporaries(t)
				server := serve(t, file)
				server.whole = whole
				s := open(t, server, remote.Options{})
				if root, ok := s.DefaultRoot(); !ok || !root.Equals(order[0]) || len(s.Roots()) != 1 {
					t.Errorf("root %v, %v", root, s.Roots())
				}
				var all sync.WaitGroup
				for i := range 8 {
					all.Go(func() {
						for j := range 300 {
							c := order[(j*(2*i+1)+i*100)%len(order)]
							if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, blocks[c]) {
								t.Errorf("%s: %d bytes, %v", c, len(got), err)
								return
							}
						}
					})
				}
				all.Wait()
				for _, c := range append(sorted(someBlocks(2001))[:100], extra(blocks)) {
					has, err := s.Has(t.Context(), c)
					if _, there := blocks[c]; has != there || err != nil {
						t.Errorf("%s: has %v, %v", c, has, err)
					}
					if _, there := blocks[c]; !there {
						if _, err := s.Get(t.Context(), c); !stores.IsNotFound(err) {
							t.Errorf("%s: %v", c, err)
						}
					}
				}
			})
		}
	}
}

// extra returns the CID of a block that is not among some.
func extra(blocks map[cid.Cid][]byte) cid.Cid {
	for c := range someBlocks(len(blocks) + 1) {
		if blocks[c] == nil {
			return c
		}
	}
	panic("there is none")
}

// TestRequests: of a pack, a block costs few requests, and blocks that are asked for in
// their order cost one for many.
func TestRequests(t *testing.T) {
	blocks := someBlocks(20_000)
	server := serve(t, packOf(t, blocks))
	order := sorted(blocks)
	s := open(t, server, remote.Options{})
	opening := server.requests.Swap(0)
	for _, at := range []int{7001, 12_345, 19_999} {
		if _, err := s.Get(t.Context(), order[at]); err != nil {
			t.Fatal(err)
		}
		if n := server.requests.Swap(0); n > 2 {
			t.Errorf("%d requests for a block", n)
		}
	}
	sent := server.sent.Load()
	if opening > 4 || sent > 2<<20 {
		t.Errorf("%d requests for opening, %d bytes in all", opening, sent)
	}
	for _, c := range order[1000:6000] { // of 1.5 KiB each on average
		if _, err := s.Get(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.requests.Load(); n > 5000*1600/pieceBytes*2 {
		t.Errorf("%d requests for 5000 blocks one behind the other", n)
	}
}

func TestBase(t *testing.T) {
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		var file bytes.Buffer
		w, err := carfile.NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		for c, block := range blocks {
			if err := w.Put(t.Context(), c, block); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		return open(t, serve(t, file.Bytes()), remote.Options{})
	})
}

// TestBroken: a connection that breaks is made again, and what was fetched is not fetched
// again.
func TestBroken(t *testing.T) {
	blocks := someBlocks(3000)
	order := sorted(blocks)
	for name, file := range map[string][]byte{"pack": packOf(t, blocks), "car": carOf(t, blocks)} {
		t.Run(name, func(t *testing.T) {
			noTemporaries(t)
			server := serve(t, file)
			n := 0
			server.behave = func(w http.ResponseWriter, r *http.Request) bool {
				if n++; n%2 == 1 && n < 6 {
					return false
				}
				if n < 6 {
					// Of what is asked for, a part comes.
					cut := &cutting{ResponseWriter: w, left: 1 << 20}
					if name == "pack" {
						cut.left = 1000
					}
					w.Header().Set("Etag", server.etag)
					http.ServeContent(cut, r, "x.car", time.Time{}, bytes.NewReader(file))
					panic(http.ErrAbortHandler)
				}
				return false
			}
			s := open(t, server, remote.Options{})
			for _, c := range []cid.Cid{order[1], order[1500], order[2999]} {
				if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, blocks[c]) {
					t.Errorf("%s: %v", c, err)
				}
			}
			if name == "car" && server.sent.Load() > int64(len(file))*5/4 {
				t.Errorf("%d bytes were sent of a file of %d", server.sent.Load(), len(file))
			}
		})
	}
}

// cutting lets so many bytes through.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrShortWrite
	}
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	c.left -= n
	c.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

// TestFaults: whatever a server gives, it is an error that says so, at once, and never
// another block.
func TestFaults(t *testing.T) {
	blocks := someBlocks(3000)
	order := sorted(blocks)
	file := packOf(t, blocks)
	for _, c := range []struct {
		name  string
		file  []byte
		whole bool
		does  func(s *server) func(w http.ResponseWriter, r *http.Request) bool
		is    error
		says  string
		get   bool // Open succeeds
		at    int  // what is got then
	}{
		{name: "absent", is: stores.ErrNoStore, says: "404", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
		}},
		{name: "forbidden", says: "403", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(403); return true }
		}},
		{name: "no CAR", file: []byte("<html>hello"), says: "is not a CAR"},
		{name: "empty", file: []byte{}, says: "is not a CAR"},
		{name: "no length", whole: true, says: "does not say how long", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = w.Write(file[:1000])
				w.(http.Flusher).Flush()
				_, _ = w.Write(file[1000:])
				return true
			}
		}},
		{name: "no range", says: "does not say which", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(206); return true }
		}},
		{name: "other range", says: "another part", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Range", "bytes 5-10/20")
				w.WriteHeader(206)
				return true
			}
		}},
		{name: "too long", says: "too many to fetch all", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", pieceBytes-1, int64(1)<<61))
				w.WriteHeader(206)
				_, _ = w.Write(make([]byte, pieceBytes))
				return true
			}
		}},
		{name: "changed", get: true, says: "has changed", does: func(s *server) func(http.ResponseWriter, *http.Request) bool {
			return func(http.ResponseWriter, *http.Request) bool { s.etag = `"two"`; return false }
		}},
		{name: "changed size", get: true, says: "has changed", does: func(s *server) func(http.ResponseWriter, *http.Request) bool {
			return func(http.ResponseWriter, *http.Request) bool { s.file = append(slices.Clone(file), 0); return false }
		}},
		{name: "lies", get: true, is: stores.ErrWrongBytes, does: func(s *server) func(http.ResponseWriter, *http.Request) bool {
			return func(http.ResponseWriter, *http.Request) bool {
				s.file = bytes.Clone(file)
				at := bytes.Index(file, blocks[order[2000]])
				s.file[at] ^= 1
				return false
			}
		}},
		{name: "damaged index", get: true, at: 2999, says: "the index is damaged", does: func(s *server) func(http.ResponseWriter, *http.Request) bool {
			return func(http.ResponseWriter, *http.Request) bool {
				s.file = bytes.Clone(file)
				for i := len(file) - 120_000; i < len(file); i++ {
					s.file[i] ^= 1
				}
				return false
			}
		}},
		{name: "drips", get: true, says: "no answer within", does: func(s *server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				var from, to int64
				_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(file)))
				w.WriteHeader(206)
				for ; from <= to && r.Context().Err() == nil; from++ {
					_, _ = w.Write(file[from : from+1])
					w.(http.Flusher).Flush()
					time.Sleep(20 * time.Millisecond)
				}
				return true
			}
		}},
		{name: "drips whole", whole: true, says: "no answer within", does: func(*server) func(http.ResponseWriter, *http.Request) bool {
			return func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Length", fmt.Sprint(len(file)))
				for i := 0; i < len(file) && r.Context().Err() == nil; i++ {
					_, _ = w.Write(file[i : i+1])
					w.(http.Flusher).Flush()
					time.Sleep(20 * time.Millisecond)
				}
				return true
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			noTemporaries(t)
			if c.file == nil {
				c.file = file
			}
			server := serve(t, c.file)
			server.whole = c.whole
			if c.does != nil && !c.get {
				server.behave = c.does(server)
			}
			o := remote.Options{Retries: -1}
			if strings.HasPrefix(c.name, "drips") {
				o.Timeout = 300 * time.Millisecond
			}
			s, err := Open(t.Context(), server.URL+"/x.car", Options{Remote: o})
			if c.get {
				if err != nil {
					t.Fatal(err)
				}
				server.mu.Lock()
				server.behave = c.does(server)
				server.mu.Unlock()
				_, err = s.Get(t.Context(), order[cmp.Or(c.at, 2000)])
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), server.URL) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v; want %q, %v", err, c.says, c.is)
			}
			if n := strings.Count(fmt.Sprint(err), server.URL); n > 1 {
				t.Errorf("it names the server %d times: %v", n, err)
			}
			if n := server.requests.Load(); n > 8 {
				t.Errorf("%d requests", n)
			}
		})
	}
	for _, address := range []string{"", "ftp://x/y.car", "http://me:secret@x/y.car", "http://x/y.car?secret=1"} {
		if _, err := Open(t.Context(), address, Options{}); err == nil || strings.Contains(err.Error(), "secret=") || strings.Contains(err.Error(), "me:") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestEnds: reading ends with the context of Open, and with Close.
func TestEnds(t *testing.T) {
	blocks := someBlocks(3000)
	order := sorted(blocks)
	for _, how := range []string{"context", "close"} {
		server := serve(t, packOf(t, blocks))
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Open(ctx, server.URL, Options{})
		if err != nil {
			t.Fatal(err)
		}
		asked, hung := make(chan struct{}), make(chan struct{})
		server.mu.Lock()
		server.behave = func(_ http.ResponseWriter, r *http.Request) bool {
			close(asked)
			<-r.Context().Done()
			close(hung)
			return true
		}
		server.mu.Unlock()
		done := make(chan error)
		go func() {
			_, err := s.Get(t.Context(), order[2000])
			done <- err
		}()
		<-asked
		if how == "context" {
			cancel()
		} else if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", how, err)
		}
		<-hung
		cancel()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
