package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

// proveChange returns the proof of changes and the root that they lead to.
func proveChange(t testing.TB, a *adl.Node, changes []proof.Change) (car []byte, b cid.Cid) {
	t.Helper()
	var out bytes.Buffer
	b, err := proof.WriteChange(t.Context(), &out, a, changes)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), b
}

func keysOf(changes []proof.Change) (keys [][]byte) {
	for _, c := range changes {
		keys = append(keys, c.Key)
	}
	return keys
}

func set(key string, value datamodel.Node) proof.Change {
	return proof.Change{Key: []byte(key), Value: hamttest.Must(ipld.Encode(value, dagcbor.Encode))}
}

func deletion(key string) proof.Change { return proof.Change{Key: []byte(key)} }

// apply makes changes to a model.
func apply(t testing.TB, content hamttest.Model, changes []proof.Change) hamttest.Model {
	t.Helper()
	content = maps.Clone(content)
	for _, c := range changes {
		if delete(content, string(c.Key)); c.Value != nil {
			content[string(c.Key)] = hamttest.Must(ipld.Decode(c.Value, dagcbor.Decode))
		}
	}
	return content
}

// scenario makes random maps and changes of a kind.
type scenario struct {
	*rand.Rand
	prototype builder.Prototype
}

// key returns one of 256 keys. Under the identity hash they have long beginnings in
// common, so that trees are deep and narrow, with many nodes on the edge of collapsing.
func (s scenario) key() string {
	b := byte(s.UintN(256))
	if s.prototype.Params.HashAlg == multicodec.Identity {
		return string([]byte{0, 7, b & 0xc0, 0, 0, b & 0x30, 0, b & 0x0f})
	}
	return fmt.Sprint("key-", b)
}

func (s scenario) content() hamttest.Model {
	content := hamttest.Model{}
	for range s.IntN(s.IntN(120) + 1) {
		content[s.key()] = basicnode.NewInt(int64(s.IntN(3)))
	}
	return content
}

// changes returns changes to a map: now a few, now so many that little is left.
func (s scenario) changes(content hamttest.Model) (changes []proof.Change) {
	changed := map[string]bool{}
	add := func(c proof.Change) {
		if !changed[string(c.Key)] {
			changed[string(c.Key)] = true
			changes = append(changes, c)
		}
	}
	kept := s.IntN(100)
	if s.IntN(3) > 0 {
		for _, key := range slices.Sorted(maps.Keys(content)) {
			if s.IntN(100) > kept {
				add(deletion(key))
			}
		}
	}
	for range s.IntN(12) {
		if s.IntN(2) == 0 {
			add(deletion(s.key()))
		} else {
			add(set(s.key(), basicnode.NewInt(int64(s.IntN(3)))))
		}
	}
	if len(changes) == 0 {
		add(deletion(s.key()))
	}
	s.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	return changes
}

// depths returns how deep each key stands, of those that are there.
func depths(t testing.TB, m *adl.Node) map[string]int {
	t.Helper()
	found := map[string]int{}
	for key, err := range m.Keys(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		l, err := m.Locate(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		found[string(key)] = len(l.Blocks)
	}
	return found
}

// TestChangeNeedsThePathsAlone: over random maps and changes, the blocks on the paths
// of the changed keys in the old map determine the new root, and no other block is
// needed: not where nodes collapse over several levels, and not where they stand
// beside links that no change touches. The root is that of a fresh build.
func TestChangeNeedsThePathsAlone(t *testing.T) {
	var collapsed, beside int // levels that entries rose, and that next to a link that was left alone
	runs := 150
	if testing.Short() {
		runs = 20
	}
	for name, prototype := range map[string]builder.Prototype{
		"bit width 3, bucket size 1": {Params: hamttest.ManyLevels()},
		"bit width 3, bucket size 3": {Params: params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 3}},
		"deep, bucket size 1":        {Params: params.Params{IdentityHash: true, BitWidth: 3, BucketSize: 1}},
		"deep, bucket size 2":        {Params: params.Params{IdentityHash: true, BitWidth: 5, BucketSize: 2}},
		"deep, bucket size 4":        {Params: params.Params{IdentityHash: true, BitWidth: 4, BucketSize: 4}},
		"filecoin":                   kinds["filecoin"],
		"dag-json":                   kinds["dag-json"],
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario{rand.New(rand.NewPCG(1, uint64(len(name)))), prototype}
			for range runs {
				store := hamttest.NewStore()
				s.prototype.LinkSystem = store.LinkSystem()
				content := s.content()
				a := hamttest.Build(t, s.prototype, content)
				changes := s.changes(content)
				want := hamttest.Build(t, builder.Prototype{
					Params: prototype.Params, LinkPrototype: prototype.LinkPrototype, LinkSystem: hamttest.NewStore().LinkSystem(),
				}, apply(t, content, changes))

				car, b := proveChange(t, a, changes)
				if b != rootOf(t, want) {
					t.Fatalf("the root is %s, and that of a fresh build %s", b, rootOf(t, want))
				}
				path := pathBlocks(t, store, a, keysOf(changes)...)
				if !bytes.Equal(car, carOf(t, []cid.Cid{rootOf(t, a)}, path...)) {
					t.Fatal("the proof is not the blocks on the paths")
				}
				if err := checker(a).CheckChange(bytes.NewReader(car), rootOf(t, a), b, changes); err != nil {
					t.Fatal(err)
				}
				expectNoOtherChange(t, s, a, car, b, content, changes)
				rose, link := collapses(t, a, want, path)
				collapsed += rose
				beside += link
			}
		})
	}
	if collapsed < runs || beside < runs/4 {
		t.Errorf("entries rose by two levels and more %d times, and %d times beside a link", collapsed, beside)
	}
}

