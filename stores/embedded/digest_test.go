package embedded

import (
	"errors"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// TestWeakDigests: a CID that does not say which block is meant is neither taken nor
// looked up, nor named as a root, unless that is asked for.
func TestWeakDigests(t *testing.T) {
	hash, err := multihash.Sum([]byte("block"), multihash.SHA2_256, 19)
	if err != nil {
		t.Fatal(err)
	}
	weak := cid.NewCidV1(cid.Raw, hash)
	dir := t.TempDir()
	strong, data := block(t, 1)
	uses := func(s *Store) map[string]error {
		_, get := s.Get(t.Context(), weak)
		_, has := s.Has(t.Context(), weak)
		_, read := load(s, weak)
		return map[string]error{
			"Put": s.Put(t.Context(), weak, []byte("block")), "Get": get, "Has": has, "LoadRaw": read,
			"Publish": s.Publish(t.Context(), weak), "SetName": s.SetName(t.Context(), "weak", weak),
			"MoveName": s.MoveName(t.Context(), "strong", strong, weak),
		}
	}
	s := open(t, dir, true)
	if err := s.Put(t.Context(), strong, data); err != nil {
		t.Fatal(err)
	}
	if err := s.SetName(t.Context(), "strong", strong); err != nil {
		t.Fatal(err)
	}
	for use, err := range uses(s) {
		if !errors.Is(err, stores.ErrWeakDigest) {
			t.Errorf("%s: %v", use, err)
		}
	}
	s.AllowWeakDigests()
	if err := s.Put(t.Context(), weak, []byte("block")); err != nil {
		t.Error(err)
	}
	for use, err := range uses(s) {
		if err != nil {
			t.Errorf("%s, allowed: %v", use, err)
		}
	}
	closeStore(t, s)
	s = open(t, dir, false)
	defer closeStore(t, s)
	if _, err := load(s, weak); !errors.Is(err, stores.ErrWeakDigest) {
		t.Errorf("after it was allowed: %v", err)
	}
}
