package filecoin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/filecoin-project/go-hamt-ipld/v3"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	ours "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

const (
	entry    = "\x82\x41a\x01"        // "a": 1
	bucket   = "\x81" + entry         // of one entry
	cidBytes = "\x58\x25\x00\x01\x71" // a link's head, as far as the hash
	link     = "\xd8\x2a" + cidBytes + "\x12\x20" + "12345678901234567890123456789012"
)

// TestMalformed: what is wrong with a block is said by its kind, with the
// block's link; nothing is read into it. Bit width 5: a bitmap has 4 bytes.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		name   string
		block  string
		layout params.Layout
		want   error
		loose  bool // go-hamt-ipld reads it
	}{
		{"bitmap with a leading zero", "\x82\x42\x00\x01\x81" + bucket, params.FilecoinV3, fault.ErrBitmapLength, true},
		{"bitmap of nothing but zeros", "\x82\x44\x00\x00\x00\x00\x80", params.FilecoinV3, fault.ErrBitmapLength, true},
		{"bitmap too long", "\x82\x45\x01\x00\x00\x00\x00\x81" + bucket, params.FilecoinV3, fault.ErrBitmapLength, true},
		{"bitmap with more bits than elements", "\x82\x41\x03\x81" + bucket, params.FilecoinV3, fault.ErrPopcount, false},
		{"bitmap with fewer bits than elements", "\x82\x41\x01\x82" + bucket + bucket, params.FilecoinV3, fault.ErrPopcount, false},
		{"empty bitmap with an element", "\x82\x40\x81" + bucket, params.FilecoinV3, fault.ErrPopcount, false},
		{"overfull bucket", "\x82\x41\x01\x81\x84\x82\x41a\x01\x82\x41b\x01\x82\x41c\x01\x82\x41d\x01", params.FilecoinV3, fault.ErrBucketOverfull, false},
		{"bucket out of order", "\x82\x41\x01\x81\x82\x82\x41b\x01\x82\x41a\x01", params.FilecoinV3, fault.ErrBucketOrder, false},
		{"key twice", "\x82\x41\x01\x81\x82" + entry + entry, params.FilecoinV3, fault.ErrBucketOrder, false},
		{"element that is a number", "\x82\x41\x01\x81\x01", params.FilecoinV3, fault.ErrElement, false},
		{"element of the older form", "\x82\x41\x01\x81\xa1\x611" + bucket, params.FilecoinV3, fault.ErrElement, false},
		{"key that is text", "\x82\x41\x01\x81\x81\x82\x61a\x01", params.FilecoinV3, fault.ErrElement, false},
		{"truncated", "\x82\x41\x01\x81\x81\x82\x41", params.FilecoinV3, fault.ErrMalformed, false},
		{"followed by more", "\x82\x40\x80\x00", params.FilecoinV3, fault.ErrMalformed, true},
		{"root of the specification", "\xa3\x64hamt\x82\x44\x00\x00\x00\x00\x80\x67hashAlg\x12\x6abucketSize\x03", params.FilecoinV3, fault.ErrNotHAMT, false},
		{"element of the newer form", "\x82\x41\x01\x81" + bucket, params.FilecoinV0, fault.ErrElement, false},
		{"union of another key", "\x82\x41\x01\x81\xa1\x612" + bucket, params.FilecoinV0, fault.ErrElement, false},
		{"union of two", "\x82\x41\x01\x81\xa2\x610" + link + "\x611" + bucket, params.FilecoinV0, fault.ErrElement, false},
		{"link under the bucket's key", "\x82\x41\x01\x81\xa1\x611" + link, params.FilecoinV0, fault.ErrMalformed, false},
		{"older key twice", "\x82\x41\x01\x81\xa1\x611\x82" + entry + entry, params.FilecoinV0, fault.ErrBucketOrder, false},
		{"older key twice, not side by side", "\x82\x41\x01\x81\xa1\x611\x83" + entry + "\x82\x41b\x01" + entry, params.FilecoinV0, fault.ErrBucketOrder, false},
		{"older bitmap with a leading zero", "\x82\x42\x00\x01\x81\xa1\x611" + bucket, params.FilecoinV0, fault.ErrBitmapLength, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore()
			name, err := blake2b.Sum([]byte(c.block))
			if err != nil {
				t.Fatal(err)
			}
			s.Store.Put(name, []byte(c.block))
			p := filecoin(5)
			p.Layout = c.layout
			_, err = ours.Load(t.Context(), s.LinkSystem(), cidlink.Link{Cid: name}, ours.WithParams(p))
			var f *fault.Error
			if !errors.As(err, &f) {
				t.Fatalf("not a fault: %v", err)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if f.Link == nil || f.Link.Binary() != name.KeyString() || !strings.Contains(err.Error(), name.String()) {
				t.Errorf("the fault does not name its block: %v", err)
			}
			if c.layout == params.FilecoinV3 {
				_, err := hamt.LoadNode(t.Context(), s.ipld(blake2b), name, theirOptions(5)...)
				if (err == nil) != c.loose {
					t.Errorf("go-hamt-ipld says %v", err)
				}
			}
		})
	}
}

// TestWrongParameters: Filecoin's blocks do not say which bit width they have.
// A map that is read with too small a one is a fault, or its keys are not
// found; never a panic.
func TestWrongParameters(t *testing.T) {
	s, c := newStore(), randomContents(random(t), 500)
	root := theirBuild(t, s, blake2b, 8, c)
	_, err := ours.Load(t.Context(), s.LinkSystem(), cidlink.Link{Cid: root}, ours.WithParams(filecoin(5)))
	if !errors.Is(err, fault.ErrBitmapLength) {
		t.Errorf("bit width 5 instead of 8: %v", err)
	}
	node := load(t, s.LinkSystem(), theirBuild(t, s, blake2b, 5, c), filecoin(8))
	for err := range node.Verify(t.Context()) {
		if !errors.Is(err, fault.ErrMisplaced) && !errors.Is(err, fault.ErrNotCollapsed) {
			t.Errorf("bit width 8 instead of 5: %v", err)
		}
	}
}
