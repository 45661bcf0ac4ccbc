package hashsort

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestBatch holds an overlay against a Go map, after each of its changes: keys are
// found at once, however few others came since and whenever the table grew.
func TestBatch(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, code := range hashes {
		h := hasher(t, code)
		p := params.Params{HashAlg: code, BitWidth: 5, BucketSize: 3}
		for _, expected := range []int{0, 10, 3000} {
			b := NewOverlay(p, h)
			if expected > 0 {
				b.Expect(expected)
			}
			want := map[string]string{}
			var last [][]byte
			for i, key := range randomEntries(random, 3000) {
				if value, ok := b.Get(key); string(value) != want[string(key)] || ok != (want[string(key)] != "") {
					t.Fatalf("after %d changes %q has the value %q, %v", i, key, value, ok)
				}
				slot, taken := b.Slot(key)
				if _, there := want[string(key)]; taken != there {
					t.Fatalf("after %d changes %q is taken: %v", i, key, taken)
				}
				value := fmt.Append(nil, i)
				b.Put(slot, key, value)
				want[string(key)], last = string(value), append(last, key)
				if got, ok := b.Get(key); !ok || string(got) != string(value) {
					t.Fatalf("after %d changes %q has the value %q, %v", i, key, got, ok)
				}
				if b.Len() != len(want) {
					t.Fatalf("after %d changes there are %d keys, not %d", i, b.Len(), len(want))
				}
			}
			for range 2 { // sorting leaves the overlay as it was
				s := b.unsorted().sort()
				var got []Entry
				if err := s.each(s.all(), nil, func(entry Entry) error { got = append(got, entry); return nil }); err != nil {
					t.Fatal(err)
				}
				expectEntries(t, got, wanted(h, last))
			}
		}
	}
}
