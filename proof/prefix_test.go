package proof_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

func provePrefix(t testing.TB, m *adl.Node, prefix []byte, bits int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := proof.WritePrefix(t.Context(), &out, m, prefix, bits); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// agree reports whether the first bits of a and b are equal.
func agree(a, b []byte, bits int) bool {
	for i := range bits {
		if (a[i/8]^b[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}

// TestPrefix: the proof of a prefix is of all entries under it, in hash order, and of the
// blocks that hold one, or lead to it, and no others.
func TestPrefix(t *testing.T) {
	for name, prototype := range kinds {
		if name == "murmur3" { // the test hashes keys by itself
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := hamttest.NewStore()
			prototype.LinkSystem = s.LinkSystem()
			m := hamttest.Build(t, prototype, hamttest.Numbered(200))
			root, width := rootOf(t, m), m.Params().BitWidth
			for _, bits := range []int{0, 1, 3, 4, 5, 7, 8, 9, 13, 20, 256} {
				digest := sha256.Sum256([]byte("key-17"))
				prefix := digest[:(bits+7)/8]
				var want []proof.Result
				needed := map[string]bool{hamttest.RootOf(t, m).Binary(): true}
				for e, err := range m.Entries(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					digest := sha256.Sum256(e.Key())
					if agree(digest[:], prefix, bits) {
						want = append(want, proof.Result{Key: e.Key(), Value: e.Raw()})
					}
					l := hamttest.Must(m.Locate(t.Context(), e.Key()))
					for depth, link := range l.Blocks {
						if agree(digest[:], prefix, min(bits, depth*width)) {
							needed[link.Binary()] = true
						}
					}
				}
				slices.SortFunc(want, func(a, b proof.Result) int {
					x, y := sha256.Sum256(a.Key), sha256.Sum256(b.Key)
					return bytes.Compare(x[:], y[:])
				})
				var blocks []block
				for link, err := range m.Blocks(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					if needed[link.Binary()] {
						blocks = append(blocks, block{cidOf(link), s.Block(link)})
					}
				}
				car := provePrefix(t, m, prefix, bits)
				if !bytes.Equal(car, carOf(t, []cid.Cid{root}, blocks...)) {
					t.Fatalf("%d bits: %d blocks, want %d", bits, len(blocksOf(t, car)), len(blocks))
				}
				got, err := checker(m).CheckPrefix(bytes.NewReader(car), root, prefix, bits)
				if err != nil {
					t.Fatalf("%d bits: %v", bits, err)
				}
				same := slices.EqualFunc(got, want, func(a, b proof.Result) bool {
					return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && a.Present()
				})
				if !same || len(want) == 0 {
					t.Fatalf("%d bits: %d entries, want %d", bits, len(got), len(want))
				}
			}
		})
	}
}

// TestPrefixRefused: a proof that leaves out a block, and with it entries, is refused, as
// is that of another prefix; one that shows that there are none is not.
func TestPrefixRefused(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(100))
	m := hamttest.Load(t, s, root)
	prefix := []byte{0x60}
	car := provePrefix(t, m, prefix, 3)
	blocks := blocksOf(t, car)
	if len(blocks) < 4 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	refused := func(car, prefix []byte, bits int) {
		t.Helper()
		if results, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(root), prefix, bits); !errors.Is(err, proof.ErrNotProven) || results != nil {
			t.Errorf("%d results, %v", len(results), err)
		}
	}
	for i := range blocks {
		refused(carOf(t, []cid.Cid{cidOf(root)}, slices.Delete(slices.Clone(blocks), i, i+1)...), prefix, 3)
	}
	refused(car, prefix, 4)
	refused(car, prefix, 2)
	refused(car, prefix, 0)
	refused(car, []byte{0x80}, 3)
	for at := len(carOf(t, []cid.Cid{cidOf(root)})); at < len(car); at++ {
		altered := slices.Clone(car)
		altered[at] ^= 0x10
		refused(altered, prefix, 3)
	}

	_, none := hamttest.Stored(t, params.Default(), hamttest.Model{})
	car = carOf(t, []cid.Cid{cidOf(none)}, block{cidOf(none), emptyRoot})
	if results, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(none), prefix, 3); err != nil || len(results) > 0 {
		t.Errorf("of the empty map: %v, %v", results, err)
	}
}

