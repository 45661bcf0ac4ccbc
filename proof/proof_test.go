package proof_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

// kinds are maps with other hashes, widths, layouts and blocks.
var kinds = map[string]builder.Prototype{
	"default":     {},
	"many levels": {Params: hamttest.ManyLevels()},
	"filecoin": {
		Params:        params.Filecoin(),
		LinkPrototype: hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Blake2b256, 32),
	},
	"dag-json": {
		Params:        hamttest.ManyLevels(),
		LinkPrototype: hamttest.LinkPrototype(multicodec.DagJson, multicodec.Blake3, 32),
	},
	"murmur3": {Params: params.Params{HashAlg: multicodec.Murmur3X64_64, BitWidth: 4, BucketSize: 2}},
}

// forEachKind tests with a map of each kind.
func forEachKind(t *testing.T, content hamttest.Model, test func(t *testing.T, s *hamttest.Store, m *adl.Node)) {
	for name, prototype := range kinds {
		t.Run(name, func(t *testing.T) {
			s := hamttest.NewStore()
			prototype.LinkSystem = s.LinkSystem()
			test(t, s, hamttest.Build(t, prototype, content))
		})
	}
}

func rootOf(t testing.TB, m *adl.Node) cid.Cid {
	t.Helper()
	return cidOf(hamttest.RootOf(t, m))
}

func cidOf(link datamodel.Link) cid.Cid { return link.(cidlink.Link).Cid }

// checker returns the Checker of a map's kind.
func checker(m *adl.Node) proof.Checker { return proof.Checker{Params: m.Params()} }

