package kubo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// TestBatches: blocks go up in batches that are as large as the options say, a
// few at once, each block once; until they are there they come from memory.
func TestBatches(t *testing.T) {
	f := newFakeNode(t)
	gate := make(chan struct{})
	var flying, most atomic.Int64
	f.before = func(command string, w http.ResponseWriter, r *http.Request) bool {
		if command != "dag/import" {
			return false
		}
		n := flying.Add(1)
		defer flying.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-gate
		return false
	}
	s := openFake(t, f, Options{BatchBytes: 1000, BatchBlocks: 7})

	// As many as fit in memory are taken while the node takes none.
	const held = 7 * (importsAtOnce + 1)
	if err := putBlocks(t, s, held); err != nil {
		t.Fatal(err)
	}
	if err := putBlocks(t, s, held); err != nil { // once more, which is nothing
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	late := testBlock(t, held)
	if err := s.Put(ctx, late.CID, late.Data); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one block more: %v", err)
	}
	for i := range held {
		b := testBlock(t, i)
		if got, err := s.Get(t.Context(), b.CID); err != nil || !bytes.Equal(got, b.Data) {
			t.Fatalf("block %d: %v", i, err)
		}
		if has, err := s.Has(t.Context(), b.CID); !has || err != nil {
			t.Fatalf("block %d: %v, %v", i, has, err)
		}
	}
	if f.times("block/get")+f.times("block/stat") > 0 {
		t.Error("the node was asked for what is in memory")
	}

	close(gate)
	const all = 100
	if err := putBlocks(t, s, all); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(t.Context(), testBlock(t, all-1).CID); err != nil {
		t.Fatal(err)
	}
	if most.Load() != importsAtOnce {
		t.Errorf("%d imports at once", most.Load())
	}
	sent := 0
	for _, blocks := range f.imports {
		if len(blocks) > 7 {
			t.Errorf("a batch of %d blocks", len(blocks))
		}
		sent += len(blocks)
	}
	if sent < all || sent > all+held {
		t.Errorf("%d blocks were sent", sent)
	}
	if len(s.waiting) > 0 {
		t.Errorf("%d blocks are still held", len(s.waiting))
	}
	for i := range all {
		b := testBlock(t, i)
		if got, err := s.Get(t.Context(), b.CID); err != nil || !bytes.Equal(got, b.Data) {
			t.Fatalf("block %d: %v", i, err)
		}
	}
}

// TestBatchBytes: bytes bound a batch, too, and a block that is larger goes by
// itself.
func TestBatchBytes(t *testing.T) {
	f := newFakeNode(t)
	s := openFake(t, f, Options{BatchBytes: 250})
	if err := putBlocks(t, s, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(t.Context(), testBlock(t, 0).CID); err != nil {
		t.Fatal(err)
	}
	for _, blocks := range f.imports {
		if len(blocks) != 2 {
			t.Errorf("a batch of %d blocks", len(blocks))
		}
	}
	tiny := openFake(t, f, Options{BatchBytes: 1})
	if err := putBlocks(t, tiny, 3); err != nil {
		t.Fatal(err)
	}
	if err := tiny.Publish(t.Context(), testBlock(t, 0).CID); err != nil {
		t.Fatal(err)
	}
}

// TestImportAgain: a batch whose import fails in a way that may pass is sent again
// as a whole.
func TestImportAgain(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, r *http.Request){
		"503":          func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) },
		"cut off":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"fewer blocks": func(w http.ResponseWriter, r *http.Request) { drain(r); acknowledge(w, 9, 1000) },
		"fewer bytes":  func(w http.ResponseWriter, r *http.Request) { drain(r); acknowledge(w, 10, 999) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeNode(t)
			var failed sync.Once
			f.before = func(command string, w http.ResponseWriter, r *http.Request) (answered bool) {
				if command == "dag/import" {
					failed.Do(func() { answered = true })
				}
				if answered {
					fail(w, r)
				}
				return answered
			}
			s := openFake(t, f, Options{})
			if err := putBlocks(t, s, 10); err != nil {
				t.Fatal(err)
			}
			if err := s.Publish(t.Context(), testBlock(t, 9).CID); err != nil {
				t.Fatal(err)
			}
			if f.times("dag/import") != 2 || len(f.imports) != 1 || len(f.imports[0]) != 10 {
				t.Errorf("%d requests, %d imports", f.times("dag/import"), len(f.imports))
			}
		})
	}
}

func drain(r *http.Request) { _, _, _ = readCAR(r) }

