package blockio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

func newWriter(t *testing.T, lsys *linking.LinkSystem, lp datamodel.LinkPrototype) *blockio.Writer {
	t.Helper()
	w, err := blockio.NewWriter(lsys, lp, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNewWriterRefuses(t *testing.T) {
	v0 := blockio.DefaultLinkPrototype
	v0.Version = 0
	file := func(version uint64, hash multicodec.Code) cidlink.LinkPrototype {
		lp := hamttest.LinkPrototype(multicodec.DagPb, hash, 32)
		lp.Version = version
		return lp
	}
	bare := &linking.LinkSystem{} // storage alone does for DAG-CBOR under sha2-256
	newWriter(t, bare, blockio.DefaultLinkPrototype)
	for name, c := range map[string]struct {
		lsys *linking.LinkSystem
		lp   datamodel.LinkPrototype
		want string
	}{
		"no prototype":  {bare, nil, "not a cidlink.LinkPrototype"},
		"CIDv0":         {bare, v0, "CIDv0"},
		"CIDv0, sha-3":  {bare, file(0, multicodec.Sha3_256), "sha2-256 alone"},
		"files, CIDv1":  {bare, file(1, multicodec.Sha2_256), "CIDv0"},
		"no codecs":     {bare, hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, -1), "no encoder"},
		"no hashes":     {bare, hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_512, -1), "no hash function"},
		"unknown codec": {hamttest.NewStore().LinkSystem(), hamttest.LinkPrototype(0x300100, multicodec.Sha2_256, -1), "no encoder"},
		"unknown hash":  {hamttest.NewStore().LinkSystem(), hamttest.LinkPrototype(multicodec.DagCbor, 0x300100, -1), "no hash function"},
	} {
		if _, err := blockio.NewWriter(c.lsys, c.lp, 1000); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestEncode: block and name are what go-ipld-prime makes of the value.
func TestEncode(t *testing.T) {
	value := hamttest.DecodeJSON(t, `{"key":[1,"two",{"/":{"bytes":"AQI"}}]}`)
	raw := hamttest.Must(ipld.Encode(value, dagcbor.Encode))
	for _, lp := range []cidlink.LinkPrototype{
		blockio.DefaultLinkPrototype,
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, -1),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, 20),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_512, -1),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Identity, -1),
		hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, -1),
	} {
		s := hamttest.NewStore()
		w := newWriter(t, s.LinkSystem(), lp)
		b, err := w.Encode(raw)
		if err != nil {
			t.Fatalf("%v: %v", lp, err)
		}
		if s.Len() > 0 {
			t.Errorf("%v: Encode writes", lp)
		}
		want := hamttest.Must(s.LinkSystem().Store(linking.LinkContext{}, lp, value))
		if link := hamttest.Must(blockio.Link(b.CID)); link != want || !bytes.Equal(b.Bytes, s.Block(want)) {
			t.Errorf("%v: block %x under %s, want %x under %s", lp, b.Bytes, link, s.Block(want), want)
		}
		if !w.Names(b.CID) {
			t.Errorf("%v: Names does not know its own block", lp)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	lsys := hamttest.NewStore().LinkSystem()
	w := newWriter(t, lsys, blockio.DefaultLinkPrototype)
	if _, err := w.Encode(make([]byte, 1000)); err != nil {
		t.Errorf("a block as large as may be: %v", err)
	}
	if _, err := w.Encode(make([]byte, 1001)); !errors.Is(err, fault.ErrTooLarge) {
		t.Errorf("a larger block: %v", err)
	}
	json := newWriter(t, lsys, hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, -1))
	for name, value := range map[string]datamodel.Node{
		"a whole float":    basicnode.NewFloat(1),
		"no UTF-8":         basicnode.NewString("\xff"),
		"a map that links": hamttest.Must(ipld.Decode([]byte("\xa1\x61/\x78\x3bbafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"), dagcbor.Decode)),
	} {
		if _, err := json.Encode(hamttest.Must(ipld.Encode(value, dagcbor.Encode))); !errors.Is(err, fault.ErrValue) {
			t.Errorf("%s in DAG-JSON: %v", name, err)
		}
	}
	long := newWriter(t, lsys, hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, 40))
	if _, err := long.Encode([]byte{0}); err == nil || !strings.Contains(err.Error(), "digest of 40 bytes") {
		t.Errorf("a digest longer than the hash makes: %v", err)
	}
}

func TestNames(t *testing.T) {
	lsys := hamttest.NewStore().LinkSystem()
	w := newWriter(t, lsys, blockio.DefaultLinkPrototype)
	for _, lp := range []cidlink.LinkPrototype{
		hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, -1),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_512, -1),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, 20),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Identity, -1),
	} {
		b := hamttest.Must(newWriter(t, lsys, lp).Encode([]byte{0}))
		if w.Names(b.CID) {
			t.Errorf("a writer of %v knows %v as its own", w.Prototype(), lp)
		}
	}
	own := hamttest.Must(w.Encode([]byte{0})).CID
	for _, other := range [][]byte{nil, own[:3], own[:1]} {
		if w.Names(other) {
			t.Errorf("%x is no CID", other)
		}
	}
}