func prove(t testing.TB, m *adl.Node, keys ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := proof.Write(t.Context(), &out, m, keys...); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// block is a block of a CAR.
type block struct {
	name  cid.Cid
	bytes []byte
}

// carOf writes a CARv1 as its specification says.
func carOf(t testing.TB, roots []cid.Cid, blocks ...block) []byte {
	t.Helper()
	header, err := qp.BuildMap(basicnode.Prototype.Any, 2, func(m datamodel.MapAssembler) {
		qp.MapEntry(m, "roots", qp.List(1, func(l datamodel.ListAssembler) {
			for _, root := range roots {
				qp.ListEntry(l, qp.Link(cidlink.Link{Cid: root}))
			}
		}))
		qp.MapEntry(m, "version", qp.Int(1))
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := hamttest.Must(ipld.Encode(header, dagcbor.Encode))
	car := append(binary.AppendUvarint(nil, uint64(len(raw))), raw...)
	for _, b := range blocks {
		section := append(b.name.Bytes(), b.bytes...)
		car = append(append(car, binary.AppendUvarint(nil, uint64(len(section)))...), section...)
	}
	return car
}

// blocksOf reads the blocks of a CARv1.
func blocksOf(t testing.TB, car []byte) (blocks []block) {
	t.Helper()
	next := func() []byte {
		n, width := binary.Uvarint(car)
		section := car[width : width+int(n)]
		car = car[width+int(n):]
		return section
	}
	next()
	for len(car) > 0 {
		section := next()
		n, name, err := cid.CidFromBytes(section)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block{name, section[n:]})
	}
	return blocks
}

// pathBlocks returns the blocks that Locate names for keys, each once, in the order
// in which their paths stand in the tree.
func pathBlocks(t testing.TB, s *hamttest.Store, m *adl.Node, keys ...[]byte) (blocks []block) {
	t.Helper()
	located := map[string][]datamodel.Link{}
	for _, key := range keys {
		l, err := m.Locate(t.Context(), key)
		if err != nil && !errors.As(err, new(datamodel.ErrNotExists)) {
			t.Fatal(err)
		}
		for _, link := range l.Blocks {
			located[link.Binary()] = l.Blocks
		}
	}
	for link, err := range m.Blocks(t.Context()) { // in hash order
		if err != nil {
			t.Fatal(err)
		}
		if located[link.Binary()] != nil {
			blocks = append(blocks, block{cidOf(link), s.Block(link)})
		}
	}
	return blocks
}

// expectResults expects that what was proven of keys is so.
func expectResults(t *testing.T, m *adl.Node, keys [][]byte, results []proof.Result) {
	t.Helper()
	if len(results) != len(keys) {
		t.Fatalf("%d results for %d keys", len(results), len(keys))
	}
	for i, r := range results {
		want, ok, err := m.GetRaw(t.Context(), keys[i])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Key, keys[i]) || !bytes.Equal(r.Value, want) || r.Present() != ok {
			t.Fatalf("of %q it is proven that it is %x (%v) under %q; it is %x (%v)", keys[i], r.Value, r.Present(), r.Key, want, ok)
		}
	}
}

// TestWrite: a proof is a CARv1 of the blocks on the paths of the keys, in hash order
// and each once; and what it proves is so. Keys come in any order, may be absent, and
// may be given twice.
func TestWrite(t *testing.T) {
	content := hamttest.Numbered(300)
	content[""] = datamodel.Null
	content["\xff\x00"] = hamttest.DecodeJSON(t, `{"a":[1,2],"b":{}}`)
	forEachKind(t, content, func(t *testing.T, s *hamttest.Store, m *adl.Node) {
		root := rootOf(t, m)
		for _, keys := range [][]string{
			{"key-7"}, {""}, {"\xff\x00"}, {"absent"}, {"key-1", "key-2", "absent", "key-100", "none"}, {"key-1", "key-1"},
		} {
			var raw [][]byte
			for _, key := range keys {
				raw = append(raw, []byte(key))
			}
			car := prove(t, m, raw...)
			if want := carOf(t, []cid.Cid{root}, pathBlocks(t, s, m, raw...)...); !bytes.Equal(car, want) {
				t.Fatalf("%q: got\n%x, want\n%x", keys, car, want)
			}
			results, err := checker(m).Check(bytes.NewReader(car), root, raw...)
			if err != nil {
				t.Fatalf("%q: %v", keys, err)
			}
			expectResults(t, m, raw, results)
		}
	})
}

// TestWriteFixtures proves the keys of the maps that JavaScript made, and that one
// more is absent.
func TestWriteFixtures(t *testing.T) {
	for _, document := range []string{"alice-words.md", "bit-widths.md", "edits.md", "values.md", "keys.md", "hashes.md", "leftovers.md"} {
		hamttest.Fixtures(t, document, func(t *testing.T, c hamttest.Fixture) {
			s, root := hamttest.StoredFixture(t, c)
			m := hamttest.Load(t, s, root)
			keys := [][]byte{[]byte("\x00absent")}
			for key, err := range m.Keys(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if keys = append(keys, key); len(keys) == 30 {
					break
				}
			}
			for _, some := range append([][][]byte{keys}, keys[:1], keys[len(keys)-1:]) {
				results, err := proof.Check(bytes.NewReader(prove(t, m, some...)), cidOf(root), some...)
				if err != nil {
					t.Fatal(err)
				}
				expectResults(t, m, some, results)
			}
		})
	}
}

// TestAbsent: each way in which a key is not there is proven, by the blocks down to
// where that is seen and none below.
func TestAbsent(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	below := h.Put(h.Node("\x01\x02\x03\x04",
		h.Bucket("\x00\x01", 1), h.Bucket("\x00\x02", 2), h.Bucket("\x00\x03", 3), h.Bucket("\x00\x04", 4)))
	root := h.Root("\x00\x07", h.Link(below), h.Bucket("\x07\x01", 5))
	m := hamttest.Load(t, h.Store, root)
	for _, test := range []struct {
		name, key string
		blocks    int
	}{
		{"no element in the root", "\x08", 1},
		{"the root's bucket lacks it", "\x07\x02", 1},
		{"no element below", "\x00\x09", 2},
		{"the bucket below lacks it", "\x00\x01\x01", 2},
		{"the digest is used up at a link", "\x00", 1},
		{"the digest is used up at once", "", 1},
	} {
		car := prove(t, m, []byte(test.key))
		if n := len(blocksOf(t, car)); n != test.blocks {
			t.Errorf("%s: %d blocks", test.name, n)
		}
		if got := pathBlocks(t, h.Store, m, []byte(test.key)); len(got) != test.blocks {
			t.Errorf("%s: Locate names %d blocks", test.name, len(got))
		}
		results, err := proof.Check(bytes.NewReader(car), cidOf(root), []byte(test.key))
		if err != nil || results[0].Present() {
			t.Errorf("%s: %v, %v", test.name, results, err)
		}
	}
}

// TestReified: a map that came from plain data can be proven, though its root may be
// in no store.
func TestReified(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(50))
	lsys := s.LinkSystem()
	plain := hamttest.LoadAny(t, lsys, root)
	s.Remove(root)
	reified, err := hamt.Reify(ipld.LinkContext{Ctx: t.Context()}, plain, lsys)
	if err != nil {
		t.Fatal(err)
	}
	car := prove(t, reified.(*adl.Node), []byte("key-7"))
	if _, err := proof.Check(bytes.NewReader(car), cidOf(root), []byte("key-7")); err != nil {
		t.Error(err)
	}
}

