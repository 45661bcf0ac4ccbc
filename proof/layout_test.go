package proof_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
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
