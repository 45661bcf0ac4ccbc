package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func TestStatusOf(t *testing.T) {
	link := cidlink.Link{}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{absent("x"), 1},
		{usage("x"), 2},
		{fmt.Errorf("more: %w", usage("x")), 2},
		{&input.Error{Err: io.ErrUnexpectedEOF}, 2},
		{fmt.Errorf("x.car %w", stores.ErrReadOnly), 2},
		{&fault.Error{Kind: fault.ErrValue}, 2},
		{&fault.Error{Kind: fault.ErrRepeatedKey}, 2},
		{&fault.Error{Kind: fault.ErrTooLarge}, 2},                        // to be written
		{&fault.Error{Kind: fault.ErrTooLarge, Link: link}, 3},            // read
		{&fault.Error{Kind: fault.ErrMaxDepth, Link: link}, 3},            //
		{&fault.Error{Kind: fault.ErrMissing, Cause: errors.New("x")}, 3}, //
		{stores.ErrLocked, 3},
		{stores.ErrNoStore, 3},
		{errors.New("x"), 3},
		{fmt.Errorf("more: %w", context.Canceled), 130},
		{usage("%w", context.Canceled), 130},
	} {
		if got := statusOf(c.err); got != c.want {
			t.Errorf("%v: status %d, want %d", c.err, got, c.want)
		}
	}
}

func TestOnce(t *testing.T) {
	for message, want := range map[string]string{
		"store .hamt: store .hamt: name \"a\": x":                          "store .hamt: name \"a\": x",
		"block b: gateway g: block b: wrong bytes":                         "block b: gateway g: wrong bytes",
		"block b: gateway g: block c: wrong bytes":                         "block b: gateway g: block c: wrong bytes",
		"root r: block r is not in the store":                              "root r is not in the store",
		"root r: block b is not in the store":                              "root r: block b is not in the store",
		"cannot be loaded: block b is not there (block b at /5/17)":        "cannot be loaded: block b is not there (at /5/17)",
		"cannot be loaded: block b is not there (block b at /); --x is it": "cannot be loaded: block b is not there; --x is it",
		"not a HAMT: something else (block b at /)":                        "not a HAMT: something else (block b at /)",
		"in: in: out": "in: in: out",
		"f.csv:1:2: what is this: a \"block b: gateway g: block b\"": "f.csv:1:2: what is this: a \"block b: gateway g: block b\"",
	} {
		if got := once(message); got != want {
			t.Errorf("%s: %s, want %s", message, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "1k": 1024, "2KiB": 2048, "3MB": 3 << 20, "512MiB": 512 << 20, "4G": 4 << 30, "8191PiB": 8191 << 50,
		"1.5G": 3 << 29, "1 G": 1 << 30,
		"": -1, "x": -1, "-1": -1, "1..5G": -1, "1  G": -1, "G": -1, "8192PiB": -1, "1e30": -1, "1iB": -1, "9999999999GiB": -1, "1BM": -1,
	} {
		var s size
		err := s.Set(text)
		if (err != nil) != (want < 0) || err == nil && int64(s) != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
	}
	for n, want := range map[size]string{0: "0", 1000: "1000B", 1024: "1KiB", 256 << 20: "256MiB", 3 << 29: "1.5GiB", 1 << 40: "1TiB", 1 << 50: "1PiB"} {
		if got := n.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(n), got, want)
		}
	}
}

// TestInterruptible: reading ends with the context, also where the stream has
// nothing to give.
func TestInterruptible(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, typing := io.Pipe()
	defer typing.Close()
	r := newInterruptible(ctx, stream)
	go func() {
		_, _ = io.WriteString(typing, "some text") // ends with the pipe
	}()
	got := make([]byte, len("some text"))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "some text" {
		t.Errorf("%q, %v", got, err)
	}
	cancel()
	if n, err := r.Read(got); n > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes after the context is done, %v", n, err)
	}
	r = newInterruptible(context.Background(), strings.NewReader(strings.Repeat("long", 100_000)))
	if got, err := io.ReadAll(r); len(got) != 400_000 || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestBoundMemory: the limit follows --memory, and leaves alone what was said
// with GOMEMLIMIT.
func TestBoundMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, c := range []struct{ before, memory, want int64 }{
		{math.MaxInt64, 1 << 30, 1<<30 + besidesMemory},
		{math.MaxInt64, 0, besidesMemory},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{5 << 30, 1 << 30, 5 << 30},
	} {
		debug.SetMemoryLimit(c.before)
		boundMemory(c.memory)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("--memory %d, limit %d before: %d, want %d", c.memory, c.before, got, c.want)
		}
	}
}
