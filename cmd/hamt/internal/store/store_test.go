package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/car"
)

// block makes the n-th test block.
func block(t testing.TB, n int) (cid.Cid, []byte) {
	t.Helper()
	data := bytes.Repeat(fmt.Appendf(nil, "block %d;", n), 100)
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

func open(t testing.TB, dir string, write bool) *Embedded {
	t.Helper()
	e, err := openEmbedded(context.Background(), dir, write, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closeStore(t testing.TB, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// load reads a block through a store's LinkSystem, which checks the hash.
func load(s Store, c cid.Cid) ([]byte, error) {
	return s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: context.Background()}, cidlink.Link{Cid: c})
}

func TestBlocks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	e := open(t, dir, true)
	const blocks = 8000 // some more than one batch
	for n := range blocks {
		c, data := block(t, n)
		if err := e.Put(c, data); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *Embedded) {
		t.Helper()
		for n := 0; n < blocks; n += 7 {
			c, want := block(t, n)
			if got, err := load(s, c); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("block %d: %q, %v", n, got, err)
			}
			if has, err := s.Has(c); !has || err != nil {
				t.Fatalf("block %d: %v, %v", n, has, err)
			}
		}
		absent, _ := block(t, blocks)
		_, err := load(s, absent)
		var notFound interface{ NotFound() bool }
		if !errors.As(err, &notFound) || !notFound.NotFound() {
			t.Fatalf("absent block: %v", err)
		}
		if has, err := s.Has(absent); has || err != nil {
			t.Fatalf("absent block: %v, %v", has, err)
		}
	}
	check(e)
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	check(e)
	closeStore(t, e)

	e = open(t, dir, false)
	defer closeStore(t, e)
	check(e)
	if e.LinkSystem().StorageWriteOpener != nil {
		t.Error("a store opened for reading can be written to")
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() { check(e) })
	}
	readers.Wait()
}

