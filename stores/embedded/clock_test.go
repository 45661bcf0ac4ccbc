package embedded

import (
	"testing"
	"time"

	"github.com/ipfs/go-cid"
)

// TestClockJumps has the clock jump, in one writer and between two. What a name
// stands for, and what it stood for, goes by the order in which it was said.
func TestClockJumps(t *testing.T) {
	clock := []time.Time{
		time.Unix(1_800_000_000, 0), time.Unix(0, 0), time.Unix(1_700_000_000, 0), {},
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("", -12*3600)), // 10000 in UTC
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1_900_000_000, 0),
	}
	dir := t.TempDir()
	var roots []cid.Cid
	for session := range 3 {
		n := 0
		s, err := Open(t.Context(), dir, Options{Write: true, now: func() time.Time {
			n++
			return clock[(n+session)%len(clock)]
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			c, data := block(t, len(roots))
			if err := s.Put(t.Context(), c, data); err != nil {
				t.Fatal(err)
			}
			if err := s.SetName(t.Context(), "name", c); err != nil {
				t.Fatal(err)
			}
			roots = append(roots, c)
		}
		closeStore(t, s)
	}
	s := open(t, dir, false)
	defer closeStore(t, s)
	if root, found, err := s.Lookup(t.Context(), "name"); err != nil || !found || root != roots[len(roots)-1] {
		t.Errorf("Lookup returns %v, %v, %v", root, found, err)
	}
	moves, err := s.History(t.Context(), "name")
	if err != nil || len(moves) != len(roots) {
		t.Fatalf("%d moves, %v, want %d", len(moves), err, len(roots))
	}
	for i, move := range moves {
		if move.Root != roots[i] {
			t.Errorf("move %d is to %v, want %v", i, move.Root, roots[i])
		}
		if _, err := s.Get(t.Context(), move.Root); err != nil {
			t.Error(err)
		}
	}
}
