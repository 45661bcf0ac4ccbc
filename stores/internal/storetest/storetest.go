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
	within, absent := make([]byte, stores.MaxInlinedBytes), []byte("absent")
	s := open(t, map[cid.Cid][]byte{
		cut(t, whole, 0):                     whole, // the CID of any block
		cut(t, whole, 19):                    whole,
		cut(t, whole, 20):                    whole,
		sum(t, multihash.SHA2_256, largest):  largest,
		sum(t, multihash.SHA2_256, tooLarge): tooLarge,
		sum(t, multihash.SHA2_256, whole):    whole,
		sum(t, multihash.SHA2_256, broken):   []byte("other bytes"),
	})
	if !stores.Checks(s) {
		t.Error("Get is not known to check")
	}
	read := func(name string, c cid.Cid, block []byte, want func(error) bool) {
		t.Helper()
		got, err := s.Get(t.Context(), c)
		check(t, "Get of a "+name, got, err, block, want)
		got, err = s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: c})
		check(t, "LoadRaw of a "+name, got, err, block, want)
	}
	has := func(name string, c cid.Cid) {
		t.Helper()
		if has, err := s.Has(t.Context(), c); err != nil || !has {
			t.Errorf("Has of a %s: %v, %v", name, has, err)
		}
	}
	for _, test := range []struct {
		name  string
		cid   cid.Cid
		block []byte
		want  func(error) bool
	}{
		{"block", sum(t, multihash.SHA2_256, whole), whole, nil},
		{"largest block", sum(t, multihash.SHA2_256, largest), largest, nil},
		{"block in its CID", sum(t, multihash.IDENTITY, within), within, nil},
		{"block with a digest of 20 bytes", cut(t, whole, 20), whole, nil},
		{"block that is too large", sum(t, multihash.SHA2_256, tooLarge), tooLarge, is(stores.ErrTooLarge)},
		{"block that is not there", sum(t, multihash.SHA2_256, absent), absent, stores.IsNotFound},
		{"block with other bytes", sum(t, multihash.SHA2_256, broken), broken, func(err error) bool {
			return errors.Is(err, stores.ErrWrongBytes) || errors.As(err, new(linking.ErrHashMismatch))
		}},
	} {
		read(test.name, test.cid, test.block, test.want)
		if test.want == nil {
			has(test.name, test.cid)
		}
	}

	// What a CID does not tell from others is refused by all that take one, unless
	// it is asked for; what a CID holds too much of is refused in any case.
	weak, inlined := []cid.Cid{cut(t, whole, 0), cut(t, whole, 19)}, sum(t, multihash.IDENTITY, append(within, 0))
	refuse := func(c cid.Cid, want error) {
		t.Helper()
		read(c.String(), c, nil, is(want))
		if has, err := s.Has(t.Context(), c); has || !errors.Is(err, want) {
			t.Errorf("Has of %s: %v, %v", c, has, err)
		}
	}
	for _, c := range weak {
		refuse(c, stores.ErrWeakDigest)
	}
	refuse(inlined, stores.ErrTooLarge)
	s.(interface{ AllowWeakDigests() }).AllowWeakDigests()
	for _, c := range weak {
		read(c.String(), c, whole, nil)
		has(c.String(), c)
	}
	refuse(inlined, stores.ErrTooLarge)
}

// TestWriting tests a kind of store that takes blocks.
func TestWriting(t *testing.T, s stores.Writable) {
	tooLarge, within := make([]byte, stores.MaxBlockBytes+1), []byte("within")
	block, large := []byte("block"), make([]byte, stores.MaxInlinedBytes+1)
	lsys := s.LinkSystem()
	for _, test := range []struct {
		name  string
		cid   cid.Cid
		block []byte
		want  error
	}{
		{"block", sum(t, multihash.SHA2_256, block), block, nil},
		{"block in its CID", sum(t, multihash.IDENTITY, within), within, nil},
		{"block that is too large", sum(t, multihash.SHA2_256, tooLarge), tooLarge, stores.ErrTooLarge},
		{"block that is too large for its CID", sum(t, multihash.IDENTITY, large), large, stores.ErrTooLarge},
		{"block with a digest of no bytes", cut(t, block, 0), block, stores.ErrWeakDigest},
		{"block with a digest of 19 bytes", cut(t, block, 19), block, stores.ErrWeakDigest},
		{"block with a digest of 20 bytes", cut(t, block, 20), block, nil},
	} {
		c := test.cid
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

// cut returns the CID of a block under the first bytes of its digest.
func cut(t *testing.T, block []byte, length int) cid.Cid {
	t.Helper()
	hash, err := multihash.Sum(block, multihash.SHA2_256, length)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(cid.Raw, hash)
}