// emptyRoot is the root of the empty map under the default parameters.
var emptyRoot = slices.Concat([]byte("\xa3\x64hamt\x82\x58\x20"), make([]byte, 32), []byte("\x80\x67hashAlg\x12\x6abucketSize\x03"))

// TestPrefixMakesNoSense: that is not a proof that is wrong.
func TestPrefixMakesNoSense(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(5))
	m := hamttest.Load(t, s, root)
	for _, bits := range []int{-1, 257} {
		if err := proof.WritePrefix(t.Context(), io.Discard, m, nil, bits); err == nil {
			t.Errorf("%d bits are written", bits)
		}
		car := provePrefix(t, m, nil, 0)
		if _, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(root), nil, bits); err == nil || errors.Is(err, proof.ErrNotProven) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// TestPrefixMisplaced: where a key stands that no lookup finds, nobody can say which
// entries there are.
func TestPrefixMisplaced(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	root := h.Root("\x07", h.Bucket("\x08", 1))
	if err := proof.WritePrefix(t.Context(), io.Discard, hamttest.Load(t, h.Store, root), []byte{7}, 8); !errors.Is(err, fault.ErrMisplaced) {
		t.Errorf("written: %v", err)
	}
	car := carOf(t, []cid.Cid{cidOf(root)}, block{cidOf(root), h.Store.Block(root)})
	if _, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(root), []byte{7}, 8); !errors.Is(err, fault.ErrMisplaced) || !errors.Is(err, proof.ErrNotProven) {
		t.Errorf("checked: %v", err)
	}
	// Elsewhere it does no harm.
	if _, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(root), []byte{9}, 8); err != nil {
		t.Errorf("of another prefix: %v", err)
	}
}

// TestPrefixEndless: blocks that link to each other many times over have more paths than
// there is time for. (To write a proof is the same walk.)
func TestPrefixEndless(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	below := h.Put(h.Node("\x05", []byte{0x80}))
	for range 20 {
		below = h.Put(h.Node("\x00\x01\x02\x03\x04\x05\x06\x07", slices.Repeat([][]byte{h.Link(below)}, 8)...))
	}
	root := h.Root("\x00", h.Link(below))
	m := hamttest.Load(t, h.Store, root)
	var blocks []block
	l := hamttest.Must(first(m.Locate(t.Context(), bytes.Repeat([]byte{0}, 40))))
	for _, link := range l.Blocks {
		blocks = append(blocks, block{cidOf(link), h.Store.Block(link)})
	}
	if len(blocks) != 22 {
		t.Fatalf("%d blocks", len(blocks))
	}
	car := carOf(t, []cid.Cid{cidOf(root)}, blocks...)
	if _, err := proof.CheckPrefix(bytes.NewReader(car), cidOf(root), nil, 0); !errors.Is(err, fault.ErrEndless) {
		t.Errorf("checked: %v", err)
	}
}

// first returns what comes with the error that a key is not there.
func first[T any](value T, err error) (T, error) {
	if errors.As(err, new(datamodel.ErrNotExists)) {
		err = nil
	}
	return value, err
}

// TestPrefixLoadsAhead: over a slow store blocks are asked for together, and the proof is
// the same.
func TestPrefixLoadsAhead(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(300))
	want := provePrefix(t, hamttest.Load(t, s, root), []byte{0x60}, 3)
	s.Delay = func(datamodel.Link) time.Duration { return hamttest.Delay }
	synctest.Test(t, func(t *testing.T) {
		if got := provePrefix(t, hamttest.Load(t, s, root), []byte{0x60}, 3); !bytes.Equal(got, want) {
			t.Error("the proof is another one")
		}
	})
	if s.Most() < 4 {
		t.Errorf("at most %d loads were under way", s.Most())
	}
}
