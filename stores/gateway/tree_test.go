package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

var dagCBOR = cidlink.LinkPrototype{Prefix: cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)}

// list stores a list of links.
func (b *content) list(links ...cid.Cid) cid.Cid {
	node, err := qp.BuildList(basicnode.Prototype.Any, -1, func(list datamodel.ListAssembler) {
		for _, c := range links {
			qp.ListEntry(list, qp.Link(cidlink.Link{Cid: c}))
		}
	})
	if err != nil {
		panic(err)
	}
	link, err := b.linkSystem().Store(linking.LinkContext{}, dagCBOR, node)
	if err != nil {
		panic(err)
	}
	return link.(cidlink.Link).Cid
}

// small is a tree of five blocks, one of which is linked to twice, in the order
// of a depth-first walk.
func small() (b *content, order []cid.Cid) {
	b = newContent()
	one, two, three := b.raw("one"), b.raw("two"), b.raw("three")
	left := b.list(one, two)
	root := b.list(left, three, one)
	return b, []cid.Cid{root, left, one, two, three}
}

// fetch asks for a tree and gives what was delivered.
func fetch(t *testing.T, s *Store, b *content, root cid.Cid) (delivered []cid.Cid, err error) {
	t.Helper()
	err = s.Tree(t.Context(), root, func(c cid.Cid, block []byte) error {
		if !bytes.Equal(block, b.block(c)) {
			t.Errorf("%s is %q", c, block)
		}
		delivered = append(delivered, c)
		return nil
	})
	return delivered, err
}

func TestTree(t *testing.T) {
	b, order := small()
	g := serve(t, honest(b, order...))
	got, err := fetch(t, open(t, once, g), b, order[0])
	if err != nil || fmt.Sprint(got) != fmt.Sprint(order) {
		t.Errorf("%v, %v", got, err)
	}
	if g.asked.Load() != 1 {
		t.Errorf("%d requests", g.asked.Load())
	}
}

// car returns a CAR of sections, as a gateway may make one up.
func car(sections ...[2][]byte) []byte {
	var out bytes.Buffer
	header := []byte("\x11\xa2eroots\x80gversion\x01")
	out.Write(header)
	for _, s := range sections {
		out.Write(varint(len(s[0]) + len(s[1])))
		out.Write(s[0])
		out.Write(s[1])
	}
	return out.Bytes()
}

func varint(n int) []byte {
	var out []byte
	for ; n > 0x7f; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

func TestFaultyTrees(t *testing.T) {
	b, order := small()
	section := func(c cid.Cid) [2][]byte { return [2][]byte{c.Bytes(), b.block(c)} }
	sections := func(cids ...cid.Cid) (all [][2][]byte) {
		for _, c := range cids {
			all = append(all, section(c))
		}
		return all
	}
	whole := car(sections(order...)...)
	junk := [2][]byte{newContent().raw("junk").Bytes(), []byte("junk")}
	lie := [2][]byte{order[2].Bytes(), []byte("ONE")}
	cutShort := func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrNoCAR) }
	noCAR := func(err error) bool { return errors.Is(err, ErrNoCAR) && !wrongBytes(err) }
	good := func(err error) bool { return err == nil }
	for name, test := range map[string]struct {
		car       []byte
		delivered int
		is        func(error) bool
	}{
		"nothing":               {nil, 0, cutShort},
		"only a header":         {car(), 0, cutShort},
		"an end between blocks": {car(sections(order[:3]...)...), 3, cutShort},
		"an end within a block": {whole[:len(whole)-2], 4, cutShort},
		"something else":        {[]byte("<html>"), 0, func(err error) bool { return err != nil }},
		"a mark of truncation": {append(car(sections(order[:2]...)...), "\n\n[Gateway Error: CAR stream truncated]"...), 2,
			func(err error) bool { return strings.Contains(err.Error(), "damaged") }},
		"a section too long": {append(car(sections(order[:2]...)...), varint(1<<30)...), 2,
			func(err error) bool { return strings.Contains(err.Error(), "damaged") }},
		"a length without end": {append(car(sections(order[:2]...)...), bytes.Repeat([]byte{0x80}, 1<<16)...), 2,
			func(err error) bool { return strings.Contains(err.Error(), "damaged") }},
		"a section without a CID": {append(car(sections(order[:2]...)...), 1, 0), 2,
			func(err error) bool { return strings.Contains(err.Error(), "damaged") }},
		"a block within its CID": {car(section(order[0]), [2][]byte{inlined(cid.Raw, []byte("x")).Bytes(), []byte("x")}), 1, noCAR},
		"a CID of a MiB":         {car(section(order[0]), [2][]byte{inlined(cid.Raw, make([]byte, 1<<20)).Bytes(), nil}), 1, noCAR},
		"wrong bytes":            {car(section(order[0]), section(order[1]), lie), 2, wrongBytes},
		"a block of no tree":     {car(section(order[0]), junk), 1, noCAR},
		"a block of no tree, for a link that repeats": {car(section(order[0]), section(order[1]), junk), 2, noCAR},
		"another root":            {car(sections(order[1:]...)...), 0, noCAR},
		"children before parents": {car(section(order[2]), section(order[0])), 0, noCAR},
		"a block for each link":   {car(sections(order[0], order[1], order[2], order[3], order[2], order[4])...), 5, good},
		"a block for ever":        {car(sections(order[0], order[1], order[1], order[1])...), 2, noCAR},
		"more behind it":          {append(bytes.Clone(whole), whole...), 5, good},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/vnd.ipld.car")
				_, _ = w.Write(test.car)
			})
			got, err := fetch(t, open(t, once, g), b, order[0])
			if len(got) != test.delivered || !test.is(err) {
				t.Errorf("%d blocks, %v", len(got), err)
			}
			if err != nil && !strings.Contains(err.Error(), g.URL) {
				t.Errorf("%v does not name the gateway", err)
			}
		})
	}
}

