package embedded

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// watchedFile counts what is read of the pack, and may fail to sync.
type watchedFile struct {
	vfs.File
	reads, bytes int
	full         error
}

func (f *watchedFile) ReadAt(p []byte, at int64) (int, error) {
	f.reads++
	f.bytes += len(p)
	return f.File.ReadAt(p, at)
}

func (f *watchedFile) SyncData() error {
	if f.full != nil {
		return f.full
	}
	return f.File.SyncData()
}

func watch(s *Store) *watchedFile {
	f := &watchedFile{File: s.pack.file}
	s.pack.file = f
	return f
}

// forest puts trees of one level, several at the same time as a builder does,
// and gives the blocks in the order of a walk.
func forest(t *testing.T, e *Store, trees, leaves, atOnce int) (walk []cid.Cid) {
	t.Helper()
	put := func(c cid.Cid, block []byte) {
		if err := e.Put(t.Context(), c, block); err != nil {
			t.Fatal(err)
		}
	}
	for first := 0; first < trees; first += atOnce {
		below := make([][]cid.Cid, atOnce)
		for leaf := range leaves {
			for tree := range below {
				c, data := block(t, (first+tree)*leaves+leaf)
				below[tree] = append(below[tree], c)
				put(c, data)
			}
		}
		for _, links := range below {
			c, data := blockOf(t, linksTo(links...))
			put(c, data)
			walk = append(append(walk, c), links...)
		}
	}
	return walk
}

// linksTo is something that links.
func linksTo(to ...cid.Cid) []byte {
	data := []byte("links: ")
	for _, c := range to {
		data = append(append(data, 0xd8, 42, 0x58, byte(1+c.ByteLen()), 0), c.Bytes()...)
	}
	return data
}

// TestWalkReadsAhead: who goes through a tree finds nearly every block behind
// the one before, and reads the file in large stretches.
func TestWalkReadsAhead(t *testing.T) {
	const trees, leaves = 40, 100
	dir := t.TempDir()
	e := open(t, dir, true)
	walk := forest(t, e, trees, leaves, 4)
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	e = open(t, dir, false)
	defer closeStore(t, e)
	file := watch(e)
	lookups := 0
	for _, c := range walk {
		block, ok := e.pack.following(c.KeyString())
		if !ok {
			lookups++
			var err error
			if block, err = e.find(c); err != nil {
				t.Fatal(err)
			}
		}
		if err := stores.Check(c, block); err != nil {
			t.Fatal(err)
		}
	}
	if lookups > 5*trees {
		t.Errorf("%d blocks were looked up, of %d in %d trees", lookups, len(walk), trees)
	}
	if size := int(e.pack.end); file.reads > 5*trees || file.bytes > 3*size {
		t.Errorf("read %d times, %d bytes, of %d", file.reads, file.bytes, size)
	}
}

// TestLookupsReadNoMore than the block, in any order but that of a walk.
func TestLookupsReadNoMore(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	walk := forest(t, e, 1, 2000, 1)
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	file := watch(e)
	for n := len(walk) - 2; n > 0; n -= 3 { // backwards
		if _, err := e.Get(t.Context(), walk[n]); err != nil {
			t.Fatal(err)
		}
	}
	if size := int(e.pack.end); file.bytes > size/3+2000 {
		t.Errorf("read %d bytes of %d for a third of the blocks", file.bytes, size)
	}
	closeStore(t, e)
}

