package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
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

// repairAll repairs a store, and returns how many faults are mended, and the others.
func repairAll(t *testing.T, s *Store, get func(ctx context.Context, c cid.Cid) ([]byte, error)) (mended int, left []error) {
	t.Helper()
	mended, err := s.Repair(t.Context(), get, func(err error) error {
		left = append(left, err)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return mended, left
}

// TestRepair reports a damaged block by its name, and mends it where somebody has
// it.
func TestRepair(t *testing.T) {
	dir, all, damaged := damagedStore(t, 3)
	s := open(t, dir, true)
	check := func() (found []error) { return slices.Collect(s.Check(t.Context())) }
	found := check()
	var damage *DamageError
	if len(found) != 1 || !errors.As(found[0], &damage) || damage.CID != damaged {
		t.Fatalf("Check: %v", found)
	}
	var name *NameError
	names := slices.Collect(s.CheckNames(t.Context()))
	if len(names) != 1 || !errors.As(names[0], &name) || name.Name != "name" || name.Root != damaged || name.CID != damaged || name.Was {
		t.Errorf("CheckNames: %v", names)
	}
	if mended, left := repairAll(t, s, nil); mended != 0 || len(left) != 1 {
		t.Errorf("from nowhere: %d, %v", mended, left)
	}
	lies := func(context.Context, cid.Cid) ([]byte, error) { return []byte("lies"), nil }
	if mended, left := repairAll(t, s, lies); mended != 0 || len(left) != 1 || !errors.Is(left[0], stores.ErrWrongBytes) {
		t.Errorf("from a liar: %d, %v", mended, left)
	}
	if err := s.Compact(t.Context()); err == nil {
		t.Error("compacted in spite of a damaged block")
	}
	get := func(_ context.Context, c cid.Cid) ([]byte, error) {
		if data, ok := all[c]; ok {
			return data, nil
		}
		return nil, stores.NotFound{CID: c}
	}
	if mended, left := repairAll(t, s, get); mended != 1 || len(left) > 0 {
		t.Errorf("%d, %v", mended, left)
	}
	if found := append(check(), slices.Collect(s.CheckNames(t.Context()))...); len(found) > 0 {
		t.Errorf("after it: %v", found)
	}
	for c, want := range all {
		if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", c, err)
		}
	}
	closeStore(t, s)
}

// nodeOf makes a block in DAG-CBOR that links to others.
func nodeOf(t testing.TB, name string, to ...cid.Cid) (cid.Cid, []byte) {
	t.Helper()
	n, err := qp.BuildList(basicnode.Prototype.Any, -1, func(l datamodel.ListAssembler) {
		qp.ListEntry(l, qp.String(name))
		for _, c := range to {
			qp.ListEntry(l, qp.Link(cidlink.Link{Cid: c}))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := ipld.Encode(n, dagcbor.Encode)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

// putNode puts what nodeOf makes.
func putNode(t testing.TB, s *Store, name string, to ...cid.Cid) cid.Cid {
	t.Helper()
	c, data := nodeOf(t, name, to...)
	if err := s.Put(context.Background(), c, data); err != nil {
		t.Fatal(err)
	}
	return c
}

// damageBlock changes a byte of a block in each pack that has it, so far behind its
// CID, or before it where that is negative.
func damageBlock(t *testing.T, dir string, c cid.Cid, at int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, packsDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pack.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		e, ok, err := p.Find(c)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		found = true
		begin := int(e.Offset) + bytes.Index(data[e.Offset:], []byte(c.KeyString()))
		data[begin+c.ByteLen()+at] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !found {
		t.Fatalf("no pack has %s", c)
	}
}

// TestCheckNames names the roots that damage hurts, and no others, with what a name
// stood for, and what has no name.
func TestCheckNames(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	elsewhere, _ := nodeOf(t, "elsewhere") // which need not be there
	shared := putNode(t, s, "shared", elsewhere)
	hurt := putNode(t, s, "hurt")
	chain := hurt // longer than ways are that are kept
	for i := range 3 * maxLinks {
		chain = putNode(t, s, fmt.Sprint("chain ", i), chain)
	}
	inline, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.IDENTITY}.Sum(must(nodeOf(t, "inline", hurt)))
	if err != nil {
		t.Fatal(err)
	}
	roots := map[string]cid.Cid{
		"whole": putNode(t, s, "whole", shared), "direct": putNode(t, s, "direct", shared, hurt),
		"far": putNode(t, s, "far", chain), "within": putNode(t, s, "within", inline), "below": inline,
	}
	for name, root := range roots {
		if err := s.SetName(t.Context(), name, root); err != nil {
			t.Fatal(err)
		}
	}
	unnamed, synced := putNode(t, s, "unnamed", shared, hurt), putNode(t, s, "synced", hurt)
	// The second time there is no pack to be written that could name it.
	if err := errors.Join(s.Publish(t.Context(), unnamed), s.Publish(t.Context(), synced), s.Publish(t.Context(), synced)); err != nil {
		t.Fatal(err)
	}
	once := putNode(t, s, "once", roots["direct"])
	if err := errors.Join(s.SetName(t.Context(), "moved", once), s.SetName(t.Context(), "moved", roots["whole"])); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, dir, false)
	for err := range s.CheckNames(t.Context()) {
		t.Errorf("nothing is damaged: %v", err)
	}
	closeStore(t, s)
	damageBlock(t, dir, hurt, 3)
	s = open(t, dir, false)
	defer closeStore(t, s)
	got := map[string]bool{}
	for err := range s.CheckNames(t.Context()) {
		var name *NameError
		if !errors.As(err, &name) || name.CID != hurt || !errors.As(err, new(*DamageError)) {
			t.Errorf("%v", err)
			continue
		}
		got[fmt.Sprint(name.Name, " ", name.Was, " ", name.Root)] = true
	}
	want := map[string]bool{
		fmt.Sprint("moved true ", once): true, fmt.Sprint(" false ", unnamed): true, fmt.Sprint(" false ", synced): true,
		fmt.Sprint("direct false ", roots["direct"]): true, fmt.Sprint("far false ", roots["far"]): true,
		fmt.Sprint("within false ", roots["within"]): true, fmt.Sprint("below false ", inline): true,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

func must(_ cid.Cid, data []byte) []byte { return data }

// TestRepairAsLinked asks for a block of which only the hash is known by the CID that
// links to it has.
func TestRepairAsLinked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	c, data := nodeOf(t, "hurt")
	putNode(t, s, "hurt")
	root := putNode(t, s, "root", c)
	if err := s.SetName(t.Context(), "name", root); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	damageBlock(t, dir, c, -c.ByteLen()) // the version of the CID
	s = open(t, dir, true)
	defer closeStore(t, s)
	var asked []cid.Cid
	mended, left := repairAll(t, s, func(_ context.Context, c cid.Cid) ([]byte, error) {
		asked = append(asked, c)
		return data, nil
	})
	if mended != 1 || len(left) > 0 || len(asked) != 1 || asked[0] != c {
		t.Errorf("%d mended, left %v, asked for %v", mended, left, asked)
	}
	for section, err := range s.packs[0].Sections(t.Context()) {
		if err != nil || section.CID != c && section.CID != root {
			t.Errorf("%s stands there, %v", section.CID, err)
		}
	}
}

// TestLostPack opens a store of which a pack is absent, cannot be opened, or is
// something else: what is in the others is read, nobody is told that a block is not
// there without the reason, and the store is not cut.
func TestLostPack(t *testing.T) {
	for what, lose := range map[string]func(path string) error{
		"absent":      os.Remove,
		"no pack":     func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 10000), 0o600) },
		"empty":       func(path string) error { return os.Truncate(path, 0) },
		"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		dir := t.TempDir()
		s := open(t, dir, true)
		large := make([]byte, 1<<20) // so that the packs stay apart
		kept, data := blockOf(t, large)
		if err := errors.Join(s.Put(t.Context(), kept, data), s.Sync()); err != nil {
			t.Fatal(err)
		}
		below := putNode(t, s, "below")
		if err := s.SetName(t.Context(), "hurt", putNode(t, s, "root", below, kept)); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if err := lose(filepath.Join(dir, packsDir, packName(2))); err != nil {
			t.Fatal(err)
		}
		for _, write := range []bool{false, true} {
			s = open(t, dir, write)
			if got, err := s.Get(t.Context(), kept); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s, writing %v: %v", what, write, err)
			}
			if _, err := s.Get(t.Context(), below); !stores.IsNotFound(err) || what == "absent" && !strings.Contains(err.Error(), packName(2)) {
				t.Errorf("%s, writing %v: %v", what, write, err)
			}
			found := slices.Collect(s.Check(t.Context()))
			var of *FileError
			if len(found) == 0 || !errors.As(found[0], &of) || of.File != packsDir+"/"+packName(2) {
				t.Errorf("%s, writing %v: Check: %v", what, write, found)
			}
			var name *NameError
			names := slices.Collect(s.CheckNames(t.Context()))
			if len(names) != 1 || !errors.As(names[0], &name) || name.Name != "hurt" {
				t.Errorf("%s, writing %v: CheckNames: %v", what, write, names)
			}
			if write {
				if mended, left := repairAll(t, s, nil); mended != 0 || len(left) == 0 {
					t.Errorf("%s: %d mended, %v left", what, mended, left)
				}
				if err := s.Compact(t.Context()); err == nil {
					t.Errorf("%s: compacted", what)
				}
				putNode(t, s, "below")
				putNode(t, s, "root", below, kept)
				if _, left := repairAll(t, s, nil); what == "absent" && len(left) > 0 {
					t.Errorf("%s, though all is there again: %v", what, left)
				}
			}
			closeStore(t, s)
		}
		s = open(t, dir, false)
		if err := slices.Collect(s.CheckNames(t.Context())); len(err) > 0 {
			t.Errorf("%s: put again: %v", what, err)
		}
		closeStore(t, s)
	}
}

// TestLostBeginning reads a store whose packs have lost what stands before the first
// block.
func TestLostBeginning(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	all := map[cid.Cid][]byte{}
	for n := range 100 {
		c, data := block(t, n)
		if all[c] = data; s.Put(t.Context(), c, data) != nil {
			t.Fatal()
		}
	}
	syncStore(t, s)
	closeStore(t, s)
	f, err := os.OpenFile(filepath.Join(dir, packsDir, packName(1)), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, true)
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
