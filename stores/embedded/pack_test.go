package embedded

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// watched is the disk, and counts what is read of packs.
type watched struct {
	disk
	reads, bytes int
}

type watchedFile struct {
	file
	fs *watched
}

func (w *watched) Open(path string) (file, error) {
	f, err := w.disk.Open(path)
	if filepath.Ext(path) != packSuffix {
		return f, err
	}
	return watchedFile{f, w}, err
}

func (f watchedFile) ReadAt(p []byte, at int64) (int, error) {
	f.fs.reads++
	f.fs.bytes += len(p)
	return f.file.ReadAt(p, at)
}

func openWatched(t *testing.T, dir string) (*Store, *watched) {
	t.Helper()
	w := new(watched)
	s, err := Open(t.Context(), dir, Options{fs: w})
	if err != nil {
		t.Fatal(err)
	}
	w.reads, w.bytes = 0, 0
	return s, w
}

// packBytes returns how many bytes the packs of a store have.
func packBytes(s *Store) (n int64) {
	for _, p := range s.state.Packs {
		n += p.Bytes
	}
	return n
}

// forest puts trees of one level, several at the same time as a builder does,
// and returns the blocks in the order of a walk.
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

func syncStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
}

// TestWalkReadsAhead: who goes through a tree finds nearly every block behind
// the one before, and reads the pack in large stretches.
func TestWalkReadsAhead(t *testing.T) {
	const trees, leaves = 40, 100
	dir := t.TempDir()
	e := open(t, dir, true)
	walk := forest(t, e, trees, leaves, 4)
	syncStore(t, e)
	closeStore(t, e)
	e, fs := openWatched(t, dir)
	defer closeStore(t, e)
	lookups := 0
	for _, c := range walk {
		block, ok := e.packs[0].Following(c)
		if !ok {
			lookups++
			var err error
			if block, err = e.find(t.Context(), c); err != nil {
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
	if size := int(packBytes(e)); fs.reads > 10*trees || fs.bytes > 3*size {
		t.Errorf("read %d times, %d bytes, of %d", fs.reads, fs.bytes, size)
	}
}

// TestLookupsReadLittle: a page of the index and about a block, in any order but
// that of a walk.
func TestLookupsReadLittle(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	walk := forest(t, e, 1, 2000, 1)
	syncStore(t, e)
	closeStore(t, e)
	e, fs := openWatched(t, dir)
	defer closeStore(t, e)
	lookups := 0
	for n := len(walk) - 2; n > 0; n -= 3 { // backwards
		lookups++
		if _, err := e.Get(t.Context(), walk[n]); err != nil {
			t.Fatal(err)
		}
	}
	if fs.reads > 2*lookups+10 || fs.bytes > lookups*(4<<10+128*40) {
		t.Errorf("%d reads of %d bytes for %d lookups", fs.reads, fs.bytes, lookups)
	}
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
			syncStore(t, e)
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

// TestPutAgain: a block that is there takes no more room, and stays where it is.
func TestPutAgain(t *testing.T) {
	dir := t.TempDir()
	var size int64
	for session := range 3 {
		e := open(t, dir, true)
		forest(t, e, 10, 10, 1)
		walk := forest(t, e, 10, 10, 2)
		syncStore(t, e)
		for _, c := range walk {
			if _, err := load(e, c); err != nil {
				t.Fatalf("session %d: %v", session, err)
			}
		}
		if session == 0 {
			size = packBytes(e)
		} else if packBytes(e) != size {
			t.Errorf("%d bytes, and before %d", packBytes(e), size)
		}
		closeStore(t, e)
	}
}

// TestPutMends: a block that is damaged is written again when it is put again,
// whatever of it is damaged.
func TestPutMends(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := errors.Join(e.Put(t.Context(), c, data), e.Sync()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	path := filepath.Join(dir, packsDir, packName(1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(whole, data)
	for what, offset := range map[string]int{
		"length": at - c.ByteLen() - 2, "end of the length": at - c.ByteLen() - 1, "CID": at - 10, "block": at + len(data) - 1,
	} {
		damaged := bytes.Clone(whole)
		damaged[offset] ^= 4
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		left := t.TempDir()
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		e = open(t, left, false)
		var damage *DamageError
		if _, err := load(e, c); !errors.As(err, &damage) || damage.CID != c || !errors.Is(err, stores.ErrWrongBytes) {
			t.Errorf("%s: %v", what, err)
		}
		closeStore(t, e)
		e = open(t, left, true)
		if err := errors.Join(e.Put(t.Context(), c, data), e.Sync()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := load(e, c); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: put again: %v", what, err)
			}
			closeStore(t, e)
			e = open(t, left, false)
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
	syncStore(t, e)
	other, data := block(t, 2)
	if err := e.Put(t.Context(), other, data); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}
