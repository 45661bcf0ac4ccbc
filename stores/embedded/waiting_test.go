package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

func blockOf(t testing.TB, data []byte) (cid.Cid, []byte) {
	t.Helper()
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

// arranged returns the names of blocks in the order in which they are arranged.
func arranged(t *testing.T, w *waiting, names map[string]string, known ...cid.Cid) string {
	t.Helper()
	for i := range w.records {
		w.records[i].arranged = false
	}
	sections := w.arrange(func(c cid.Cid, _ []byte) bool { return slices.Contains(known, c) })
	var order []string
	for rest := sections; len(rest) > 0; {
		length, n := binary.Uvarint(rest)
		section := rest[n : n+int(length)]
		rest = rest[n+int(length):]
		_, c, err := cid.CidFromBytes(section)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := w.block(c); !bytes.HasSuffix(section, want) || len(section) != c.ByteLen()+len(want) {
			t.Fatalf("%s is %q", names[c.KeyString()], section)
		}
		order = append(order, names[c.KeyString()])
	}
	return strings.Join(order, " ")
}

func TestArrange(t *testing.T) {
	w := newWaiting(0, 0)
	names := map[string]string{}
	add := func(name string, data []byte) cid.Cid {
		c, _ := blockOf(t, data)
		w.add(c, data)
		names[c.KeyString()] = name
		return c
	}
	leaf := func(name string) cid.Cid { return add(name, []byte(name)) }
	absent, _ := blockOf(t, []byte("absent"))
	a1, b2, a2, alone, b1 := leaf("a1"), leaf("b2"), leaf("a2"), leaf("alone"), leaf("b1")
	b := add("b", linksTo(b1, absent, b2))
	leaf("alone")
	a := add("a", linksTo(a1, b1, a2))
	add("root", append(linksTo(a, b), 0xd8, 42, 0x58)) // a head and no link
	add("empty", nil)
	add("cut", linksTo(alone)[:20])
	if got, want := arranged(t, w, names), "alone a1 b1 a2 a b2 b root empty cut"; got != want {
		t.Errorf("%s, want %s", got, want)
	}

	if got, want := arranged(t, w, names, a, b2), "alone a1 b1 a2 b root empty cut"; got != want {
		t.Errorf("with known ones: %s, want %s", got, want)
	}
}

// TestArrangeAll: a chain of links is not followed to its end where that is far,
// nor where there is none, and yet nothing is left out.
func TestArrangeAll(t *testing.T) {
	const blocks = 1000
	cids := make([]cid.Cid, blocks)
	for n := range cids {
		cids[n], _ = block(t, n)
	}
	for last, first := range map[int]string{blocks - 1: fmt.Sprint(maxLinks), 0: "0"} { // the last one's link
		w := newWaiting(0, 0)
		names := map[string]string{}
		for n, c := range cids {
			next := n + 1
			if next == blocks {
				next = last
			}
			w.add(c, linksTo(cids[next]))
			names[c.KeyString()] = fmt.Sprint(n)
		}
		order := strings.Fields(arranged(t, w, names))
		if order[0] != first {
			t.Errorf("begins with %s, want %s", order[0], first)
		}
		slices.Sort(order)
		if order = slices.Compact(order); len(order) != blocks {
			t.Errorf("%d of %d blocks", len(order), blocks)
		}
	}
}