// TestWriteFails: what cannot be proven is not written, and the error names the block.
func TestWriteFails(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	var out bytes.Buffer
	err := proof.Write(t.Context(), &out, hamttest.Load(t, b.Store, b.Root), []byte(b.Key))
	hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
	if out.Len() > 0 {
		t.Errorf("%d bytes were written", out.Len())
	}

	// Trusted storage is not trusted here: a proof that nobody takes is none.
	b = hamttest.NewBrokenTree(t)
	b.Answer(func(raw []byte) []byte { return append(slices.Clip(raw), 0) })
	lsys := b.Store.LinkSystem()
	lsys.TrustedStorage = true
	m := hamttest.Must(hamt.Load(t.Context(), lsys, b.Root))
	err = proof.Write(t.Context(), io.Discard, m, []byte(b.Key))
	hamttest.ExpectFaultAt(t, err, fault.ErrHashMismatch, b.Link, b.Path)

	if err := proof.Write(t.Context(), io.Discard, m); err == nil {
		t.Error("no keys are proven")
	}
	if err := proof.Write(t.Context(), io.Discard, nil, []byte("key")); err == nil {
		t.Error("no map is proven")
	}
	full := errors.New("disk full")
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(5))
	if err := proof.Write(t.Context(), failingWriter{full}, hamttest.Load(t, s, root), []byte("key-1")); !errors.Is(err, full) {
		t.Errorf("got error %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestWriteLoadsAhead: over a slow store, the blocks of many keys are asked for
// together, and the proof is the same.
func TestWriteLoadsAhead(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(300))
	var keys [][]byte
	for i := range 40 {
		keys = append(keys, fmt.Appendf(nil, "key-%d", 7*i))
	}
	want := prove(t, hamttest.Load(t, s, root), keys...)
	s.Delay = func(datamodel.Link) time.Duration { return hamttest.Delay }
	synctest.Test(t, func(t *testing.T) {
		if got := prove(t, hamttest.Load(t, s, root), keys...); !bytes.Equal(got, want) {
			t.Error("the proof is another one")
		}
	})
	if s.Most() < 4 {
		t.Errorf("at most %d loads were under way", s.Most())
	}
}

// proven is a proof and what it is of.
type proven struct {
	m    *adl.Node
	root cid.Cid
	keys [][]byte
	car  []byte
}

func newProven(t testing.TB) proven {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(60))
	m := hamttest.Load(t, s, root)
	keys := [][]byte{[]byte("key-7"), []byte("key-30"), []byte("absent")}
	return proven{m, cidOf(root), keys, prove(t, m, keys...)}
}

// expectRefused expects that a proof is refused, for a reason that is named.
func (p proven) expectRefused(t *testing.T, car []byte, kind error, reason string) {
	t.Helper()
	results, err := proof.Check(bytes.NewReader(car), p.root, p.keys...)
	if !errors.Is(err, proof.ErrNotProven) || kind != nil && !errors.Is(err, kind) || results != nil {
		t.Errorf("results %v, error %v", results, err)
	} else if !strings.Contains(err.Error(), reason) {
		t.Errorf("the error is %q, and does not say %q", err, reason)
	}
}