// collapses counts the entries that stand two levels higher in the new map, or more,
// and those of them whose path in the old one has a block on it with links to blocks
// that no change leads into.
func collapses(t *testing.T, before, after *adl.Node, path []block) (rose, beside int) {
	opened := map[string]bool{}
	for _, b := range path {
		opened[b.name.KeyString()] = true
	}
	was := depths(t, before)
	for key, depth := range depths(t, after) {
		if was[key]-depth < 2 {
			continue
		}
		rose++
		l := hamttest.Must(before.Locate(t.Context(), []byte(key)))
		// The node that the entry stands in afterwards is still one; those below
		// it were dissolved.
		for _, b := range path {
			if b.name == cidOf(l.Blocks[depth-1]) {
				below, _, err := before.BlockLinks(adl.Block{Link: l.Blocks[depth-1], Bytes: b.bytes})
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(below, func(link datamodel.Link) bool { return !opened[link.Binary()] }) {
					beside++
				}
			}
		}
	}
	return rose, beside
}

// expectNoOtherChange expects that a proof of changes proves no others: neither fewer,
// nor more, nor with another value, nor another root.
func expectNoOtherChange(t *testing.T, s scenario, a *adl.Node, car []byte, b cid.Cid, content hamttest.Model, changes []proof.Change) {
	t.Helper()
	after := apply(t, content, changes)
	expect := func(what string, others []proof.Change) {
		t.Helper()
		if len(others) == 0 {
			return
		}
		err := checker(a).CheckChange(bytes.NewReader(car), rootOf(t, a), b, others)
		so := sameContent(t, apply(t, content, others), after)
		if err == nil && !so || err != nil && !errors.Is(err, proof.ErrNotProven) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	i := s.IntN(len(changes))
	expect("without one", slices.Delete(slices.Clone(changes), i, i+1))
	other := slices.Clone(changes)
	other[i] = set(string(other[i].Key), basicnode.NewInt(9))
	expect("with another value", other)
	other[i] = deletion(string(other[i].Key))
	expect("with a deletion", other)
	if key := s.key(); !slices.ContainsFunc(changes, func(c proof.Change) bool { return string(c.Key) == key }) {
		expect("with one more", append(slices.Clip(changes), set(key, basicnode.NewInt(1))))
		expect("with one more deletion", append(slices.Clip(changes), deletion(key)))
	}
	if b != rootOf(t, a) {
		if err := checker(a).CheckChange(bytes.NewReader(car), rootOf(t, a), rootOf(t, a), changes); !errors.Is(err, proof.ErrNotProven) {
			t.Fatalf("that nothing changes: %v", err)
		}
		if err := checker(a).CheckChange(bytes.NewReader(car), b, rootOf(t, a), changes); !errors.Is(err, proof.ErrNotProven) {
			t.Fatalf("the other way round: %v", err)
		}
	}
}

func sameContent(t *testing.T, a, b hamttest.Model) bool {
	return maps.EqualFunc(a, b, func(x, y datamodel.Node) bool { return hamttest.Equal(t, x, y) })
}

// TestChangeRefused: a proof of changes with a block missing, too many, twice, in
// another order or altered is refused, as is every change of one byte.
func TestChangeRefused(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(12))
	a := hamttest.Load(t, s, root)
	changes := []proof.Change{set("key-7", basicnode.NewInt(8)), deletion("key-3"), set("new", datamodel.Null)}
	car, b := proveChange(t, a, changes)
	refused := func(what string, car []byte) {
		t.Helper()
		if err := proof.CheckChange(bytes.NewReader(car), cidOf(root), b, changes); !errors.Is(err, proof.ErrNotProven) {
			t.Errorf("%s: %v", what, err)
		}
	}
	roots, blocks := []cid.Cid{cidOf(root)}, blocksOf(t, car)
	if len(blocks) < 3 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	for i := range blocks {
		refused("missing", carOf(t, roots, slices.Delete(slices.Clone(blocks), i, i+1)...))
		refused("twice", carOf(t, roots, slices.Insert(slices.Clone(blocks), i, blocks[i])...))
		for j := range i {
			swapped := slices.Clone(blocks)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			refused("reordered", carOf(t, roots, swapped...))
		}
	}
	for at := len(carOf(t, roots)); at < len(car); at++ {
		for bit := range 8 {
			altered := slices.Clone(car)
			altered[at] ^= 1 << bit
			refused(fmt.Sprintf("byte %d", at), altered)
		}
	}
}

