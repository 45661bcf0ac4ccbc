package proof_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

// history is some versions of a map, and all their blocks.
type history struct {
	maps     []*adl.Node
	contents []hamttest.Model
	blocks   []block
}

func newHistory(t testing.TB) *history {
	s := hamttest.NewStore()
	h := &history{}
	seen := map[cid.Cid]bool{}
	m := hamttest.Build(t, builder.Prototype{Params: hamttest.ManyLevels(), LinkSystem: s.LinkSystem()}, hamttest.Numbered(20))
	for version := range 4 {
		content := hamttest.Model{}
		for e, err := range m.Entries(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			content[e.KeyString()] = hamttest.Must(e.Value())
		}
		h.maps, h.contents = append(h.maps, m), append(h.contents, content)
		for link, err := range m.Blocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if c := cidOf(link); !seen[c] {
				seen[c] = true
				h.blocks = append(h.blocks, block{c, s.Block(link)})
			}
		}
		txn := hamttest.Must(builder.NewTxn(m))
		for i := range 6 {
			key := h.key(byte(5*i + version))
			if i%2 == 0 {
				hamttest.Must(txn.Delete(t.Context(), key))
			} else if err := txn.Set(key, basicnode.NewInt(int64(100*version+i))); err != nil {
				t.Fatal(err)
			}
		}
		next, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m = next
	}
	return h
}

// key returns one of the keys that versions have, or one that none has.
func (h *history) key(b byte) []byte { return fmt.Appendf(nil, "key-%d", b%24) }

// change returns a change of a key.
func (h *history) change(key, value byte) proof.Change {
	if value%3 == 0 {
		return proof.Change{Key: h.key(key)}
	}
	return set(string(h.key(key)), basicnode.NewInt(int64(value%8)))
}

// What can be claimed.
const (
	ofKeys = iota
	ofChanges
	ofPrefix
	ofSame
	claims
)

// claim is what a script claims, and the proof that it comes with.
type claim struct {
	what    byte
	a, b    int // versions
	keys    [][]byte
	changes []proof.Change
	prefix  byte
	bits    int
	car     []byte
}

// claim reads a script: what is claimed, of which versions, of how many keys, these, then
// which blocks the proof has. A proof that is given takes the place of those.
func (h *history) claim(t testing.TB, script, car []byte) claim {
	next := func() (b byte) {
		if len(script) > 0 {
			b, script = script[0], script[1:]
		}
		return b
	}
	c := claim{what: next() % claims, a: int(next()) % len(h.maps), b: int(next()) % len(h.maps)}
	for range 1 + next()%4 {
		c.prefix = next()
		c.keys = append(c.keys, h.key(c.prefix))
		if c.what == ofChanges {
			c.changes = append(c.changes, h.change(c.prefix, next()))
		}
	}
	c.bits = 2 * len(c.keys)
	if c.car = car; len(car) == 0 {
		var blocks []block
		for _, b := range script {
			blocks = append(blocks, h.blocks[int(b)%len(h.blocks)])
		}
		roots := []cid.Cid{rootOf(t, h.maps[c.a])}
		if c.what == ofSame {
			roots = append(roots, rootOf(t, h.maps[c.b]))
		}
		c.car = carOf(t, roots, blocks...)
	}
	return c
}

// script is the script of a claim with a proof of the blocks of car.
func (h *history) script(t testing.TB, what, a, b byte, keys []byte, car []byte) []byte {
	n := len(keys)
	if what == ofChanges {
		n /= 2
	}
	script := append([]byte{what, a, b, byte(n - 1)}, keys...)
	for _, one := range blocksOf(t, car) {
		script = append(script, byte(slices.IndexFunc(h.blocks, func(b block) bool { return b.name == one.name })))
	}
	return script
}