// TestRefused: a proof with a block missing, too many, twice, in another order or
// altered is refused, and so is anything that is no CARv1 of it.
func TestRefused(t *testing.T) {
	p := newProven(t)
	roots, blocks := []cid.Cid{p.root}, blocksOf(t, p.car)
	if len(blocks) < 6 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	if again := carOf(t, roots, blocks...); !bytes.Equal(again, p.car) {
		t.Fatal("the test writes CARs in another way")
	}
	other := hamttest.BlockOf([]byte{0x01})
	extra := block{cidOf(other.Link), other.Bytes}
	for i := range blocks {
		p.expectRefused(t, carOf(t, roots, slices.Delete(slices.Clone(blocks), i, i+1)...), nil, "")
		p.expectRefused(t, carOf(t, roots, slices.Insert(slices.Clone(blocks), i, extra)...), fault.ErrMissing, extra.name.String())
		p.expectRefused(t, carOf(t, roots, slices.Insert(slices.Clone(blocks), i, blocks[i])...), nil, blocks[i].name.String())
		altered := slices.Clone(blocks)
		altered[i].bytes = append(slices.Clone(altered[i].bytes), 0)
		p.expectRefused(t, carOf(t, roots, altered...), fault.ErrHashMismatch, blocks[i].name.String())
		for j := range i {
			swapped := slices.Clone(blocks)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			p.expectRefused(t, carOf(t, roots, swapped...), fault.ErrMissing, swapped[j].name.String())
		}
	}
	p.expectRefused(t, carOf(t, roots, append(slices.Clone(blocks), extra)...), nil, "more than it needs")
	p.expectRefused(t, carOf(t, roots, append(slices.Clone(blocks), blocks[0])...), nil, "more than it needs")
	p.expectRefused(t, append(slices.Clone(p.car), 0), nil, "something")
	for _, header := range []string{
		"", "\x00", "\x01\xa0", "\x01\x01", "\x0a\xa1\x67version\x02", "\x0b\xa1\x67version\x01\x00", "\x0a\xa1\x67versiom\x01",
		"\x11\xa2\x65roots\x01\x67version\x01", "\x12\xa2\x65roots\x81\x01\x67version\x01", "\x11\xa2\x65rootz\x80\x67version\x01",
		"\x11\xa2\x67version\x01\x65roots\x80", "\x1b\xa2\x65roots\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x67version\x01",
	} {
		p.expectRefused(t, append([]byte(header), p.car[len(carOf(t, roots)):]...), nil, "")
	}
	for n := range p.car {
		p.expectRefused(t, p.car[:n], nil, "")
	}
	// A length that is not written the one short way.
	header := carOf(t, roots)
	rest := p.car[len(header):]
	length, width := binary.Uvarint(rest)
	if width != 2 {
		t.Fatalf("the length takes %d bytes", width)
	}
	long := append(slices.Clone(header), byte(length)|0x80, byte(length>>7)|0x80, 0)
	p.expectRefused(t, append(long, rest[width:]...), nil, "varint")
	p.expectRefused(t, append(slices.Clone(header), bytes.Repeat([]byte{0xff}, 20)...), nil, "varint")
}

// TestRootsInHeader: which roots a proof names does not matter, nor whether it names
// some: it says nothing of itself.
func TestRootsInHeader(t *testing.T) {
	p := newProven(t)
	blocks := blocksOf(t, p.car)
	without := append([]byte("\x0a\xa1\x67version\x01"), p.car[len(carOf(t, []cid.Cid{p.root})):]...)
	for _, car := range [][]byte{
		without, carOf(t, nil, blocks...), carOf(t, []cid.Cid{blocks[1].name}, blocks...), carOf(t, []cid.Cid{blocks[1].name, p.root}, blocks...),
	} {
		results, err := proof.Check(bytes.NewReader(car), p.root, p.keys...)
		if err != nil {
			t.Fatal(err)
		}
		expectResults(t, p.m, p.keys, results)
	}
}

