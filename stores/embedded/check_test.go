package embedded

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// damagedStore returns a store of two packs with some blocks, of which one is
// damaged, and the name of one.
func damagedStore(t *testing.T, damage int) (dir string, all map[cid.Cid][]byte, damaged cid.Cid) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, true)
	all = map[cid.Cid][]byte{}
	for n := range 20 {
		c, data := block(t, n)
		all[c] = data
		if err := s.Put(t.Context(), c, data); err != nil {
			t.Fatal(err)
		}
		if n == 15 {
			syncStore(t, s)
		}
	}
	damaged = blockCID(t, damage)
	if err := s.SetName(t.Context(), "name", damaged); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	files, err := filepath.Glob(filepath.Join(dir, packsDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(data, all[damaged]); at >= 0 {
			data[at+5] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return dir, all, damaged
		}
	}
	t.Fatal("no pack has the block")
	return "", nil, cid.Undef
}

// TestRepair reports a damaged block by its name, and mends it where somebody has
// it.
func TestRepair(t *testing.T) {
	dir, all, damaged := damagedStore(t, 3)
	s := open(t, dir, true)
	check := func() (found []error) { return slices.Collect(s.Check(t.Context())) }
	found := check()
	var damage *DamageError
	if len(found) != 1 || !errors.As(found[0], &damage) || string(damage.CID.Hash()) != string(damaged.Hash()) {
		t.Fatalf("Check: %v", found)
	}
	left, err := s.Repair(t.Context(), nil)
	if err != nil || len(left) != 1 {
		t.Errorf("from nowhere: %v, %v", left, err)
	}
	left, err = s.Repair(t.Context(), func(context.Context, cid.Cid) ([]byte, error) { return []byte("lies"), nil })
	if err != nil || len(left) != 1 || !errors.Is(left[0], stores.ErrWrongBytes) {
		t.Errorf("from a liar: %v, %v", left, err)
	}
	if err := s.Compact(t.Context()); err == nil {
		t.Error("compacted in spite of a damaged block")
	}
	left, err = s.Repair(t.Context(), func(_ context.Context, c cid.Cid) ([]byte, error) {
		for known, data := range all {
			if string(known.Hash()) == string(c.Hash()) {
				return data, nil
			}
		}
		return nil, stores.NotFound{CID: c}
	})
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if found := check(); len(found) > 0 {
		t.Errorf("after it: %v", found)
	}
	for c, want := range all {
		if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", c, err)
		}
	}
	closeStore(t, s)
}

// TestRepairLog opens a store that has lost lines in both copies of its log, or
// both copies: for reading as far as that goes, for writing when it is to be
// repaired; no block is lost.
func TestRepairLog(t *testing.T) {
	for what, damage := range map[string]func(log []byte) []byte{
		"a line":     func(log []byte) []byte { log[bytes.IndexByte(log, '\n')+12] ^= 1; return log },
		"the first":  func(log []byte) []byte { log[12] ^= 1; return log },
		"all of it":  func(log []byte) []byte { return nil },
		"other text": func(log []byte) []byte { return []byte("somebody's log\n") },
	} {
		dir := t.TempDir()
		s := open(t, dir, true)
		for n := range 5 {
			c, data := block(t, n)
			if err := errors.Join(s.Put(t.Context(), c, data), s.SetName(t.Context(), "name", c)); err != nil {
				t.Fatal(err)
			}
		}
		// As if the process had been killed: no packs are merged.
		left := t.TempDir()
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		for _, name := range logNames {
			path := filepath.Join(left, name)
			log, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(log), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := packFiles(t, left)
		if _, err := Open(t.Context(), left, Options{Write: true}); !errors.As(err, new(*LogError)) {
			t.Errorf("%s: writing: %v", what, err)
		}
		if after := packFiles(t, left); after != before {
			t.Errorf("%s: %d packs, and before %d", what, after, before)
		}
		s, err := Open(t.Context(), left, Options{Write: true, Repair: true})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		closeStore(t, s)
		s = open(t, left, true)
		for n := range 5 {
			c, want := block(t, n)
			if got, err := load(s, c); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: block %d: %v", what, n, err)
			}
		}
		for err := range s.Check(t.Context()) {
			t.Errorf("%s: %v", what, err)
		}
		closeStore(t, s)
	}
}
