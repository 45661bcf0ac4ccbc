package blockio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// loadedRoot is a root of two levels, and where it has a link.
type loadedRoot struct {
	*blockio.Loader
	store    *hamttest.Store
	link     datamodel.Link
	root     *block.Node
	position int
}

func loadRoot(t *testing.T, cacheBytes int64) (l loadedRoot) {
	t.Helper()
	l.store, l.link = hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(30))
	l.Loader = blockio.NewLoader(l.store.LinkSystem(), cacheBytes, blockio.DefaultMaxRead)
	l.root = l.loadRoot(t)
	for !l.root.IsLink(l.position) {
		l.position++
	}
	l.store.TakeLoads()
	return l
}

func (l loadedRoot) loadRoot(t *testing.T) *block.Node {
	t.Helper()
	root, p, err := l.Root(t.Context(), l.link, params.Params{})
	if err != nil || p != hamttest.ManyLevels() {
		t.Fatalf("parameters %v, %v", p, err)
	}
	return root
}

// child loads a child node of one of the versions of the root.
func (l loadedRoot) child(t *testing.T, root *block.Node) (*block.Node, error) {
	return l.Child(t.Context(), root, l.position, hamttest.ManyLevels(), blockio.Keep)
}

func TestRootRefuses(t *testing.T) {
	s, link := hamttest.Stored(t, params.Default(), hamttest.Numbered(1))
	raw := s.Block(link)
	size := int64(len(raw))
	for name, c := range map[string]struct {
		change  func(lsys *linking.LinkSystem)
		link    datamodel.Link
		maxRead int64
		want    error // nil for success
	}{
		"nothing":          {nil, link, size, nil},
		"too large":        {nil, link, size - 1, fault.ErrTooLarge},
		"no link":          {nil, nil, size, fault.ErrMissing},
		"no storage":       {func(lsys *linking.LinkSystem) { lsys.StorageReadOpener = nil }, link, size, fault.ErrMissing},
		"not there":        {nil, hamttest.BlockOf(nil).Link, size, fault.ErrMissing},
		"in single bytes":  {answer(iotest.OneByteReader(bytes.NewReader(raw))), link, size, nil},
		"too many of them": {answer(iotest.OneByteReader(bytes.NewReader(raw))), link, size - 1, fault.ErrTooLarge},
		"without end":      {answer(endless{}), link, size, fault.ErrTooLarge},
		"an error at last": {answer(io.MultiReader(bytes.NewReader(raw[:5]), iotest.ErrReader(hamttest.ErrStore))), link, size, fault.ErrMissing},
		"other bytes":      {answer(bytes.NewReader(append([]byte{0}, raw[1:]...))), link, size, fault.ErrHashMismatch},
		"trusted": {func(lsys *linking.LinkSystem) {
			answer(bytes.NewReader(bytes.Replace(raw, []byte("key-0"), []byte("key-1"), 1)))(lsys)
			lsys.TrustedStorage = true
		}, link, size, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lsys := s.LinkSystem()
			if c.change != nil {
				c.change(lsys)
			}
			node, _, err := blockio.NewLoader(lsys, 0, c.maxRead).Root(t.Context(), c.link, params.Params{})
			if !errors.Is(err, c.want) || (err == nil) != (node != nil) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if node != nil && node.Stored() != int(size) {
				t.Errorf("%d bytes are stored, want %d", node.Stored(), size)
			}
		})
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := blockio.NewLoader(s.LinkSystem(), 0, size).Root(done, link, params.Params{}); err != context.Canceled {
		t.Errorf("under a context that is done: %v", err)
	}
}

func answer(r io.Reader) func(*linking.LinkSystem) {
	return func(lsys *linking.LinkSystem) {
		lsys.StorageReadOpener = func(linking.LinkContext, datamodel.Link) (io.Reader, error) { return r, nil }
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestChild: what is kept is loaded once, and afterwards is where the parent
// points to.
func TestChild(t *testing.T) {
	l := loadRoot(t, 1<<20)
	child, err := l.child(t, l.root)
	if err != nil {
		t.Fatal(err)
	}
	if l.Cache().Peek(l.root, l.position) != child {
		t.Error("the parent does not point to its child")
	}
	for range 3 {
		if again, err := l.child(t, l.root); again != child || err != nil {
			t.Errorf("another child, %v", err)
		}
	}
	other := l.loadRoot(t) // another version of the map
	if again, err := l.child(t, other); again != child || err != nil {
		t.Errorf("another child of the same link, %v", err)
	}
	if loads := l.store.TakeLoads(); len(loads) != 2 { // the other root is one
		t.Errorf("%d loads", len(loads))
	}
	if stats := l.Cache().Stats(); stats.Hits != 4 || stats.Misses != 1 || stats.Nodes != 1 {
		t.Errorf("stats %+v", stats)
	}
}

func TestChildWithoutCache(t *testing.T) {
	l := loadRoot(t, 0)
	for range 3 {
		if _, err := l.child(t, l.root); err != nil {
			t.Fatal(err)
		}
	}
	if loads := l.store.TakeLoads(); len(loads) != 3 || l.Cache().Keeps() || l.Cache().Peek(l.root, l.position) != nil {
		t.Errorf("%d loads", len(loads))
	}
}

// TestChildIsShared: equal loads under way at the same time are one.
func TestChildIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loadRoot(t, 0)
		l.store.Delay = func(datamodel.Link) time.Duration { return time.Second }
		children := make(chan *block.Node)
		for range 5 {
			go func() {
				children <- hamttest.Must(l.child(t, l.root))
			}()
		}
		first := <-children
		for range 4 {
			if <-children != first {
				t.Error("they are not the same")
			}
		}
		if loads := l.store.TakeLoads(); len(loads) != 1 {
			t.Errorf("%d loads", len(loads))
		}
	})
}

