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