func TestReaderKnowsItsLength(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	for n, when := range []string{"in the batch", "in the engine"} {
		c, data := block(t, n)
		if err := e.Put(c, data); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			if err := e.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		reader, err := e.LinkSystem().StorageReadOpener(linking.LinkContext{}, cidlink.Link{Cid: c})
		if err != nil {
			t.Fatal(err)
		}
		if sized, ok := reader.(interface{ Len() int }); !ok || sized.Len() != len(data) {
			t.Errorf("%s: %T", when, reader)
		}
		if closer, ok := reader.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestIdentityCID(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.IDENTITY}.Sum([]byte("here"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := load(e, c); err != nil || string(got) != "here" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	first, _ := block(t, 1)
	second, _ := block(t, 2)
	steps := []struct {
		do   func() error
		want error
	}{
		{func() error { return e.Move("words", first, second) }, ErrMoved},
		{func() error { return e.Set("words", first) }, nil},
		{func() error { return e.Move("words", second, first) }, ErrMoved},
		{func() error { return e.Move("words", first, second) }, nil},
		{func() error { return e.Set("a/b", first) }, nil},
		{func() error { return e.Set("ünï", first) }, nil},
	}
	for i, step := range steps {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Fatalf("step %d: %v, want %v", i, err, step.want)
		}
	}
	closeStore(t, e)
	e = open(t, dir, true)
	defer closeStore(t, e)
	var got []string
	for name, err := range e.Names() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(name.Name, " ", name.Root.Equals(second)))
	}
	if want := "[a/b false words true ünï false]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for _, want := range []bool{true, false} {
		if found, err := e.Remove("words"); found != want || err != nil {
			t.Errorf("remove: %v, %v", found, err)
		}
	}
	if _, found, err := e.Lookup("words"); found || err != nil {
		t.Errorf("lookup: %v, %v", found, err)
	}
	for _, name := range []string{"", "-x", "a b", "a\n", "\xff", first.String(), strings.Repeat("x", 256)} {
		if err := e.Set(name, first); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

// TestOnlySyncedSurvives documents what Sync is for, and that what is left after
// a crash can be opened.
func TestOnlySyncedSurvives(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := e.Put(c, data); err != nil {
		t.Fatal(err)
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	later, data := block(t, 2)
	if err := e.Put(later, data); err != nil {
		t.Fatal(err)
	}
	// What is on the disk now is what a killed process leaves.
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	for _, write := range []bool{false, true} {
		e = open(t, left, write)
		if has, err := e.Has(c); !has || err != nil {
			t.Errorf("synced block: %v, %v", has, err)
		}
		if has, err := e.Has(later); has || err != nil {
			t.Errorf("block that was not synced: %v, %v", has, err)
		}
		closeStore(t, e)
	}
}

func TestReadingChangesNothing(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := e.Put(c, data); err != nil {
		t.Fatal(err)
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	before := listing(t, dir)
	e = open(t, dir, false)
	if _, err := load(e, c); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	if after := listing(t, dir); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, entry.Name(), info.Size(), info.ModTime())
	}
	return out.String()
}

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	temp := t.TempDir()
	mine := filepath.Join(temp, "mine")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(mine, "letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(temp, "absent"), mine, filepath.Join(temp, "absent.car")} {
		if _, err := OpenForReading(ctx, dir, Options{}); !errors.Is(err, ErrNoStore) {
			t.Errorf("reading %s: %v", dir, err)
		}
	}
	if _, err := os.Stat(filepath.Join(temp, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made a directory: %v", err)
	}
	if _, err := OpenForWriting(ctx, mine, Options{}); !errors.Is(err, ErrNoStore) {
		t.Errorf("writing into a directory of something else: %v", err)
	}
	if _, err := OpenForWriting(ctx, filepath.Join(temp, "x.car"), Options{}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("writing into a CAR: %v", err)
	}
	dir := filepath.Join(temp, "store")
	e := open(t, dir, true)
	if err := e.db.Set(formatKey, []byte("99"), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, e)
	if _, err := OpenForReading(ctx, dir, Options{}); err == nil || !strings.Contains(err.Error(), `format "99"`) {
		t.Errorf("a format of the future: %v", err)
	}
}

// TestManyReaders: reading excludes nobody who reads. The end-to-end tests lock
// stores between processes.
func TestManyReaders(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, open(t, dir, true))
	for range 2 {
		s, err := OpenForReading(context.Background(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
	}
}

func writeCAR(t *testing.T, path string, blocks int, roots ...cid.Cid) {
	t.Helper()
	err := car.WriteFile(path, func(w io.Writer) error {
		out, err := car.NewWriter(w, roots...)
		if err != nil {
			return err
		}
		for n := range blocks {
			c, data := block(t, n)
			if err := out.Put(context.Background(), c, data); err != nil {
				return err
			}
		}
		return out.Finish()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCAR(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	root, _ := block(t, 2)
	writeCAR(t, path, 50, root)
	s, err := OpenForReading(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if got, ok := s.DefaultRoot(); !ok || !got.Equals(root) {
		t.Errorf("default root %s", got)
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for n := range 50 {
				c, want := block(t, n)
				if got, err := load(s, c); err != nil || !bytes.Equal(got, want) {
					t.Errorf("block %d: %q, %v", n, got, err)
				}
			}
		})
	}
	readers.Wait()
	absent, _ := block(t, 50)
	var notFound interface{ NotFound() bool }
	if _, err := load(s, absent); !errors.As(err, &notFound) {
		t.Errorf("absent block: %v", err)
	}
}

func TestCARWithoutRoots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	writeCAR(t, path, 1)
	s, err := OpenCAR(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if root, ok := s.DefaultRoot(); ok {
		t.Errorf("default root %s", root)
	}
}

func TestDamagedCAR(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	root, data := block(t, 0)
	writeCAR(t, path, 1, root)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Replace(whole, data[:10], []byte("BLOCK 0;bl"), 1)
	for n := range len(whole) {
		check(t, path, whole[:n], root)
	}
	check(t, path, flipped, root)
	check(t, path, []byte("no CAR at all, but text"), root)
}

// check wants that a damaged CAR gives an error that names it, on opening or on
// loading the block.
func check(t *testing.T, path string, damaged []byte, root cid.Cid) {
	t.Helper()
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := OpenCAR(path)
	if err == nil {
		_, err = load(s, root)
		closeStore(t, s)
		if err == nil {
			t.Fatalf("%d bytes of the file are taken", len(damaged))
		}
		return
	}
	if !strings.Contains(err.Error(), path) {
		t.Fatalf("%d bytes: %v does not name the file", len(damaged), err)
	}
}