// TestAnyOrder: whatever the order, every block is found, also while more are
// written.
func TestAnyOrder(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	random := rand.New(rand.NewPCG(1, 2))
	var all []cid.Cid
	for round := range 20 {
		for n := range 50 {
			c, data := block(t, 50*round+n)
			if err := e.Put(t.Context(), c, data); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		if round%3 > 0 {
			if err := e.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			from := random.IntN(len(all))
			for _, c := range all[from:min(from+random.IntN(40), len(all))] {
				if _, err := load(e, c); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestPlacesComeAfterBlocks: what could not be brought to the disk is not in
// the engine, and waits for another try.
func TestPlacesComeAfterBlocks(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	file := watch(e)
	file.full = errors.New("no space")
	c, data := block(t, 1)
	if err := e.Put(t.Context(), c, data); err != nil {
		t.Fatal(err)
	}
	if err := e.Sync(); !errors.Is(err, file.full) {
		t.Errorf("sync: %v", err)
	}
	if _, found, err := e.place(c); found || err != nil {
		t.Errorf("the engine has the place of a block that may be lost: %v", err)
	}
	file.full = nil
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, found, err := e.place(c); !found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if got, err := load(e, c); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestLeftByCrash: what a process left behind that was killed before its blocks
// had their places is not there, and the next one writes over it.
func TestLeftByCrash(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	put := func(n int) (c cid.Cid, data []byte) {
		c, data = block(t, n)
		if err := errors.Join(e.Put(t.Context(), c, data), e.Sync()); err != nil {
			t.Fatal(err)
		}
		return c, data
	}
	first, _ := put(1)
	end := e.pack.end
	closeStore(t, e)
	path := filepath.Join(dir, packName)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for _, write := range []bool{false, true} {
		e = open(t, dir, write)
		if _, err := load(e, first); err != nil {
			t.Error(err)
		}
		if !write {
			closeStore(t, e)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() != end {
		t.Errorf("%d bytes instead of %d: %v", info.Size(), end, err)
	}
	second, want := put(2)
	if got, err := load(e, second); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	closeStore(t, e)
}

// TestDamagedEnd: where nobody knows how long the file is, nothing is cut off.
func TestDamagedEnd(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := errors.Join(e.Put(t.Context(), c, data), e.Sync()); err != nil {
		t.Fatal(err)
	}
	size := e.pack.end
	for _, value := range []string{"", "\x80", "\x00\x00"} {
		if err := e.db.Set(endKey, []byte(value), nil); err != nil {
			t.Fatal(err)
		}
		closeStore(t, e)
		if _, err := Open(t.Context(), dir, Options{Write: true}); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%q: %v", value, err)
		}
		if info, err := os.Stat(filepath.Join(dir, packName)); err != nil || info.Size() != size {
			t.Errorf("%q: %v", value, err)
		}
		db, err := openWaiting(t.Context(), dir, engineOptions(true, quiet{}), 0)
		if err != nil {
			t.Fatal(err)
		}
		e = &Store{dir: dir, db: db, pack: &pack{}}
	}
	closeStore(t, e)
}

// TestDamage to the file of blocks is told, and where it is.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := errors.Join(e.Put(t.Context(), c, data), e.Sync()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	path := filepath.Join(dir, packName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, broken := range map[string]func(b []byte){
		"length of the CID": func(b []byte) { b[0]++ },
		"CID":               func(b []byte) { b[9]++ },
		"length":            func(b []byte) { b[1+c.ByteLen()]++ },
		"end of the length": func(b []byte) { b[2+c.ByteLen()] = 0xff },
		"block":             func(b []byte) { b[len(b)-1]++ },
	} {
		damaged := bytes.Clone(whole)
		broken(damaged)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir, false)
		if _, err := load(e, c); err == nil {
			t.Errorf("%s: no error", what)
		} else if what != "block" && !strings.Contains(err.Error(), "damaged at byte 0") {
			t.Errorf("%s: %v", what, err)
		}
		closeStore(t, e)
	}
	for what, shorten := range map[string]func() error{
		"shorter": func() error { return os.Truncate(path, int64(len(whole)-1)) },
		"absent":  func() error { return os.Remove(path) },
	} {
		if err := shorten(); err != nil {
			t.Fatal(err)
		}
		for _, write := range []bool{false, true} {
			if _, err := Open(t.Context(), dir, Options{Write: write}); err == nil || !strings.Contains(err.Error(), "lost blocks") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPutAgain: a block that is there takes no more room, and stays where it is.
func TestPutAgain(t *testing.T) {
	dir := t.TempDir()
	var size int64
	for session := range 3 {
		e := open(t, dir, true)
		forest(t, e, 10, 10, 1)
		walk := forest(t, e, 10, 10, 2)
		if err := e.Sync(); err != nil {
			t.Fatal(err)
		}
		for _, c := range walk {
			if _, err := load(e, c); err != nil {
				t.Fatalf("session %d: %v", session, err)
			}
		}
		if session == 0 {
			size = e.pack.end
		} else if e.pack.end != size {
			t.Errorf("%d bytes, and before %d", e.pack.end, size)
		}
		closeStore(t, e)
	}
}

// TestReaderKeepsItsBlock, whatever is written and put after it was opened.
func TestReaderKeepsItsBlock(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	c, want := block(t, 1)
	if err := e.Put(t.Context(), c, want); err != nil {
		t.Fatal(err)
	}
	reader, err := e.LinkSystem().StorageReadOpener(linking.LinkContext{}, cidlink.Link{Cid: c})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	other, data := block(t, 2)
	if err := e.Put(t.Context(), other, data); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}