// TestNoTrees wants gateways that cannot give trees to be found out once.
func TestNoTrees(t *testing.T) {
	b, order := small()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"400": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) },
		"406": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotAcceptable) },
		"415": func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnsupportedMediaType) },
		"501": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotImplemented) },
		"page": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		},
		"raw": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.ipld.raw")
			_, _ = w.Write(b.block(order[0]))
		},
		"any order": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/vnd.ipld.car; version=1; order=unk")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if wantsCAR(r) {
					answer(w)
					return
				}
				honest(b)(w, r)
			})
			able := serve(t, honest(b, order...))
			s := open(t, once, g, able)
			for range 2 {
				if got, err := fetch(t, s, b, order[0]); err != nil || len(got) != len(order) {
					t.Errorf("%d blocks, %v", len(got), err)
				}
			}
			if n := g.cars.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
			// It is as good as any for blocks.
			if _, err := s.Get(t.Context(), order[1]); err != nil || g.asked.Load() != 2 {
				t.Errorf("asked %d times, %v", g.asked.Load(), err)
			}
			s = open(t, once, g)
			for range 2 {
				if _, err := fetch(t, s, b, order[0]); !errors.Is(err, ErrNoCAR) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// TestTreeOfTheNext wants another gateway only until one begins to deliver.
func TestTreeOfTheNext(t *testing.T) {
	b, order := small()
	absent := serve(t, honest(newContent(), order...))
	hanging := serve(t, with(b, faults["never answers"].answer))
	good := serve(t, honest(b, order...))
	o := remote.Options{Retries: -1, Timeout: 200 * time.Millisecond}
	if got, err := fetch(t, open(t, o, absent, hanging, good), b, order[0]); err != nil || len(got) != len(order) {
		t.Errorf("%d blocks, %v", len(got), err)
	}
	if _, err := fetch(t, open(t, o, absent, absent), b, order[0]); !stores.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	broken := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ipld.car")
		_, _ = w.Write(car([2][]byte{order[0].Bytes(), b.block(order[0])}))
		w.(http.Flusher).Flush()
		hangUp(w)
	})
	before := good.asked.Load()
	got, err := fetch(t, open(t, remote.Options{}, broken, good), b, order[0])
	if len(got) != 1 || err == nil || good.asked.Load() != before || broken.asked.Load() != 1 {
		t.Errorf("%d blocks, %v", len(got), err)
	}
}

// TestTreeAgain wants a gateway that may have a tree another time to be asked
// for it then.
func TestTreeAgain(t *testing.T) {
	b, order := small()
	var g *server
	g = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if g.asked.Load() == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		honest(b, order...)(w, r)
	})
	if got, err := fetch(t, open(t, remote.Options{}, g), b, order[0]); err != nil || len(got) != len(order) {
		t.Errorf("%d blocks, %v", len(got), err)
	}
}

