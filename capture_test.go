package hamt_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// selectKey walks to a key and returns how many nodes matched.
func selectKey(t *testing.T, lsys *linking.LinkSystem, start datamodel.Node, key string) (matches int, err error) {
	t.Helper()
	compiled, err := selector.CompileSelector(hamt.KeySelector(key))
	if err != nil {
		t.Fatal(err)
	}
	err = hamttest.Progress(t, lsys).WalkMatching(start, compiled, func(traversal.Progress, datamodel.Node) error {
		matches++
		return nil
	})
	return matches, err
}

// TestCaptureErrors: a traversal says nothing of a block that it could not look
// into, and CaptureErrors does: what is wrong, with which block, and where.
func TestCaptureErrors(t *testing.T) {
	notANode := []byte("\x80")
	for name, c := range map[string]struct {
		answer func(link datamodel.Link, block []byte) ([]byte, error)
		kind   error
	}{
		"missing":   {func(datamodel.Link, []byte) ([]byte, error) { return nil, hamttest.NotFound{Key: "k"} }, fault.ErrMissing},
		"mismatch":  {func(_ datamodel.Link, block []byte) ([]byte, error) { return append(bytes.Clone(block), 0), nil }, fault.ErrHashMismatch},
		"malformed": {func(datamodel.Link, []byte) ([]byte, error) { return notANode, nil }, fault.ErrMalformed},
	} {
		for _, transparent := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				b := hamttest.NewBrokenTree(t)
				b.Store.OnRead = func(link datamodel.Link, block []byte) ([]byte, error) {
					if link == b.Link {
						return c.answer(link, block)
					}
					return block, nil
				}
				lsys := b.Store.LinkSystem()
				lsys.TrustedStorage = c.kind == fault.ErrMalformed // else its hash would be what is wrong
				hamt.Register(lsys)
				if transparent {
					lsys.NodeReifier = hamt.ReifyRoots
				}
				watched, errs := hamt.CaptureErrors(lsys)
				if matches, err := selectKey(t, lsys, hamttest.LoadAny(t, lsys, b.Root), b.Key); err != nil || matches > 0 {
					t.Fatalf("go-ipld-prime swallows it no more: %d matches, %v", matches, err)
				}
				if err := errs.Err(); err != nil {
					t.Fatalf("the LinkSystem itself is watched: %v", err)
				}
				for range 2 { // the same fault is told once
					if matches, err := selectKey(t, watched, hamttest.LoadAny(t, watched, b.Root), b.Key); err != nil || matches > 0 {
						t.Fatalf("%d matches, %v", matches, err)
					}
				}
				if all := errs.Errors(); len(all) != 1 {
					t.Fatalf("errors %v", all)
				}
				hamttest.ExpectFaultAt(t, errs.Err(), c.kind, b.Link, b.Path)
			})
		}
	}
}

// TestCaptureNoErrors: keys that are there and that are not, and blocks that
// storage has asked to skip.
func TestCaptureNoErrors(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	lsys := b.Store.LinkSystem()
	hamt.Register(lsys)
	watched, errs := hamt.CaptureErrors(lsys)
	for key, want := range map[string]int{b.Key: 1, "absent": 0} {
		if matches, err := selectKey(t, watched, hamttest.LoadAny(t, watched, b.Root), key); err != nil || matches != want {
			t.Errorf("%q: %d matches, %v", key, matches, err)
		}
	}
	b.Store.OnRead = func(link datamodel.Link, block []byte) ([]byte, error) {
		if link == b.Link {
			return nil, traversal.SkipMe{}
		}
		return block, nil
	}
	if _, err := selectKey(t, watched, hamttest.LoadAny(t, watched, b.Root), b.Key); err != nil {
		t.Error(err)
	}
	if err := errs.Err(); err != nil || len(errs.Errors()) > 0 {
		t.Error(err)
	}
}

