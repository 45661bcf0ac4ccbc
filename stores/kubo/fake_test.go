package kubo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// fakeNode answers as far as these tests need it, and misbehaves when told so.
// What Kubo does is for interop/kubo to say.
type fakeNode struct {
	*httptest.Server
	over chan struct{} // closed when the test is

	// before may answer a command in its own way, and reports whether it did.
	before func(command string, w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	blocks  map[string][]byte
	asked   map[string]int // how often, by command
	imports [][]carfile.Block
}

func newFakeNode(t testing.TB) *fakeNode {
	t.Helper()
	f := &fakeNode{over: make(chan struct{}), blocks: map[string][]byte{}, asked: map[string]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		close(f.over)
		f.Close()
	})
	return f
}

func (f *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	command := strings.TrimPrefix(r.URL.Path, "/api/v0/")
	f.mu.Lock()
	f.asked[command]++
	f.mu.Unlock()
	if f.before != nil && f.before(command, w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch command {
	case "dag/import":
		f.takeCAR(w, r)
	case "block/get", "block/stat":
		f.mu.Lock()
		block, ok := f.blocks[r.FormValue("arg")]
		f.mu.Unlock()
		switch {
		case !ok:
			say(w, "block was not found locally (offline): ipld: could not find "+r.FormValue("arg"))
		case path.Base(command) == "get":
			_, _ = w.Write(block)
		default:
			fmt.Fprintf(w, `{"Key":%q,"Size":%d}`+"\n", r.FormValue("arg"), len(block))
		}
	default:
		http.NotFound(w, r)
	}
}

// say is how a node reports an error.
func say(w http.ResponseWriter, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]any{"Message": message, "Code": 0, "Type": "error"})
}

func (f *fakeNode) takeCAR(w http.ResponseWriter, r *http.Request) {
	blocks, size, err := readCAR(r)
	if err != nil {
		say(w, err.Error())
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.imports = append(f.imports, blocks)
	for _, b := range blocks {
		f.blocks[b.CID.String()] = b.Data
	}
	acknowledge(w, len(blocks), size)
}

func acknowledge(w http.ResponseWriter, blocks, size int) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"Stats":{"BlockCount":%d,"BlockBytesCount":%d}}`+"\n", blocks, size)
}

func readCAR(r *http.Request) (blocks []carfile.Block, size int, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, 0, err
	}
	file, err := parts.NextPart()
	if err != nil {
		return nil, 0, err
	}
	car, err := carfile.NewReader(file, "the upload")
	if err != nil {
		return nil, 0, err
	}
	for b, err := range car.Blocks() {
		if err != nil {
			return nil, 0, err
		}
		blocks = append(blocks, b)
		size += len(b.Data)
	}
	_, err = io.Copy(io.Discard, r.Body)
	return blocks, size, err
}

// times is how often a command was asked for.
func (f *fakeNode) times(command string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[command]
}

func openFake(t testing.TB, f *fakeNode, o Options) *Store {
	t.Helper()
	if o.Remote.Timeout == 0 {
		o.Remote.Timeout = 2 * time.Second
	}
	s, err := Open(t.Context(), f.URL, o)
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

// testBlock makes the n-th test block, of 100 bytes.
func testBlock(t testing.TB, n int) carfile.Block {
	t.Helper()
	data := bytes.Repeat(fmt.Appendf(nil, "%010d", n), 10)
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return carfile.Block{CID: c, Data: data}
}

// putBlocks puts the first n test blocks.
func putBlocks(t *testing.T, s *Store, n int) error {
	t.Helper()
	for i := range n {
		b := testBlock(t, i)
		if err := s.Put(context.Background(), b.CID, b.Data); err != nil {
			return err
		}
	}
	return nil
}