// TestFailedForGood: an import that fails for good is the error of all that comes
// after, and is not tried again.
func TestFailedForGood(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"import failed": func(w http.ResponseWriter, r *http.Request) { drain(r); say(w, "import failed") },
		"no acknowledgement": func(w http.ResponseWriter, r *http.Request) {
			drain(r)
			w.Header().Set("Content-Type", "application/json")
		},
		"behind the acknowledgement": func(w http.ResponseWriter, r *http.Request) {
			drain(r)
			w.Header().Set("Trailer", "X-Stream-Error")
			acknowledge(w, 10, 1000)
			w.Header().Set("X-Stream-Error", "import failed")
		},
		"no node": func(w http.ResponseWriter, r *http.Request) { drain(r); w.Header()["Content-Type"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeNode(t)
			f.before = func(command string, w http.ResponseWriter, r *http.Request) bool {
				if command == "dag/import" {
					answer(w, r)
				}
				return command == "dag/import"
			}
			s := openFake(t, f, Options{})
			if err := putBlocks(t, s, 10); err != nil {
				t.Fatal(err)
			}
			root := testBlock(t, 9)
			f.mu.Lock()
			f.blocks[root.CID.String()] = root.Data // as an earlier build left it
			f.mu.Unlock()
			first := s.Publish(t.Context(), root.CID)
			for what, err := range map[string]error{
				"publish": first, "again": s.Publish(t.Context(), root.CID), "put": putBlocks(t, s, 11),
				"set name": s.SetName(t.Context(), "x", root.CID), "move name": s.MoveName(t.Context(), "x", root.CID, root.CID),
			} {
				if err == nil || !strings.Contains(err.Error(), f.URL) || err.Error() != first.Error() {
					t.Errorf("%s: %v", what, err)
				}
			}
			if strings.Contains(first.Error(), "import failed") && !errors.As(first, new(*Error)) {
				t.Errorf("%v is not what the node has said", first)
			}
			if n := f.times("dag/import"); n != 1 {
				t.Errorf("%d imports", n)
			}
		})
	}
}

// TestStalledImport: an import may take longer than one request, as long as
// something moves; if nothing does, it ends.
func TestStalledImport(t *testing.T) {
	const timeout = 500 * time.Millisecond
	f := newFakeNode(t)
	var slow atomic.Bool
	f.before = func(command string, w http.ResponseWriter, r *http.Request) bool {
		if command != "dag/import" {
			return false
		}
		if !slow.Load() {
			<-f.over
			return true
		}
		r.Body = &slowBody{ReadCloser: r.Body, rate: 32 << 20, begun: time.Now()}
		return false
	}
	o := Options{BatchBytes: 64 << 20, Remote: remote.Options{Timeout: timeout, Retries: -1}}
	try := func() (time.Duration, error) {
		s := openFake(t, f, o)
		begun := time.Now()
		var root cid.Cid
		for i := range 40 {
			block := bytes.Repeat([]byte{byte(i)}, 1<<20)
			var err error
			if root, err = testBlock(t, 0).CID.Prefix().Sum(block); err != nil {
				t.Fatal(err)
			}
			if err := s.Put(t.Context(), root, block); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Publish(t.Context(), root)
		return time.Since(begun), err
	}
	if took, err := try(); err == nil || !strings.Contains(err.Error(), f.URL) || took > 10*timeout {
		t.Errorf("a node that takes nothing: %v after %v", err, took)
	}
	slow.Store(true)
	if took, err := try(); err != nil || took < timeout {
		t.Errorf("a slow node: %v after %v", err, took)
	}
}

// slowBody can be read at so many bytes a second.
type slowBody struct {
	io.ReadCloser
	rate  int
	begun time.Time
	n     int
}

func (s *slowBody) Read(p []byte) (int, error) {
	time.Sleep(time.Until(s.begun.Add(time.Duration(s.n) * time.Second / time.Duration(s.rate))))
	n, err := s.ReadCloser.Read(p)
	s.n += n
	return n, err
}

// TestPublishWithoutRoot: a root that is not there is not published.
func TestPublishWithoutRoot(t *testing.T) {
	f := newFakeNode(t)
	s := openFake(t, f, Options{})
	if err := s.Publish(t.Context(), testBlock(t, 0).CID); !stores.IsNotFound(err) || !strings.Contains(err.Error(), f.URL) {
		t.Errorf("%v", err)
	}
}

// TestClose ends what is under way, and takes nothing after that.
func TestClose(t *testing.T) {
	f := newFakeNode(t)
	f.before = func(string, http.ResponseWriter, *http.Request) bool {
		<-f.over
		return true
	}
	s, err := Open(t.Context(), f.URL, Options{BatchBlocks: 1, Remote: remote.Options{Timeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	if err := putBlocks(t, s, importsAtOnce); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := s.Close(); err != nil || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	if err := putBlocks(t, s, 1); !errors.Is(err, errClosed) {
		t.Errorf("put into a store that is closed: %v", err)
	}
}

// TestSync: what was put is at the node though it is not published, and the end
// of a node is no news, nor waited for longer than a request.
func TestSync(t *testing.T) {
	f := newFakeNode(t)
	s := openFake(t, f, Options{})
	if err := putBlocks(t, s, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if len(f.imports) != 1 || len(f.imports[0]) != 10 {
		t.Errorf("%d imports", len(f.imports))
	}
	if err := s.Sync(); err != nil || len(f.imports) != 1 {
		t.Errorf("again: %v, %d imports", err, len(f.imports))
	}

	f.before = func(command string, w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "no", http.StatusForbidden)
		return true
	}
	refused := openFake(t, f, Options{})
	if err := putBlocks(t, refused, 1); err != nil {
		t.Fatal(err)
	}
	if err := refused.Sync(); err != nil {
		t.Errorf("a node that refuses: %v", err)
	}
	b := testBlock(t, 5)
	if err := refused.Put(t.Context(), b.CID, b.Data); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("what it refused is nobody's error: %v", err)
	}

	f.before = func(command string, w http.ResponseWriter, r *http.Request) bool { <-f.over; return true }
	hangs := openFake(t, f, Options{Remote: remote.Options{Timeout: 50 * time.Millisecond, Retries: 5}})
	if err := putBlocks(t, hangs, 1); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	err := hangs.Sync()
	if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), f.URL) || time.Since(begun) > 5*time.Second {
		t.Errorf("a node that does not answer: %v after %v", err, time.Since(begun))
	}
}