func TestHas(t *testing.T) {
	s := hamttest.NewStore()
	lsys := s.LinkSystem()
	open, closed := lsys.StorageReadOpener, 0
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		r, err := open(lctx, link)
		return closer{r, &closed}, err
	}
	w := newWriter(t, lsys, blockio.DefaultLinkPrototype)
	b := hamttest.Must(w.Encode([]byte{0}))
	if w.Has(t.Context(), b) {
		t.Error("an empty store has the block")
	}
	if err := w.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if !w.Has(t.Context(), b) || closed != 1 {
		t.Errorf("the store has not the block; %d readers were closed", closed)
	}
	if newWriter(t, &linking.LinkSystem{}, blockio.DefaultLinkPrototype).Has(t.Context(), b) || w.Has(t.Context(), blockio.Block{CID: []byte("x")}) {
		t.Error("what cannot be read is there")
	}
}

type closer struct {
	io.Reader
	closed *int
}

func (c closer) Close() error { *c.closed++; return nil }

func TestWrite(t *testing.T) {
	s := hamttest.NewStore()
	w := newWriter(t, s.LinkSystem(), blockio.DefaultLinkPrototype)
	b := hamttest.Must(w.Encode([]byte{0}))
	link := hamttest.Must(blockio.Link(b.CID))

	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Write(done, b); err != context.Canceled {
		t.Errorf("under a context that is done: %v", err)
	}
	s.OnWrite = func(datamodel.Link, []byte) error { return hamttest.ErrStore }
	if err := w.Write(t.Context(), b); !errors.Is(err, hamttest.ErrStore) || !strings.Contains(err.Error(), link.String()) {
		t.Errorf("the store fails: %v", err)
	}
	midway, cancel := context.WithCancel(t.Context())
	s.OnWrite = func(datamodel.Link, []byte) error { cancel(); return hamttest.ErrStore }
	if err := w.Write(midway, b); err != context.Canceled {
		t.Errorf("the context ends meanwhile: %v", err)
	}
	if s.Len() > 0 {
		t.Errorf("%d blocks are written", s.Len())
	}
	s.OnWrite = nil
	if err := w.Write(t.Context(), b); err != nil || !bytes.Equal(s.Block(link), b.Bytes) {
		t.Errorf("block %x, %v", s.Block(link), err)
	}

	if err := newWriter(t, &linking.LinkSystem{}, blockio.DefaultLinkPrototype).Write(t.Context(), b); err == nil || !strings.Contains(err.Error(), "no storage") {
		t.Errorf("no storage: %v", err)
	}
	for name, opener := range map[string]linking.BlockWriteOpener{
		"opener": func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
			return nil, nil, hamttest.ErrStore
		},
		"writer": func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
			reader, writer := io.Pipe()
			reader.CloseWithError(hamttest.ErrStore)
			return writer, func(datamodel.Link) error { t.Error("what was not written is committed"); return nil }, nil
		},
	} {
		if err := newWriter(t, &linking.LinkSystem{StorageWriteOpener: opener}, blockio.DefaultLinkPrototype).Write(t.Context(), b); !errors.Is(err, hamttest.ErrStore) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// shortWriter writes less than it is given, and returns no error.
type shortWriter struct{ cut int }

func (w shortWriter) Write(p []byte) (int, error) { return max(0, len(p)-w.cut), nil }

// TestShortWrite: a block that was not written whole is not committed, also
// where the writer returned no error.
func TestShortWrite(t *testing.T) {
	for _, cut := range []int{1, 5} {
		lsys := &linking.LinkSystem{StorageWriteOpener: func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
			return shortWriter{cut}, func(datamodel.Link) error { t.Error("the block is committed"); return nil }, nil
		}}
		w := newWriter(t, lsys, blockio.DefaultLinkPrototype)
		if err := w.Write(t.Context(), hamttest.Must(w.Encode([]byte("\x84\x01\x02\x03\x04")))); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%d bytes less: error %v", cut, err)
		}
	}
}

func TestNormal(t *testing.T) {
	for _, c := range []struct {
		hash         multicodec.Code
		length, want int
	}{
		{multicodec.Sha2_256, -1, 32},
		{multicodec.Sha2_256, 20, 20},
		{multicodec.Sha2_512, -1, 64},
		{multicodec.Identity, 5, -1},
		{0x300100, -1, -1},
	} {
		if got := blockio.Normal(hamttest.LinkPrototype(multicodec.DagCbor, c.hash, c.length)).MhLength; got != c.want {
			t.Errorf("%v of %d bytes: %d, want %d", c.hash, c.length, got, c.want)
		}
	}
}

func TestLink(t *testing.T) {
	want := hamttest.BlockOf(nil).Link
	if got, err := blockio.Link([]byte(want.Binary())); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := blockio.Link([]byte("x")); err == nil {
		t.Error("no CID is a link")
	}
}