// TestChangeToAndFromNothing: the empty map is one side, and then the other.
func TestChangeToAndFromNothing(t *testing.T) {
	content := hamttest.Numbered(30)
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), content)
	_, empty := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Model{})
	var fill, clear []proof.Change
	for key, value := range content {
		fill, clear = append(fill, set(key, value)), append(clear, deletion(key))
	}
	none := hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}, hamttest.Model{})
	for _, test := range []struct {
		a       *adl.Node
		changes []proof.Change
		b       datamodel.Link
	}{{none, fill, root}, {hamttest.Load(t, s, root), clear, empty}} {
		car, b := proveChange(t, test.a, test.changes)
		if b != cidOf(test.b) {
			t.Errorf("the root is %s, want %s", b, test.b)
		}
		if err := proof.CheckChange(bytes.NewReader(car), rootOf(t, test.a), cidOf(test.b), test.changes); err != nil {
			t.Error(err)
		}
	}
}

// TestChangeOfNonCanonical: beside a link to a node that should have been a bucket,
// changes make what a transaction makes: the link stays, unopened, and every other
// entry is found as before. The canonical tree of the entries is another, and is
// refused.
func TestChangeOfNonCanonical(t *testing.T) {
	h := hamttest.Handmade{Store: hamttest.NewStore()}
	lonely := h.Put(h.Node("\x05", h.Bucket("\x00\x00\x05", 5)))
	above := h.Put(h.Node("\x00\x01", h.Link(lonely), h.Bucket("\x00\x01", 1)))
	root := h.Root("\x00", h.Link(above))
	a := hamttest.Load(t, h.Store, root)
	changes := []proof.Change{deletion("\x00\x01")}

	car, b := proveChange(t, a, changes)
	if n := len(blocksOf(t, car)); n != 2 {
		t.Errorf("%d blocks", n)
	}
	txn := hamttest.Must(builder.NewTxn(a))
	if _, err := txn.Delete(t.Context(), []byte("\x00\x01")); err != nil {
		t.Fatal(err)
	}
	next, link, err := txn.Commit(t.Context())
	if err != nil || cidOf(link) != b {
		t.Fatalf("a transaction makes %v, %v, and not %s", link, err, b)
	}
	if err := proof.CheckChange(bytes.NewReader(car), cidOf(root), b, changes); err != nil {
		t.Error(err)
	}
	_, canonical, err := builder.Rebuild(t.Context(), next, builder.PrototypeOf(next), builder.BulkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.CheckChange(bytes.NewReader(car), cidOf(root), cidOf(canonical), changes); !errors.Is(err, proof.ErrNotProven) {
		t.Errorf("of the canonical tree: %v", err)
	}
	if raw, ok, err := next.GetRaw(t.Context(), []byte("\x00\x00\x05")); !ok || err != nil || !bytes.Equal(raw, []byte{5}) {
		t.Errorf("%x, %v, %v", raw, ok, err)
	}
}

// TestChangesMakeNoSense: such are refused before anything is read, and not as a proof
// that is wrong.
func TestChangesMakeNoSense(t *testing.T) {
	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(5))
	m := hamttest.Load(t, s, root)
	for _, test := range []struct {
		name    string
		changes []proof.Change
		kind    error
	}{
		{"none", nil, nil},
		{"a key twice", []proof.Change{deletion("key-1"), set("key-1", datamodel.Null)}, fault.ErrRepeatedKey},
		{"no DAG-CBOR", []proof.Change{{Key: []byte("key-1"), Value: []byte{0xff}}}, fault.ErrValue},
		{"an empty value", []proof.Change{{Key: []byte("key-1"), Value: []byte{}}}, fault.ErrValue},
		{"not canonical", []proof.Change{{Key: []byte("key-1"), Value: []byte{0x18, 0x01}}}, fault.ErrValue},
	} {
		_, err := proof.WriteChange(t.Context(), io.Discard, m, test.changes)
		if err == nil || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%s, written: %v", test.name, err)
		}
		err = proof.CheckChange(bytes.NewReader(nil), cidOf(root), cidOf(root), test.changes)
		if err == nil || test.kind != nil && !errors.Is(err, test.kind) || errors.Is(err, proof.ErrNotProven) {
			t.Errorf("%s, checked: %v", test.name, err)
		}
	}
	change := []proof.Change{deletion("key-1")}
	if err := proof.CheckChange(bytes.NewReader(nil), cidOf(root), cid.Undef, change); err == nil || errors.Is(err, proof.ErrNotProven) {
		t.Errorf("without a root: %v", err)
	}
}
