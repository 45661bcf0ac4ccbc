package params_test

import (
	"strings"
	"testing"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestDefault: the defaults are the specification's.
func TestDefault(t *testing.T) {
	if got, want := params.Default().String(), "sha2-256, bit width 8, bucket size 3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := params.Filecoin().String(), "sha2-256, bit width 5, bucket size 3, filecoin-v3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name  string
		bad   bool
		alter func(*params.Params)
	}{
		{"narrowest", false, func(p *params.Params) { p.BitWidth = 3 }},
		{"too narrow", true, func(p *params.Params) { p.BitWidth = 2 }},
		{"widest", false, func(p *params.Params) { p.BitWidth = 16 }},
		{"too wide", true, func(p *params.Params) { p.BitWidth = 17 }},
		{"one entry a bucket", false, func(p *params.Params) { p.BucketSize = 1 }},
		{"less than no entry a bucket", true, func(p *params.Params) { p.BucketSize = -1 }},
		{"zero fields", false, func(p *params.Params) { *p = params.Params{} }},
		{"two hashes", true, func(p *params.Params) { p.IdentityHash = true }},
		{"identity", false, func(p *params.Params) { *p = p.WithHashAlg(multicodec.Identity) }},
		{"no such layout", true, func(p *params.Params) { p.Layout = 100 }},
		{"unknown hash", false, func(p *params.Params) { p.HashAlg = multicodec.Code(0x3fffff) }},
	} {
		p := params.Default()
		test.alter(&p)
		if err := p.Validate(); (err != nil) != test.bad {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestBitWidthOf: the bit width that the specification infers from a bitmap's
// length is the inverse of the length.
func TestBitWidthOf(t *testing.T) {
	for width := params.MinBitWidth; width <= params.MaxBitWidth; width++ {
		p := params.Params{BitWidth: width}
		if got, ok := params.BitWidthOf(p.BitmapBytes()); !ok || got != width {
			t.Errorf("bit width %d comes back as %d, %v", width, got, ok)
		}
	}
	for _, length := range []int{-1, 0, 3, 5, 31, 1 << 14} {
		if width, ok := params.BitWidthOf(length); ok {
			t.Errorf("a bitmap of %d bytes has bit width %d", length, width)
		}
	}
}

// TestWithDefaults: a zero field stands for the default, also where others are
// set, and the identity hash, whose code is 0, has to be asked for.
func TestWithDefaults(t *testing.T) {
	identity := params.Params{}.WithHashAlg(multicodec.Identity)
	for _, test := range []struct{ given, want params.Params }{
		{params.Params{}, params.Default()},
		{params.Params{BitWidth: 5, BucketSize: 3}, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 5, BucketSize: 3}},
		{params.Params{HashAlg: multicodec.Blake3}, params.Params{HashAlg: multicodec.Blake3, BitWidth: 8, BucketSize: 3}},
		{params.Params{Layout: params.FilecoinV3}, params.Filecoin()},
		{identity, params.Params{IdentityHash: true, BitWidth: 8, BucketSize: 3}},
		{identity.WithHashAlg(multicodec.Sha2_256), params.Default()},
	} {
		if got := test.given.WithDefaults(); got != test.want || got != got.WithDefaults() {
			t.Errorf("%+v stands for %+v, not for %+v", test.given, got, test.want)
		}
	}
}

// TestParseLayout: every layout is found by its name, and the error for any other
// name has them all.
func TestParseLayout(t *testing.T) {
	_, err := params.ParseLayout("v3")
	if err == nil {
		t.Fatal("there is a layout v3")
	}
	count := 0
	for l := params.Spec; (params.Params{Layout: l}).Validate() == nil; l++ {
		if got, err := params.ParseLayout(l.String()); err != nil || got != l {
			t.Errorf("%s is %s, %v", l, got, err)
		}
		if !strings.Contains(err.Error(), l.String()) {
			t.Errorf("%v does not name %s", err, l)
		}
		count++
	}
	if count < 3 {
		t.Errorf("only %d layouts", count)
	}
}
