// Package storetest tests what every kind of store has from its stores.Base.
package storetest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// TestReading tests a kind of store, of which open returns one that holds some
// blocks. They may be larger than blocks are, and other than their CIDs say.
func TestReading(t *testing.T, open func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store) {
	largest, tooLarge := make([]byte, stores.MaxBlockBytes), make([]byte, stores.MaxBlockBytes+1)
	whole, broken := []byte("whole"), []byte("broken")
	within, absent := []byte("within"), []byte("absent")
	s := open(t, map[cid.Cid][]byte{
		sum(t, multihash.SHA2_256, largest):  largest,
		sum(t, multihash.SHA2_256, tooLarge): tooLarge,
		sum(t, multihash.SHA2_256, whole):    whole,
		sum(t, multihash.SHA2_256, broken):   []byte("other bytes"),
	})
	if !stores.Checks(s) {
		t.Error("Get is not known to check")
	}
	for _, test := range []struct {
		name  string
		hash  uint64
		block []byte
		want  func(error) bool
	}{
		{"block", multihash.SHA2_256, whole, nil},
		{"largest block", multihash.SHA2_256, largest, nil},
		{"block in its CID", multihash.IDENTITY, within, nil},
		{"block that is too large", multihash.SHA2_256, tooLarge, is(stores.ErrTooLarge)},
		{"block that is not there", multihash.SHA2_256, absent, stores.IsNotFound},
		{"block with other bytes", multihash.SHA2_256, broken, func(err error) bool {
			return errors.Is(err, stores.ErrWrongBytes) || errors.As(err, new(linking.ErrHashMismatch))
		}},
	} {
		c := sum(t, test.hash, test.block)
		got, err := s.Get(t.Context(), c)
		check(t, "Get of a "+test.name, got, err, test.block, test.want)
		got, err = s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: c})
		check(t, "LoadRaw of a "+test.name, got, err, test.block, test.want)
		if test.want != nil {
			continue
		}
		if has, err := s.Has(t.Context(), c); err != nil || !has {
			t.Errorf("Has of a %s: %v, %v", test.name, has, err)
		}
	}
}

// TestWriting tests a kind of store that takes blocks.
func TestWriting(t *testing.T, s stores.Writable) {
	tooLarge, within := make([]byte, stores.MaxBlockBytes+1), []byte("within")
	lsys := s.LinkSystem()
	for _, test := range []struct {
		name  string
		hash  uint64
		block []byte
		want  error
	}{
		{"block", multihash.SHA2_256, []byte("block"), nil},
		{"block in its CID", multihash.IDENTITY, within, nil},
		{"block that is too large", multihash.SHA2_256, tooLarge, stores.ErrTooLarge},
	} {
		c := sum(t, test.hash, test.block)
		if err := s.Put(t.Context(), c, test.block); !errors.Is(err, test.want) {
			t.Errorf("Put of a %s: %v", test.name, err)
		}
		w, commit, err := lsys.StorageWriteOpener(linking.LinkContext{Ctx: t.Context()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.Write(test.block); err == nil {
			err = commit(cidlink.Link{Cid: c})
		}
		if !errors.Is(err, test.want) {
			t.Errorf("storing a %s: %v", test.name, err)
		}
	}
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// check compares what was read with what should have been.
func check(t *testing.T, what string, got []byte, err error, block []byte, want func(error) bool) {
	t.Helper()
	if want == nil {
		if err != nil || !bytes.Equal(got, block) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	} else if err == nil || !want(err) || got != nil {
		t.Errorf("%s: %d bytes, %v", what, len(got), err)
	}
}

func sum(t *testing.T, hash uint64, block []byte) cid.Cid {
	t.Helper()
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: hash}.Sum(block)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