// TestRefusedOther: a proof is refused for another root, another version of the map,
// another key, and other keys.
func TestRefusedOther(t *testing.T) {
	p := newProven(t)
	txn := hamttest.Must(builder.NewTxn(p.m))
	if err := txn.SetString("key-7", basicnode.NewInt(8)); err != nil {
		t.Fatal(err)
	}
	next, link, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof.Check(bytes.NewReader(p.car), cidOf(link), p.keys...); !errors.Is(err, proof.ErrNotProven) {
		t.Errorf("for the next version: %v", err)
	}
	if _, err := proof.Check(bytes.NewReader(prove(t, next, p.keys...)), p.root, p.keys...); !errors.Is(err, proof.ErrNotProven) {
		t.Errorf("for the version before: %v", err)
	}
	// The blocks of another version under the right root.
	forged := carOf(t, []cid.Cid{p.root}, blocksOf(t, prove(t, next, p.keys...))...)
	if _, err := proof.Check(bytes.NewReader(forged), p.root, p.keys...); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("for the blocks of another version: %v", err)
	}
	refused := 0
	for i := range 60 {
		key := fmt.Appendf(nil, "key-%d", i)
		for _, keys := range [][][]byte{{key}, append(slices.Clip(p.keys), key)} {
			results, err := proof.Check(bytes.NewReader(p.car), p.root, keys...)
			// The blocks may be the same: then that key is proven as well.
			if same := bytes.Equal(prove(t, p.m, keys...), p.car); same && err == nil {
				expectResults(t, p.m, keys, results)
			} else if same || !errors.Is(err, proof.ErrNotProven) {
				t.Errorf("for %q: %v", keys, err)
			} else {
				refused++
			}
		}
	}
	if refused < 60 {
		t.Errorf("only %d were refused", refused)
	}
}

// TestParamsAreTheVerifiers: in Filecoin's layouts, which say nothing of themselves,
// a proof under other parameters is refused or proves the same.
func TestParamsAreTheVerifiers(t *testing.T) {
	prototype := kinds["filecoin"]
	prototype.LinkSystem = hamttest.NewStore().LinkSystem()
	m := hamttest.Build(t, prototype, hamttest.Numbered(300))
	key := []byte("key-7")
	car := prove(t, m, key)
	for _, p := range []params.Params{{}, {Layout: params.FilecoinV0}, {Layout: params.FilecoinV3, BitWidth: 6}, {Layout: params.FilecoinV3, HashAlg: multicodec.Blake3}} {
		if results, err := (proof.Checker{Params: p}).Check(bytes.NewReader(car), rootOf(t, m), key); !errors.Is(err, proof.ErrNotProven) {
			t.Errorf("under %v: %v, %v", p, results, err)
		}
	}
	if _, err := (proof.Checker{Params: params.Params{BitWidth: 99}}).Check(bytes.NewReader(car), rootOf(t, m), key); err == nil || errors.Is(err, proof.ErrNotProven) {
		t.Errorf("parameters that there are not: %v", err)
	}
}

// TestBudget: a proof that is larger than is allowed is refused before it is read
// whole; one that is not is taken.
func TestBudget(t *testing.T) {
	p := newProven(t)
	n := len(blocksOf(t, p.car))
	for _, test := range []struct {
		checker proof.Checker
		enough  bool
	}{
		{proof.Checker{MaxBlocks: n}, true},
		{proof.Checker{MaxBlocks: n - 1}, false},
		{proof.Checker{MaxBlocks: 1}, false},
		{proof.Checker{MaxBytes: int64(len(p.car))}, true},
		{proof.Checker{MaxBytes: int64(len(p.car)) - 1}, false},
		{proof.Checker{MaxBytes: 1}, false},
	} {
		_, err := test.checker.Check(bytes.NewReader(p.car), p.root, p.keys...)
		if test.enough && err != nil || !test.enough && (!errors.Is(err, proof.ErrBudget) || !errors.Is(err, proof.ErrNotProven)) {
			t.Errorf("%+v: %v", test.checker, err)
		}
	}
	// What is announced takes no memory before it comes.
	huge := binary.AppendUvarint(carOf(t, []cid.Cid{p.root}), 60<<20)
	before := allocated()
	if _, err := proof.Check(bytes.NewReader(huge), p.root, p.keys...); !errors.Is(err, proof.ErrNotProven) {
		t.Error(err)
	}
	if took := allocated() - before; took > 8<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
}

