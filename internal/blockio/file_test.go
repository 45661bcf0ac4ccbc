package blockio_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// fileOf is the block of a file with some content of its own, and links.
func fileOf(content string, links ...cid.Cid) []byte {
	var block []byte
	for _, c := range links {
		block = append(block, 0x12, byte(c.ByteLen()+2), 0x0a, byte(c.ByteLen()))
		block = append(block, c.Bytes()...)
	}
	data := append([]byte{0x08, 0x02, 0x12, byte(len(content))}, content...)
	return append(append(block, 0x0a, byte(len(data))), data...)
}

// TestFileRefused: a node that is a file is bounded in bytes and in blocks, whatever
// a store says, and a fault in a part names it.
func TestFileRefused(t *testing.T) {
	raw := func(content string) cid.Cid {
		return hamttest.Must(cid.V1Builder{Codec: cid.Raw, MhType: 0x12}.Sum([]byte(content)))
	}
	self := hamttest.Must(cid.V0Builder{}.Sum([]byte("whatever hashes to itself")))
	long := strings.Repeat("x", 100)
	s := hamttest.NewStore()
	s.Put(raw(long), []byte(long))
	other := hamttest.Must(cid.V1Builder{Codec: cid.DagCBOR, MhType: 0x12}.Sum([]byte{0xa0}))
	s.Put(other, []byte{0xa0})
	s.Put(raw("malformed"), []byte("malformed"))
	missing := raw("missing")
	for name, c := range map[string]struct {
		block   []byte
		trusted bool
		kind    error
		says    string
	}{
		"endless":               {fileOf("", self), true, fault.ErrTooLarge, "more than 4096 blocks"},
		"endless, and grows":    {fileOf("x", self), true, fault.ErrTooLarge, "blocks of more than 2000 bytes"},
		"too large":             {fileOf("", raw(long), raw(long), raw(long), raw(long), raw(long), raw(long), raw(long), raw(long), raw(long), raw(long), raw(long)), false, fault.ErrTooLarge, "more than 1000 bytes"},
		"a part is missing":     {fileOf("", missing), false, fault.ErrMissing, missing.String()},
		"a part of its own":     {fileOf("", other), false, fault.ErrMalformed, "codec 0x71"},
		"no file":               {[]byte{0x0a, 0x02, 0x08, 0x01}, false, fault.ErrMalformed, "no file"},
		"no node":               {fileOf("no node"), false, fault.ErrNotHAMT, ""},
		"a link that is no CID": {[]byte{0x12, 0x03, 0x0a, 0x01, 0x07, 0x0a, 0x02, 0x08, 0x02}, false, fault.ErrMalformed, ""},
	} {
		root := hamttest.Must(cid.V0Builder{}.Sum(c.block))
		s.Put(root, c.block)
		s.OnRead = func(link datamodel.Link, block []byte) ([]byte, error) {
			if link.(cidlink.Link).Cid == self {
				return c.block, nil
			}
			if block == nil {
				return nil, hamttest.ErrStore
			}
			return block, nil
		}
		s.Put(self, nil)
		lsys := s.LinkSystem()
		lsys.TrustedStorage = c.trusted
		most := int64(1000)
		if name == "endless" { // so that it is not the bytes that end it
			most = 1 << 20
		}
		l := blockio.NewLoader(lsys, 0, most)
		_, _, err := l.Root(t.Context(), cidlink.Link{Cid: root}, params.PyHAMT())
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPrototypeOf: a node that is a file under CIDv1 is so for its size.
func TestPrototypeOf(t *testing.T) {
	for _, test := range []struct{ link, want cid.Prefix }{
		{cid.NewPrefixV1(cid.DagProtobuf, 0x1e), cid.NewPrefixV1(cid.DagCBOR, 0x1e)},
		{cid.NewPrefixV1(cid.DagCBOR, 0x1e), cid.NewPrefixV1(cid.DagCBOR, 0x1e)},
		{cid.NewPrefixV0(0x12), cid.NewPrefixV0(0x12)},
	} {
		link := cidlink.Link{Cid: hamttest.Must(test.link.Sum(nil))}
		got, want := blockio.PrototypeOf(link), cidlink.LinkPrototype{Prefix: test.want}
		if blockio.Normal(got.(cidlink.LinkPrototype)) != blockio.Normal(want) {
			t.Errorf("%v names %v, want %v", test.link, got, want)
		}
	}
}
