package hamttest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

// Heap is how much memory is in use.
func Heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func ExpectCancelled(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*fault.Error)) {
		t.Errorf("got error %v", err)
	}
}

// Equal compares values by their DAG-CBOR: datamodel.DeepEqual minds the order
// of map keys, and panics on integers above 2^63-1.
func Equal(t *testing.T, a, b datamodel.Node) bool {
	t.Helper()
	rawA, errA := ipld.Encode(a, dagcbor.Encode)
	rawB, errB := ipld.Encode(b, dagcbor.Encode)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	return bytes.Equal(rawA, rawB)
}

func ExpectContent(t *testing.T, node *adl.Node, content Model) {
	t.Helper()
	seen := 0
	for e, err := range node.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want, ok := content[e.KeyString()]
		if !ok {
			t.Fatalf("there is a key %q", e.Key())
		}
		value, err := e.Value()
		if err != nil {
			t.Fatal(err)
		}
		if !Equal(t, value, want) {
			t.Fatalf("value of %q", e.Key())
		}
		got, err := node.Get(t.Context(), e.Key())
		if err != nil || !Equal(t, got, want) {
			t.Fatalf("value of %q by Get, %v", e.Key(), err)
		}
		seen++
	}
	if seen != len(content) || node.Length() != int64(seen) {
		t.Fatalf("%d entries, Length %d, want %d", seen, node.Length(), len(content))
	}
}

func ExpectVerified(t *testing.T, node *adl.Node) {
	t.Helper()
	for err := range node.Verify(t.Context()) {
		t.Fatal(err)
	}
}

// ExpectFaultAt expects a fault at a place; of any kind where that is nil.
func ExpectFaultAt(t *testing.T, err error, kind error, link datamodel.Link, path fault.Path) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("got error %v, want %v", err, kind)
	}
	if f.Link != link || !slices.Equal(f.Path, path) {
		t.Errorf("the fault is at %v, %v; want %v, %v", f.Link, f.Path, link, path)
	}
	if text := err.Error(); !strings.Contains(text, link.String()) || !strings.Contains(text, path.String()) {
		t.Errorf("%q does not name the block and its path", text)
	}
}

// ExpectNoLeak runs f and expects that soon after it no goroutine is left that
// was not there before.
func ExpectNoLeak(t *testing.T, f func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	f()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, and there were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func IsSpilled(t *testing.T, dir string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) > 0
}