// TestReadThenParse: between the two the load is under way for others, who get
// what comes of it.
func TestReadThenParse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loadRoot(t, 0)
		child, read, err := l.Read(t.Context(), l.root, l.position, hamttest.ManyLevels())
		if child != nil || !read.IsRead() || err != nil {
			t.Fatalf("Read returned %v, %v, %v", child, read.IsRead(), err)
		}
		if want := len(l.store.Block(hamttest.Must(blockio.Link(l.root.Link(l.position))))); read.Len() != want {
			t.Errorf("%d bytes, want %d", read.Len(), want)
		}
		if child, second, err := l.Read(t.Context(), l.root, l.position, hamttest.ManyLevels()); child != nil || second.IsRead() || err != nil {
			t.Errorf("Read of what is under way returned %v, %v, %v", child, second.IsRead(), err)
		}
		waiter := make(chan *block.Node)
		go func() { waiter <- hamttest.Must(l.child(t, l.root)) }()
		synctest.Wait()
		if child, err = l.Parse(read, hamttest.ManyLevels()); err != nil {
			t.Fatal(err)
		}
		if <-waiter != child {
			t.Error("who waited got another node")
		}
		if loads := l.store.TakeLoads(); len(loads) != 1 {
			t.Errorf("%d loads", len(loads))
		}
	})
}

// TestReadFails: nothing stays under way, so the next one loads again.
func TestReadFails(t *testing.T) {
	l := loadRoot(t, 1<<20)
	l.store.OnRead = func(datamodel.Link, []byte) ([]byte, error) { return nil, hamttest.ErrStore }
	if _, read, err := l.Read(t.Context(), l.root, l.position, hamttest.ManyLevels()); read.IsRead() || !errors.Is(err, fault.ErrMissing) || !errors.Is(err, hamttest.ErrStore) {
		t.Errorf("Read returned %v, %v", read.IsRead(), err)
	}
	func() {
		defer func() { recover() }()
		l.store.OnRead = func(datamodel.Link, []byte) ([]byte, error) { panic("no store") }
		l.Read(t.Context(), l.root, l.position, hamttest.ManyLevels())
	}()
	l.store.OnRead = nil
	child, err := l.child(t, l.root)
	if err != nil {
		t.Fatal(err)
	}
	if got, read, err := l.Read(t.Context(), l.root, l.position, hamttest.ManyLevels()); got != child || read.IsRead() || err != nil {
		t.Errorf("Read of what is in memory returned %v, %v, %v", got, read.IsRead(), err)
	}
}

// TestSlow: whether a store is slow shows with the first load.
func TestSlow(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s, link := hamttest.Stored(t, params.Default(), hamttest.Numbered(1))
			s.Delay = func(datamodel.Link) time.Duration { return takes }
			l := blockio.NewLoader(s.LinkSystem(), 0, blockio.DefaultMaxRead)
			for range 20 {
				expectRoot(t, l, link)
			}
			if want := takes > 0; l.Slow() != want {
				t.Errorf("a store that takes %v is slow: %v", takes, l.Slow())
			}
		})
	}
}

func expectRoot(t *testing.T, l *blockio.Loader, link datamodel.Link) {
	t.Helper()
	if _, _, err := l.Root(t.Context(), link, params.Params{}); err != nil {
		t.Fatal(err)
	}
}

// TestFromNode: a node is what its block was, whatever kind of node it is.
func TestFromNode(t *testing.T) {
	s, link := hamttest.Stored(t, params.Default(), hamttest.Numbered(3))
	raw := s.Block(link)
	for name, node := range map[string]datamodel.Node{
		"plain":     hamttest.Must(ipld.Decode(raw, dagcbor.Decode)),
		"typed":     hamttest.Must(ipld.DecodeUsingPrototype(raw, dagcbor.Decode, hamt.HashMapRootPrototype)),
		"substrate": hamttest.Load(t, s, link).Substrate(),
	} {
		if got, err := blockio.FromNode(node); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %x, %v, want %x", name, got, err, raw)
		}
	}
	for _, node := range []datamodel.Node{nil, datamodel.Absent} {
		if _, err := blockio.FromNode(node); !errors.Is(err, fault.ErrMalformed) {
			t.Errorf("%v: %v", node, err)
		}
	}
}

// TestOtherCodecs: what a loader has parsed is DAG-CBOR, whatever the block is.
func TestOtherCodecs(t *testing.T) {
	s := hamttest.NewStore()
	plain, link := hamttest.Stored(t, params.Default(), hamttest.Numbered(3))
	value := hamttest.Must(ipld.Decode(plain.Block(link), dagcbor.Decode))
	lp := hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_512, -1)
	other := hamttest.Must(s.LinkSystem().Store(linking.LinkContext{}, lp, value))
	root, _, err := blockio.NewLoader(s.LinkSystem(), 0, 1000).Root(t.Context(), other, params.Params{})
	if err != nil || root.Entries() != 3 || root.Stored() != len(s.Block(other)) {
		t.Fatalf("%v", err)
	}
	bare := &linking.LinkSystem{StorageReadOpener: s.LinkSystem().StorageReadOpener}
	if _, _, err := blockio.NewLoader(bare, 0, 1000).Root(t.Context(), other, params.Params{}); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("no hash functions: %v", err)
	}
	bare.TrustedStorage = true
	if _, _, err := blockio.NewLoader(bare, 0, 1000).Root(t.Context(), other, params.Params{}); !errors.Is(err, fault.ErrMalformed) {
		t.Errorf("no decoders: %v", err)
	}
}
