package filecoin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/filecoin-project/go-hamt-ipld/v3"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	ours "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
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

// TestWrongParameters: Filecoin's blocks do not say which hash and bit width they
// have. A map that is opened with others is refused, whatever its size: else present
// keys would not be found, and edits would make what nobody can read.
func TestWrongParameters(t *testing.T) {
	others := map[string]params.Params{"murmur3": filecoin(5).WithHashAlg(multicodec.Murmur3X64_64), "sha2-512": filecoin(5).WithHashAlg(multicodec.Sha2_512)}
	for width := params.MinBitWidth; width <= 10; width++ {
		if width != 5 {
			others[fmt.Sprintf("bit width %d", width)] = filecoin(width)
		}
	}
	for _, n := range []int{0, 1, 2, 5, 500, 5000} { // from 500 on there are no entries in the root
		for seed := range 10 {
			s, c := newStore(), contents{}
			for i := range n {
				c[fmt.Sprintf("%d %d", seed, i)] = []byte{0}
			}
			root := theirBuild(t, s, blake2b, 5, c)
			open := func(p params.Params) error {
				_, err := ours.Load(t.Context(), s.LinkSystem(), cidlink.Link{Cid: root}, ours.WithParams(p))
				return err
			}
			if err := open(filecoin(5)); err != nil {
				t.Fatalf("%d entries: %v", n, err)
			}
			for name, p := range others {
				err := open(p)
				if n == 0 && err != nil && !errors.Is(err, fault.ErrBitmapLength) {
					t.Errorf("no entries, %s: %v", name, err)
				}
				// One key in a small root can have indexes that are alike by chance.
				if n > 2 && !errors.Is(err, fault.ErrParams) && !errors.Is(err, fault.ErrBitmapLength) {
					t.Errorf("%d entries, %s: %v", n, name, err)
				}
			}
		}
	}
}

// TestParametersChecked: that is found out by as many loads as lead to an entry, and
// not refused where these blocks, or some, are not there.
func TestParametersChecked(t *testing.T) {
	s, c := newStore(), contents{}
	for i := range 5000 {
		c[fmt.Sprint(i)] = []byte{0}
	}
	root := theirBuild(t, s, blake2b, 5, c)
	s.TakeLoads()
	load(t, s.LinkSystem(), root, filecoin(5))
	loads := s.TakeLoads()
	if len(loads) != 2 {
		t.Errorf("%d loads: %v", len(loads), loads)
	}
	s.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link.String() == loads[1] {
			return nil, hamttest.ErrStore
		}
		return raw, nil
	}
	load(t, s.LinkSystem(), root, filecoin(5))
	if _, err := ours.Load(t.Context(), s.LinkSystem(), cidlink.Link{Cid: root}, ours.WithParams(filecoin(8))); !errors.Is(err, fault.ErrParams) {
		t.Errorf("another bit width, and the first block is missing: %v", err)
	}
	s.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link.(cidlink.Link).Cid != root {
			return nil, hamttest.ErrStore
		}
		return raw, nil
	}
	load(t, s.LinkSystem(), root, filecoin(5))
	done, cancel := context.WithCancel(t.Context())
	s.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link.(cidlink.Link).Cid != root {
			cancel()
			return nil, hamttest.ErrStore
		}
		return raw, nil
	}
	if _, err := ours.Load(done, s.LinkSystem(), cidlink.Link{Cid: root}, ours.WithParams(filecoin(5))); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
