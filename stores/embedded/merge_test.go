package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func TestMergeable(t *testing.T) {
	for _, test := range []struct {
		sizes []int64
		want  int
	}{
		{nil, 0},
		{[]int64{5}, 0},
		{[]int64{1, 2, 4, 8}, 0},
		{[]int64{8, 1, 4, 2}, 0},
		{[]int64{5, 5}, 2},
		{[]int64{1, 1, 100}, 2},
		{[]int64{1, 1, 3, 100}, 3}, // what the first two become is too large beside the third
		{[]int64{largeBytes, largeBytes}, 0},
		{[]int64{1, 1, largeBytes, largeBytes}, 2},
	} {
		var packs []packLine
		for i, size := range test.sizes {
			packs = append(packs, packLine{Name: packName(i + 1), Bytes: size})
		}
		if got := mergeable(packs); len(got) != test.want {
			t.Errorf("of %v: %v, want %d", test.sizes, got, test.want)
		}
	}
}

func packFiles(t *testing.T, dir string) int {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, packsDir))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestManySmallWrites leave few packs, whether by one process or by many, and
// beside a reader who keeps what it opened.
func TestManySmallWrites(t *testing.T) {
	dir := t.TempDir()
	c, data := block(t, 0)
	s := open(t, dir, true)
	if err := errors.Join(s.Put(t.Context(), c, data), s.Sync()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	reader := open(t, dir, false)
	defer closeStore(t, reader)
	n := 1
	for range 20 {
		s := open(t, dir, true)
		for range 40 {
			c, data := block(t, n)
			n++
			if err := errors.Join(s.Put(t.Context(), c, data), s.SetName(t.Context(), fmt.Sprint("n", n%3), c)); err != nil {
				t.Fatal(err)
			}
			if packs := packFiles(t, dir); packs > maxPacks+1 {
				t.Fatalf("%d packs after %d writes", packs, n)
			}
		}
		closeStore(t, s)
		if packs := packFiles(t, dir); packs > 12 {
			t.Fatalf("%d packs after %d writes and closing", packs, n)
		}
	}
	if got, err := reader.Get(t.Context(), c); err != nil || !bytes.Equal(got, data) {
		t.Errorf("who reads what was merged: %v", err)
	}
	if _, err := reader.Get(t.Context(), blockCID(t, 1)); !stores.IsNotFound(err) {
		t.Errorf("who reads sees what was written later: %v", err)
	}
	s = open(t, dir, true)
	defer closeStore(t, s)
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if packs := packFiles(t, dir); packs != 1 {
		t.Errorf("%d packs when compacted", packs)
	}
	for i := range n {
		c, want := block(t, i)
		if got, err := load(s, c); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("block %d: %v", i, err)
		}
	}
	for err := range s.Check(t.Context()) {
		t.Error(err)
	}
}

func blockCID(t *testing.T, n int) cid.Cid {
	c, _ := block(t, n)
	return c
}

// TestReadersBesideMerging open the store while packs come and go.
func TestReadersBesideMerging(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	c, want := block(t, 0)
	if err := errors.Join(s.Put(t.Context(), c, want), s.Sync()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				r, err := Open(ctx, dir, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := r.Get(ctx, c); err != nil || !bytes.Equal(got, want) {
					t.Error(err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range 60 {
		c, data := block(t, n+1)
		if err := errors.Join(s.Put(t.Context(), c, data), s.Sync()); err != nil {
			t.Fatal(err)
		}
		if n%3 == 0 {
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	readers.Wait()
	closeStore(t, s)
}

// TestCompactArranges the blocks as a walk from the roots wants them, whatever the
// order in which they came, and once.
func TestCompactArranges(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	s.unmerged = true
	var want []cid.Cid
	var tops []cid.Cid
	leaf := func(n int) (cid.Cid, []byte) { return nodeOf(t, fmt.Sprint("leaf ", n)) }
	for n := 29; n >= 0; n-- { // each in a pack of its own, the last first
		c, data := leaf(n)
		if err := errors.Join(s.Put(t.Context(), c, data), s.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		var below []cid.Cid
		for i := range 10 {
			c, _ := leaf(10*n + i)
			below = append(below, c)
		}
		top := putNode(t, s, fmt.Sprint("top ", n), below...)
		tops = append(tops, top)
		want = append(append(want, below...), top)
	}
	root := putNode(t, s, "root", tops...)
	want = append(want, root)
	if err := s.SetName(t.Context(), "name", root); err != nil {
		t.Fatal(err)
	}
	alone := putNode(t, s, "alone")
	want = append(want, alone)
	for range 2 { // the second time there is nothing to do
		if err := s.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(s.packs) != 1 {
			t.Fatalf("%d packs", len(s.packs))
		}
		var got []cid.Cid
		for section, err := range s.packs[0].Sections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, section.CID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		closeStore(t, s)
		before := listing(t, filepath.Join(dir, packsDir))
		s = open(t, dir, true)
		if err := s.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := listing(t, filepath.Join(dir, packsDir)); after != before {
			t.Errorf("before:\n%safter:\n%s", before, after)
		}
	}
	closeStore(t, s)
}
