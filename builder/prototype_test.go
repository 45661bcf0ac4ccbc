package builder_test

import (
	"errors"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestDigestLengthUnsaid: a prototype may leave the digest's length to the hash,
// and edits what it has built all the same.
func TestDigestLengthUnsaid(t *testing.T) {
	for _, hash := range []multicodec.Code{multicodec.Sha2_256, multicodec.Identity} {
		lp := cidlink.LinkPrototype{Prefix: cid.Prefix{Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(hash), MhLength: -1}}
		p := builder.Prototype{LinkSystem: hamttest.NewStore().LinkSystem(), LinkPrototype: lp}
		m := hamttest.Build(t, p, hamttest.Numbered(3))
		if _, err := p.Edit(m); err != nil {
			t.Error(err)
		}
		nb := m.Prototype().NewBuilder()
		if err := nb.AssignNode(m); err != nil || nb.Build() != datamodel.Node(m) {
			t.Errorf("%s: it is not taken as it is, %v", hash, err)
		}
	}
}

// TestPrototypeErrors: a prototype that makes no sense says so as soon as there
// is somebody to hear it.
func TestPrototypeErrors(t *testing.T) {
	s := hamttest.NewStore()
	good := builder.Prototype{Params: params.Default(), LinkSystem: s.LinkSystem()}
	v0 := hamttest.LinkPrototype(multicodec.DagPb, multicodec.Sha2_256, 32)
	v0.Version = 0
	for name, change := range map[string]func(p *builder.Prototype){
		"no LinkSystem":    func(p *builder.Prototype) { p.LinkSystem = nil },
		"bit width 2":      func(p *builder.Prototype) { p.Params.BitWidth = 2 },
		"bit width 17":     func(p *builder.Prototype) { p.Params.BitWidth = 17 },
		"bucket size -1":   func(p *builder.Prototype) { p.Params.BucketSize = -1 },
		"unknown layout":   func(p *builder.Prototype) { p.Params.Layout = 9 },
		"read-only layout": func(p *builder.Prototype) { p.Params.Layout = params.FilecoinV0 },
		"unknown hash":     func(p *builder.Prototype) { p.Params.HashAlg = 0x3fffff },
		"CIDv0":            func(p *builder.Prototype) { p.LinkPrototype = v0 },
		"unknown codec": func(p *builder.Prototype) {
			p.LinkPrototype = hamttest.LinkPrototype(0x3fffff, multicodec.Sha2_256, 32)
		},
		"unknown block hash": func(p *builder.Prototype) { p.LinkPrototype = hamttest.LinkPrototype(multicodec.DagCbor, 0x3fffff, 32) },
		"no CIDs":            func(p *builder.Prototype) { p.LinkPrototype = otherPrototype{} },
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			change(&p)
			for way, make := range map[string]func() error{
				"BeginMap":   func() error { _, err := p.NewBuilder().BeginMap(0); return err },
				"AssignNode": func() error { return p.NewBuilder().AssignNode(hamttest.DecodeJSON(t, "{}")) },
				"NewTxn":     func() error { _, err := p.NewTxn(); return err },
				"NewBulk":    func() error { _, err := p.NewBulk(builder.BulkOptions{}); return err },
			} {
				if err := make(); err == nil {
					t.Errorf("%s takes it", way)
				} else if name == "unknown hash" && !errors.Is(err, fault.ErrUnknownHash) || name == "read-only layout" && !errors.Is(err, fault.ErrReadOnlyLayout) {
					t.Errorf("%s: %v", way, err)
				}
			}
		})
	}
}

// otherPrototype is of some other world than that of CIDs.
type otherPrototype struct{}

func (otherPrototype) BuildLink([]byte) datamodel.Link { return nil }

// TestCacheKnowsParameters edits one map by the prototype of another, whose
// cache holds a block that is a node under that one's parameters alone.
func TestCacheKnowsParameters(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	narrow := h.Put([]byte("\x82\x41\x01\x81\x81\x82\x43key\x00"))
	a := hamttest.Load(t, h.Store, h.Put(append(append([]byte("\xa3\x64hamt\x82\x41\x01\x81"), h.Link(narrow)...), "\x67hashAlg\x00\x6abucketSize\x03"...)))
	b := hamttest.Load(t, h.Store, h.Root("\x00", h.Link(narrow)))
	if _, err := a.HasString(t.Context(), "\x00zz"); err != nil {
		t.Fatal(err)
	}
	txn := hamttest.Must(builder.PrototypeOf(a).Edit(b))
	if err := txn.SetString("q", datamodel.Null); err != nil {
		t.Fatal(err)
	}
	edited, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := edited.GetString(t.Context(), "\x00zz"); !errors.Is(err, fault.ErrBitmapLength) {
		t.Errorf("error %v", err)
	}
}

// TestDefaultLinkPrototype: maps are named by it where nothing else is said.
func TestDefaultLinkPrototype(t *testing.T) {
	for _, p := range []params.Params{params.Default(), params.Filecoin(), params.PyHAMT()} {
		n := hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: hamttest.NewStore().LinkSystem()}, hamttest.Model{})
		if got, want := builder.DefaultLinkPrototype(p), hamttest.RootOf(t, n).Prototype(); got != want {
			t.Errorf("%s: %v, want %v", p, got, want)
		}
	}
}
