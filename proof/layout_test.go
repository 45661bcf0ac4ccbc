package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

// TestFilecoinV0: entries of the older layout can be proven, and changes cannot, since
// nobody writes it any more.
func TestFilecoinV0(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	root := h.Put([]byte("\x82\x41\x02\x81\xa1\x611\x81\x82\x41\x08\x01")) // index 1: {"1": [[0x08, 1]]}
	p := params.Params{IdentityHash: true, BitWidth: 5, BucketSize: 3, Layout: params.FilecoinV0}
	m := hamttest.Load(t, h.Store, root, hamt.WithParams(p))
	keys := [][]byte{{8}, {9}}
	results, err := (proof.Checker{Params: p}).Check(bytes.NewReader(prove(t, m, keys...)), cidOf(root), keys...)
	if err != nil || !bytes.Equal(results[0].Value, []byte{1}) || results[1].Present() {
		t.Errorf("%v, %v", results, err)
	}
	changes := []proof.Change{{Key: keys[0]}}
	if _, err := proof.WriteChange(t.Context(), io.Discard, m, changes); !errors.Is(err, fault.ErrReadOnlyLayout) {
		t.Errorf("written: %v", err)
	}
	err = (proof.Checker{Params: p}).CheckChange(bytes.NewReader(prove(t, m, keys[0])), cidOf(root), cidOf(root), changes)
	if !errors.Is(err, fault.ErrReadOnlyLayout) {
		t.Errorf("checked: %v", err)
	}
}

// TestPyHAMT: entries and changes are proven in the layout of py-hamt as in any
// other, and values that it cannot hold are refused.
func TestPyHAMT(t *testing.T) {
	sample := hamttest.PyHAMTSample(t, "kept100_fresh")
	p := params.PyHAMT()
	m := hamttest.Load(t, sample.Store, sample.Root, hamt.WithParams(p))
	keys := [][]byte{[]byte("precip/c/0/77"), []byte("absent")}
	results, err := (proof.Checker{Params: p}).Check(bytes.NewReader(prove(t, m, keys...)), cidOf(sample.Root), keys...)
	if err != nil || !results[0].Present() || results[1].Present() {
		t.Errorf("%v, %v", results, err)
	}
	changes := []proof.Change{{Key: keys[1], Value: results[0].Value}, {Key: keys[0]}}
	var out bytes.Buffer
	changed, err := proof.WriteChange(t.Context(), &out, m, changes)
	if err != nil {
		t.Fatal(err)
	}
	if err := (proof.Checker{Params: p}).CheckChange(&out, cidOf(sample.Root), changed, changes); err != nil {
		t.Error(err)
	}
	for kind, change := range map[error]proof.Change{
		fault.ErrValue: {Key: keys[1], Value: []byte{1}},
		fault.ErrKey:   {Key: []byte{0xff}, Value: results[0].Value},
	} {
		if _, err := proof.WriteChange(t.Context(), io.Discard, m, []proof.Change{change}); !errors.Is(err, kind) {
			t.Errorf("want %v: %v", kind, err)
		}
	}
}

// TestPyHAMT3: in the layout of py-hamt 3, a node may be a file of several blocks. All of
// them are in the proof, each after the one that links to it.
func TestPyHAMT3(t *testing.T) {
	s := hamttest.NewStore()
	content := hamttest.Model{}
	for i := range 600 {
		raw := fmt.Appendf(nil, "value %d", i)
		content[fmt.Sprint("key-", i)] = basicnode.NewLink(hamttest.BlockOf(raw).Link)
	}
	p := params.Params{Layout: params.PyHAMT3}.WithDefaults()
	m := hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content)
	l := hamttest.Must(m.Locate(t.Context(), []byte("key-7")))

	// The root once more, as a file in two parts.
	block := s.Block(l.Blocks[0])
	var file []byte
	for _, part := range [][]byte{block[:100], block[100:]} {
		c := hamttest.Must(cid.Prefix{Version: 1, Codec: uint64(multicodec.Raw), MhType: uint64(multicodec.Sha2_256), MhLength: -1}.Sum(part))
		s.Put(c, part)
		link := append([]byte{0x0a, byte(len(c.Bytes()))}, c.Bytes()...)
		file = append(append(file, 0x12, byte(len(link))), link...)
	}
	file = append(file, 0x0a, 0x02, 0x08, 0x02) // Data: of type file
	root := hamttest.Must(cid.Prefix{Version: 1, Codec: uint64(multicodec.DagPb), MhType: uint64(multicodec.Sha2_256), MhLength: -1}.Sum(file))
	s.Put(root, file)

	inFile := hamttest.Load(t, s, cidlink.Link{Cid: root}, hamt.WithParams(p))
	keys := [][]byte{[]byte("key-7"), []byte("none")}
	car := prove(t, inFile, keys...)
	blocks := blocksOf(t, car)
	if len(blocks) < 4 || blocks[0].name != root || blocks[1].name.Prefix().Codec != uint64(multicodec.Raw) {
		t.Errorf("the blocks are %v", names(blocks))
	}
	results, err := (proof.Checker{Params: p}).Check(bytes.NewReader(car), root, keys...)
	if err != nil {
		t.Fatal(err)
	}
	expectResults(t, m, keys, results)
	for i := range blocks {
		fewer := carOf(t, []cid.Cid{root}, slices.Delete(slices.Clone(blocks), i, i+1)...)
		if _, err := (proof.Checker{Params: p}).Check(bytes.NewReader(fewer), root, keys...); !errors.Is(err, proof.ErrNotProven) {
			t.Errorf("without block %d: %v", i, err)
		}
	}

	// Changes, too, and only such as the layout can hold.
	changes := []proof.Change{deletion("key-8"), set("key-9", content["key-7"])}
	car, next := proveChange(t, m, changes)
	want := hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: hamttest.NewStore().LinkSystem()}, apply(t, content, changes))
	if next != rootOf(t, want) {
		t.Errorf("the root is %s, want %s", next, rootOf(t, want))
	}
	if err := checker(m).CheckChange(bytes.NewReader(car), rootOf(t, m), next, changes); err != nil {
		t.Error(err)
	}
	if _, err := proof.WriteChange(t.Context(), io.Discard, m, []proof.Change{set("key-9", basicnode.NewInt(1))}); !errors.Is(err, fault.ErrValue) {
		t.Errorf("got error %v", err)
	}
}