// TestTreeStopped wants the caller to be able to end it, at no gateway's fault.
func TestTreeStopped(t *testing.T) {
	b, order := small()
	g := serve(t, honest(b, order...))
	s := open(t, remote.Options{}, g)
	enough := errors.New("enough")
	n := 0
	err := s.Tree(t.Context(), order[0], func(cid.Cid, []byte) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	})
	if err != enough || n != 2 || g.asked.Load() != 1 || s.sources[0].health.failures != 0 {
		t.Errorf("%d blocks, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ipld.car")
		_, _ = w.Write(car([2][]byte{order[0].Bytes(), b.block(order[0])}))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	err = open(t, remote.Options{}, slow).Tree(ctx, order[0], func(cid.Cid, []byte) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestSlowTree wants a tree to take longer than a request may, as long as it
// goes on.
func TestSlowTree(t *testing.T) {
	b, order := small()
	var stall atomic.Bool
	g := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ipld.car")
		_, _ = w.Write(car())
		for _, c := range order {
			_, _ = w.Write(car([2][]byte{c.Bytes(), b.block(c)})[len(car()):])
			w.(http.Flusher).Flush()
			if stall.Load() {
				<-r.Context().Done()
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	s := open(t, remote.Options{Timeout: 300 * time.Millisecond}, g)
	if got, err := fetch(t, s, b, order[0]); err != nil || len(got) != len(order) {
		t.Errorf("%d blocks, %v", len(got), err)
	}
	stall.Store(true)
	if got, err := fetch(t, s, b, order[0]); err == nil || len(got) != 1 {
		t.Errorf("%d blocks, %v", len(got), err)
	}
}

// TestDrippingTree wants a tree to be given up that goes on for ever and never
// comes to its next block.
func TestDrippingTree(t *testing.T) {
	b, order := small()
	// A CARv2 says where in it the blocks begin.
	far := append([]byte("\x0a\xa1gversion\x02"), make([]byte, 40)...)
	binary.LittleEndian.PutUint64(far[11+16:], 1<<60)
	binary.LittleEndian.PutUint64(far[11+24:], 1<<20)
	root := car([2][]byte{order[0].Bytes(), b.block(order[0])})
	for name, test := range map[string]struct {
		begin     []byte
		pause     time.Duration
		delivered int
	}{
		"before the header": {varint(1000), 20 * time.Millisecond, 0},
		"before the blocks": {far, 0, 0},
		"within a block":    {append(root, varint(1<<20)...), 20 * time.Millisecond, 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/vnd.ipld.car")
				_, _ = w.Write(test.begin)
				drip := order[1].Bytes()
				if test.pause == 0 {
					drip = make([]byte, 1<<16)
				}
				for i := 0; r.Context().Err() == nil; i++ {
					if test.pause > 0 {
						drip = drip[:1]
						time.Sleep(test.pause)
					}
					if _, err := w.Write(drip); err != nil {
						return
					}
					w.(http.Flusher).Flush()
				}
			})
			began := time.Now()
			got, err := fetch(t, open(t, remote.Options{Retries: -1, Timeout: 300 * time.Millisecond}, g), b, order[0])
			if len(got) != test.delivered || err == nil || !strings.Contains(err.Error(), "300ms") {
				t.Errorf("%d blocks, %v", len(got), err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("that took %v", took)
			}
		})
	}
}

// TestTooManyBlocks wants what is remembered to have a bound, links to blocks
// that never come included.
func TestTooManyBlocks(t *testing.T) {
	b, order := small()
	for most, want := range map[int]int{5: 2, 4: 1, 3: 0} {
		visited := 0
		tree := newTree(order[0], most, func(cid.Cid, []byte) error { visited++; return nil })
		var err error
		for _, c := range order[:2] {
			if err = tree.add(c, b.block(c)); err != nil {
				break
			}
		}
		if visited != want || (err != nil) != (want < 2) || tree.stopped != err {
			t.Errorf("at most %d: %d visited, %v", most, visited, err)
		}
	}
}

// inlined is the CID that holds a block.
func inlined(codec uint64, data []byte) cid.Cid {
	c, err := cid.V1Builder{Codec: codec, MhType: multihash.IDENTITY}.Sum(data)
	if err != nil {
		panic(err)
	}
	return c
}

// TestLinksOf wants the links of blocks that stand within links, too.
func TestLinksOf(t *testing.T) {
	b := newContent()
	one, two := b.raw("one"), b.raw("two")
	list := b.list(one, two)
	within := b.list(inlined(cid.DagCBOR, b.block(list)), inlined(cid.Raw, []byte("x")))
	for c, want := range map[cid.Cid][]cid.Cid{
		list:                                  {one, two},
		within:                                {one, two},
		one:                                   nil,
		b.put(cid.DagCBOR, []byte("no CBOR")): nil,
	} {
		if got := linksOf(c, b.block(c)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v", c, got)
		}
	}
	// Each level is as long as all those within it.
	nested := inlined(cid.Raw, nil)
	for range 200 {
		nested = inlined(cid.DagCBOR, b.block(b.list(nested, one)))
	}
	if got := linksOf(b.list(nested), b.block(b.list(nested))); len(got) != maxInlined {
		t.Errorf("%d links", len(got))
	}
}

// TestTreeOfWeakDigests: what any bytes could be is neither asked for nor delivered.
func TestTreeOfWeakDigests(t *testing.T) {
	b, order := small()
	hash, err := multihash.Sum(b.block(order[2]), multihash.SHA2_256, 19)
	if err != nil {
		t.Fatal(err)
	}
	weak := cid.NewCidV1(cid.Raw, hash)
	b.Bag[weak.KeyString()] = b.block(order[2])
	root := b.list(order[3], weak, order[4])
	g := serve(t, honest(b, root, order[3], weak, order[4]))
	s := open(t, once, g)
	got, err := fetch(t, s, b, root)
	if !errors.Is(err, stores.ErrWeakDigest) || len(got) != 2 {
		t.Errorf("%d blocks, %v", len(got), err)
	}
	if _, err := fetch(t, s, b, weak); !errors.Is(err, stores.ErrWeakDigest) || g.asked.Load() != 1 {
		t.Errorf("as the root: %v, %d requests", err, g.asked.Load())
	}
	s.AllowWeakDigests()
	if got, err := fetch(t, s, b, root); err != nil || len(got) != 4 {
		t.Errorf("allowed: %d blocks, %v", len(got), err)
	}
}