// allocated is how many bytes were allocated so far.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// TestUnreadable: that a proof cannot be read, or that nothing was asked, is not that
// it is wrong.
func TestUnreadable(t *testing.T) {
	p := newProven(t)
	broken := errors.New("broken pipe")
	for n := range p.car {
		r := io.MultiReader(bytes.NewReader(p.car[:n]), iotest.ErrReader(broken))
		if _, err := proof.Check(r, p.root, p.keys...); !errors.Is(err, broken) || errors.Is(err, proof.ErrNotProven) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	if _, err := proof.Check(iotest.OneByteReader(bytes.NewReader(p.car)), p.root, p.keys...); err != nil {
		t.Errorf("byte by byte: %v", err)
	}
	for name, err := range map[string]error{
		"no keys":  second(proof.Check(bytes.NewReader(p.car), p.root)),
		"no root":  second(proof.Check(bytes.NewReader(p.car), cid.Undef, p.keys...)),
		"no proof": second(proof.Check(nil, p.root, p.keys...)),
	} {
		if err == nil || errors.Is(err, proof.ErrNotProven) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestEveryByte: whatever is done to one byte of a proof, it is refused, unless that is
// in the roots of the header: then it proves the same.
func TestEveryByte(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 16
	}
	for name, n := range map[string]int{"one block": 2, "some blocks": 5} {
		s := hamttest.NewStore()
		m := hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}, hamttest.Numbered(n))
		root := rootOf(t, m)
		for _, key := range [][]byte{[]byte("key-1"), []byte("absent")} {
			car := prove(t, m, key)
			roots := len(carOf(t, []cid.Cid{root})) - len("\x67version\x01")
			for at, b := range car {
				for change := 1; change < 256; change += step {
					car[at] = b ^ byte(change)
					results, err := proof.Check(bytes.NewReader(car), root, key)
					if err == nil && at < roots {
						expectResults(t, m, [][]byte{key}, results)
					} else if !errors.Is(err, proof.ErrNotProven) {
						t.Fatalf("%s, %q: byte %d of %d changed to %x: %v, %v", name, key, at, len(car), car[at], results, err)
					}
				}
				car[at] = b
			}
		}
	}
}

// TestWeakLinks: links that do not bind are refused on both sides: whoever made the
// map could prove anything.
func TestWeakLinks(t *testing.T) {
	for name, lp := range map[string]cidlink.LinkPrototype{
		"short digest":            hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, 19),
		"no hash of cryptography": hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Murmur3X64_64, 8),
		"a broken one":            hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha1, 20),
	} {
		s := hamttest.NewStore()
		prototype := builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem(), LinkPrototype: lp}
		m := hamttest.Build(t, prototype.ReadWith(hamt.WithWeakDigests()), hamttest.Numbered(20))
		key := []byte("key-7")
		if err := proof.Write(t.Context(), io.Discard, m, key); err == nil {
			t.Errorf("%s: it is written", name)
		}
		car := carOf(t, []cid.Cid{rootOf(t, m)}, pathBlocks(t, s, m, key)...)
		if results, err := proof.Check(bytes.NewReader(car), rootOf(t, m), key); !errors.Is(err, proof.ErrNotProven) {
			t.Errorf("%s: %v, %v", name, results, err)
		}
	}
	for name, lp := range map[string]cidlink.LinkPrototype{
		"20 bytes":    hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, 20),
		"blake2b-256": hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Blake2b256, 32),
		"sha3-512":    hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha3_512, 64),
	} {
		m := hamttest.Build(t, builder.Prototype{LinkPrototype: lp, LinkSystem: hamttest.NewStore().LinkSystem()}, hamttest.Numbered(20))
		if _, err := proof.Check(bytes.NewReader(prove(t, m, []byte("key-7"))), rootOf(t, m), []byte("key-7")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRepeatedBlocks: a block that stands at two places, as deletes of iamap leave
// them, comes once.
func TestRepeatedBlocks(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	empty := h.Put(h.Node("\x05", []byte{0x80}))
	root := h.Root("\x00\x01\x02", h.Link(empty), h.Bucket("\x01", 1), h.Link(empty))
	m := hamttest.Load(t, h.Store, root)
	keys := [][]byte{{0, 5}, {2, 5}, {1}}
	car := prove(t, m, keys...)
	if n := len(blocksOf(t, car)); n != 2 {
		t.Errorf("%d blocks", n)
	}
	results, err := proof.Check(bytes.NewReader(car), cidOf(root), keys...)
	if err != nil {
		t.Fatal(err)
	}
	expectResults(t, m, keys, results)

	car = provePrefix(t, m, nil, 0)
	if n := len(blocksOf(t, car)); n != 2 {
		t.Errorf("%d blocks of the whole map", n)
	}
	if results, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(root), nil, 0); err != nil || len(results) != 1 {
		t.Errorf("%d entries, %v", len(results), err)
	}
}