// TestCaptureOfOthers: blocks that are none of a map's, asked for by an ADL that
// hides their errors, and readers that fail halfway. Readers are closed.
func TestCaptureOfOthers(t *testing.T) {
	raw := hamttest.Must(ipld.Encode(basicnode.NewString("a block"), dagcbor.Encode))
	there, failing, missing := hamttest.BlockOf(raw), hamttest.BlockOf([]byte("\x01")), hamttest.BlockOf([]byte("\x02"))
	errStore, closed := errors.New("the line is dead"), 0
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageReadOpener = func(_ linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		switch link.String() {
		case there.Link.String():
			return closing{iotest.OneByteReader(bytes.NewReader(raw)), &closed}, nil
		case failing.Link.String():
			return iotest.ErrReader(errStore), nil
		}
		return nil, hamttest.NotFound{Key: link.Binary()}
	}
	watched, errs := hamt.CaptureErrors(&lsys)
	for _, link := range []datamodel.Link{there.Link, failing.Link, missing.Link} {
		_, _ = watched.Load(linking.LinkContext{}, link, basicnode.Prototype.Any)
	}
	all := errs.Errors()
	if len(all) != 2 || closed != 1 {
		t.Fatalf("%v, %d readers closed", all, closed)
	}
	for at, link := range []datamodel.Link{failing.Link, missing.Link} {
		if !errors.Is(all[at], fault.ErrMissing) || !strings.Contains(all[at].Error(), link.String()) || errs.Links()[at] != link {
			t.Errorf("%v, and it should be about %s", all[at], link)
		}
	}
	if !errors.Is(all[0], errStore) || !errors.As(all[1], new(hamttest.NotFound)) {
		t.Errorf("the causes are lost: %v", all)
	}

	none, errs := hamt.CaptureErrors(&linking.LinkSystem{})
	if none.StorageReadOpener != nil || none.NodeReifier != nil || none.KnownReifiers != nil || errs.Err() != nil {
		t.Error("of a LinkSystem of nothing came something")
	}
}

type closing struct {
	io.Reader
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

// TestCaptureContext: that a context is done is told as it is, and once.
func TestCaptureContext(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	lsys := b.Store.LinkSystem()
	hamt.Register(lsys)
	watched, errs := hamt.CaptureErrors(lsys)
	start := hamttest.LoadAny(t, watched, b.Root)
	ctx, cancel := context.WithCancel(t.Context())
	walk := hamttest.Progress(t, watched)
	walk.Cfg.Ctx = ctx
	b.Store.OnRead = func(datamodel.Link, []byte) ([]byte, error) { cancel(); return nil, ctx.Err() }
	err := walk.WalkMatching(start, hamttest.Must(selector.CompileSelector(hamt.KeySelector(b.Key))), func(traversal.Progress, datamodel.Node) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if all := errs.Errors(); len(all) != 1 || !errors.Is(all[0], context.Canceled) || errors.As(all[0], new(*fault.Error)) {
		t.Errorf("errors %v", all)
	}
}

// TestCaptureFromLoad: a map that was opened with Load reports to the list whose
// context it has.
func TestCaptureFromLoad(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	lsys := b.Store.LinkSystem()
	hamt.Register(lsys)
	watched, errs := hamt.CaptureErrors(lsys)
	start, err := hamt.Load(errs.Context(t.Context()), watched, b.Root)
	if err != nil {
		t.Fatal(err)
	}
	b.Answer(func([]byte) []byte { return []byte("\x80") })
	if matches, err := selectKey(t, watched, start, b.Key); err != nil || matches > 0 {
		t.Fatalf("%d matches, %v", matches, err)
	}
	hamttest.ExpectFaultAt(t, errs.Err(), fault.ErrHashMismatch, b.Link, b.Path)
}

// TestCaptureConcurrently asks for the errors while traversals go on, and has
// each fault once at the end.
func TestCaptureConcurrently(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	lsys := b.Store.LinkSystem()
	hamt.Register(lsys)
	watched, errs := hamt.CaptureErrors(lsys)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				if _, err := selectKey(t, watched, hamttest.LoadAny(t, watched, b.Root), b.Key); err != nil {
					t.Error(err)
				}
				if len(errs.Errors()) != 1 || errs.Err() == nil {
					t.Errorf("errors %v", errs.Errors())
				}
			}
		})
	}
	wait.Wait()
}