// check checks the proof, and compares what it proves with the maps.
func (c claim) check(t *testing.T, h *history) error {
	a, b := h.maps[c.a], h.maps[c.b]
	proves := bytes.NewReader(c.car)
	switch c.what {
	case ofKeys:
		results, err := proof.Check(proves, rootOf(t, a), c.keys...)
		if err == nil {
			expectResults(t, a, c.keys, results)
		}
		return err
	case ofChanges:
		err := proof.CheckChange(proves, rootOf(t, a), rootOf(t, b), c.changes)
		if err == nil && !sameContent(t, apply(t, h.contents[c.a], c.changes), h.contents[c.b]) {
			t.Fatalf("%v is proven to make version %d of %d", c.changes, c.b, c.a)
		}
		return err
	case ofPrefix:
		results, err := proof.CheckPrefix(proves, rootOf(t, a), []byte{c.prefix}, c.bits)
		if err != nil {
			return err
		}
		under := 0
		for key := range h.contents[c.a] {
			if digest := sha256.Sum256([]byte(key)); agree(digest[:], []byte{c.prefix}, c.bits) {
				under++
			}
		}
		if under != len(results) {
			t.Fatalf("%d entries are proven, and there are %d", len(results), under)
		}
		var keys [][]byte
		for _, r := range results {
			keys = append(keys, r.Key)
		}
		expectResults(t, a, keys, results)
		return nil
	}
	err := proof.CheckSame(proves, rootOf(t, a), rootOf(t, b), c.keys...)
	for _, key := range c.keys {
		inA, _, _ := a.GetRaw(t.Context(), key)
		inB, _, _ := b.GetRaw(t.Context(), key)
		if err == nil && !bytes.Equal(inA, inB) {
			t.Fatalf("%q is proven to be the same in versions %d and %d", key, c.a, c.b)
		}
	}
	return err
}

// FuzzCheck tries to prove what is not so: of several versions of a map, with any of
// their blocks in any order, or with any bytes at all. What is proven is compared with
// the maps.
func FuzzCheck(f *testing.F) {
	h := newHistory(f)
	for version, m := range h.maps {
		for _, keys := range [][]byte{{1}, {23}, {2, 7, 11, 20}} {
			var raw [][]byte
			for _, key := range keys {
				raw = append(raw, h.key(key))
			}
			car := prove(f, m, raw...)
			f.Add(h.script(f, ofKeys, byte(version), 0, keys, car), []byte{})
			f.Add(h.script(f, ofKeys, byte(version), 0, keys, car), car)
		}
		car := provePrefix(f, m, []byte{0xc0}, 2)
		f.Add(h.script(f, ofPrefix, byte(version), 0, []byte{0xc0}, car), []byte{})
		for i := range byte(24) {
			var out bytes.Buffer
			if err := proof.WriteSame(f.Context(), &out, m, h.maps[0], h.key(i)); err == nil {
				f.Add(h.script(f, ofSame, byte(version), 0, []byte{i}, out.Bytes()), []byte{})
			}
		}
		changes := []byte{1, 3, 4, 5, 9, 1}
		var made []proof.Change
		for i := 0; i < len(changes); i += 2 {
			made = append(made, h.change(changes[i], changes[i+1]))
		}
		car, _ = proveChange(f, m, made)
		f.Add(h.script(f, ofChanges, byte(version), byte(version), changes, car), []byte{})
		f.Add(h.script(f, ofChanges, byte(version), byte(version), changes, car), car)
	}
	for version := range h.maps[1:] {
		// What did make one version of the other, as far as a script can say it.
		var changes []byte
		for i := range byte(4) {
			changes = append(changes, 5*i+byte(version), 3*(i+1))
		}
		var made []proof.Change
		for i := 0; i < len(changes); i += 2 {
			made = append(made, h.change(changes[i], changes[i+1]))
		}
		car, _ := proveChange(f, h.maps[version], made)
		f.Add(h.script(f, ofChanges, byte(version), byte(version+1), changes, car), []byte{})
	}
	f.Fuzz(func(t *testing.T, script, car []byte) {
		c := h.claim(t, script, car)
		err := c.check(t, h)
		if err != nil && !errors.Is(err, proof.ErrNotProven) && !errors.Is(err, fault.ErrRepeatedKey) {
			t.Fatalf("a proof that is no good is another error: %v", err)
		}
	})
}
