package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

// sideBySide returns the blocks on the paths of a key in two maps, level by level, until
// the same link leads on in both.
func sideBySide(t *testing.T, s *hamttest.Store, a, b *adl.Node, key []byte) (blocks []block) {
	t.Helper()
	inA, inB := hamttest.Must(first(a.Locate(t.Context(), key))).Blocks, hamttest.Must(first(b.Locate(t.Context(), key))).Blocks
	for depth := 0; depth < max(len(inA), len(inB)); depth++ {
		if depth < min(len(inA), len(inB)) && inA[depth] == inB[depth] {
			break
		}
		for _, path := range [][]datamodel.Link{inA, inB} {
			if depth < len(path) {
				blocks = append(blocks, block{cidOf(path[depth]), s.Block(path[depth])})
			}
		}
	}
	return blocks
}

// TestSame: the proof that a key is the same in two versions is of the blocks on its
// path in both, side by side, until they come to the same link; a key that differs is
// not proven.
func TestSame(t *testing.T) {
	forEachKind(t, hamttest.Numbered(300), func(t *testing.T, s *hamttest.Store, a *adl.Node) {
		txn := hamttest.Must(builder.NewTxn(a))
		changed := map[string]bool{}
		for i := range 12 {
			key := fmt.Sprint("key-", 29*i%320)
			changed[key] = true
			if i%3 == 0 {
				hamttest.Must(txn.DeleteString(t.Context(), key))
			} else if err := txn.SetString(key, basicnode.NewInt(-1)); err != nil {
				t.Fatal(err)
			}
		}
		b, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for i := range 340 { // the last ones are in none, unless they were added
			key := []byte(fmt.Sprint("key-", i))
			inA, _, _ := a.GetRaw(t.Context(), key)
			inB, _, _ := b.GetRaw(t.Context(), key)
			var out bytes.Buffer
			err := proof.WriteSame(t.Context(), &out, a, b, key)
			roots := []cid.Cid{rootOf(t, a), rootOf(t, b)}
			if !bytes.Equal(inA, inB) {
				if !errors.Is(err, proof.ErrDiffers) || out.Len() > 0 {
					t.Fatalf("%q differs: %v", key, err)
				}
				// Nor is what one would have to show taken.
				forged := carOf(t, roots, sideBySide(t, s, a, b, key)...)
				if err := checker(a).CheckSame(bytes.NewReader(forged), roots[0], roots[1], key); !errors.Is(err, proof.ErrNotProven) || !errors.Is(err, proof.ErrDiffers) {
					t.Fatalf("%q differs: %v", key, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			want := sideBySide(t, s, a, b, key)
			if len(want) > 2 {
				whole++
			}
			// Equal buckets are an end, too, that this test does not see.
			got := blocksOf(t, out.Bytes())
			if len(got) > len(want) || !bytes.Equal(out.Bytes(), carOf(t, roots, want[:len(got)]...)) {
				t.Fatalf("%q: the blocks are %v, want %v", key, names(got), names(want))
			}
			if err := checker(a).CheckSame(bytes.NewReader(out.Bytes()), roots[0], roots[1], key); err != nil {
				t.Fatalf("%q: %v", key, err)
			}
		}
		if whole == 0 && a.Params().BitWidth < 8 { // all entries are in the root else
			t.Error("no path goes on below the roots")
		}
	})
}

func names(blocks []block) (list []string) {
	for _, b := range blocks {
		list = append(list, b.name.String())
	}
	return list
}

// TestSameRefused: a proof is refused with a block missing, with any byte changed, and
// for other roots or keys.
func TestSameRefused(t *testing.T) {
	s, link := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(60))
	a := hamttest.Load(t, s, link)
	txn := hamttest.Must(builder.NewTxn(a))
	for i := range 60 {
		if err := txn.SetString(fmt.Sprint("new-", i), datamodel.Null); err != nil {
			t.Fatal(err)
		}
	}
	b, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	roots := []cid.Cid{rootOf(t, a), rootOf(t, b)}
	keys := [][]byte{[]byte("key-7"), []byte("key-8"), []byte("none")}
	var out bytes.Buffer
	if err := proof.WriteSame(t.Context(), &out, a, b, keys...); err != nil {
		t.Fatal(err)
	}
	car := out.Bytes()
	if err := proof.CheckSame(bytes.NewReader(car), roots[0], roots[1], keys...); err != nil {
		t.Fatal(err)
	}
	refused := func(car []byte, a, b cid.Cid, keys ...[]byte) {
		t.Helper()
		if err := proof.CheckSame(bytes.NewReader(car), a, b, keys...); !errors.Is(err, proof.ErrNotProven) {
			t.Errorf("got error %v", err)
		}
	}
	blocks := blocksOf(t, car)
	if len(blocks) < 6 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	for i := range blocks {
		refused(carOf(t, roots, slices.Delete(slices.Clone(blocks), i, i+1)...), roots[0], roots[1], keys...)
		refused(carOf(t, roots, slices.Insert(slices.Clone(blocks), i, blocks[i])...), roots[0], roots[1], keys...)
	}
	for at := len(carOf(t, roots)); at < len(car); at++ {
		altered := slices.Clone(car)
		altered[at] ^= 0x01
		refused(altered, roots[0], roots[1], keys...)
	}
	refused(car, roots[1], roots[0], keys...)
	refused(car, roots[0], roots[0], keys...)
	refused(car, roots[0], roots[1], keys[0])
	if err := proof.CheckSame(bytes.NewReader(car), roots[0], roots[1]); err == nil || errors.Is(err, proof.ErrNotProven) {
		t.Errorf("without keys: %v", err)
	}
	if err := proof.WriteSame(t.Context(), io.Discard, a, b); err == nil {
		t.Error("no keys are proven")
	}
}

// TestSameRoot: nothing has to be shown of one map.
func TestSameRoot(t *testing.T) {
	s, link := hamttest.Stored(t, params.Default(), hamttest.Numbered(5))
	m, root := hamttest.Load(t, s, link), cidOf(link)
	var out bytes.Buffer
	if err := proof.WriteSame(t.Context(), &out, m, m, []byte("key-1")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), carOf(t, []cid.Cid{root, root})) {
		t.Errorf("got %x", out.Bytes())
	}
	if err := proof.CheckSame(bytes.NewReader(out.Bytes()), root, root, []byte("key-1")); err != nil {
		t.Error(err)
	}
}

// TestSameUnderOtherParameters: keys are compared in maps that have no node in common,
// and are in two stores.
func TestSameUnderOtherParameters(t *testing.T) {
	content := hamttest.Numbered(100)
	_, root := hamttest.Stored(t, hamttest.ManyLevels(), content)
	s, _ := hamttest.Stored(t, hamttest.ManyLevels(), content)
	a := hamttest.Load(t, s, root)
	content["key-8"] = datamodel.Null
	for _, p := range []params.Params{params.Default(), kinds["murmur3"].Params} {
		other, link := hamttest.Stored(t, p, content)
		b := hamttest.Load(t, other, link)
		keys := [][]byte{[]byte("key-7"), []byte("none"), []byte("key-70")}
		var out bytes.Buffer
		if err := proof.WriteSame(t.Context(), &out, a, b, keys...); err != nil {
			t.Fatal(err)
		}
		if err := proof.CheckSame(bytes.NewReader(out.Bytes()), cidOf(root), cidOf(link), keys...); err != nil {
			t.Errorf("%v: %v", p, err)
		}
		if err := proof.WriteSame(t.Context(), io.Discard, a, b, []byte("key-8")); !errors.Is(err, proof.ErrDiffers) {
			t.Errorf("%v: %v", p, err)
		}
	}
}
