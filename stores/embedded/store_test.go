package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
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

func open(t testing.TB, dir string, write bool) *Store {
	t.Helper()
	e, err := Open(context.Background(), dir, Options{Write: write})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// load reads a block through a store's LinkSystem, which checks the hash.
func load(s *Store, c cid.Cid) ([]byte, error) {
	return s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: context.Background()}, cidlink.Link{Cid: c})
}

func TestBlocks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	e := open(t, dir, true)
	const blocks = 8000 // some more than one batch
	for n := range blocks {
		c, data := block(t, n)
		if err := e.Put(t.Context(), c, data); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *Store) {
		t.Helper()
		for n := 0; n < blocks; n += 7 {
			c, want := block(t, n)
			if got, err := load(s, c); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("block %d: %q, %v", n, got, err)
			}
			if has, err := s.Has(t.Context(), c); !has || err != nil {
				t.Fatalf("block %d: %v, %v", n, has, err)
			}
		}
		absent, _ := block(t, blocks)
		_, err := load(s, absent)
		var notFound interface{ NotFound() bool }
		if !errors.As(err, &notFound) || !notFound.NotFound() {
			t.Fatalf("absent block: %v", err)
		}
		if has, err := s.Has(t.Context(), absent); has || err != nil {
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

// TestGet: blocks come as they were put, from memory and from a pack.
func TestGet(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	c, want := block(t, 1)
	if err := e.Put(t.Context(), c, bytes.Clone(want)); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"in the batch", "in a pack", "and again"} {
		got, err := e.Get(t.Context(), c)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %q, %v", when, got, err)
		}
		if err := e.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	absent, _ := block(t, 2)
	if _, err := e.Get(t.Context(), absent); !stores.IsNotFound(err) {
		t.Errorf("absent block: %v", err)
	}
	inlined, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.IDENTITY}.Sum([]byte("here"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Get(t.Context(), inlined); err != nil || string(got) != "here" {
		t.Errorf("a block in its CID: %q, %v", got, err)
	}
}

func TestReaderKnowsItsLength(t *testing.T) {
	e := open(t, t.TempDir(), true)
	defer closeStore(t, e)
	for n, when := range []string{"in the batch", "in a pack"} {
		c, data := block(t, n)
		if err := e.Put(t.Context(), c, data); err != nil {
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
		{func() error { return e.MoveName(t.Context(), "words", first, second) }, stores.ErrMoved},
		{func() error { return e.SetName(t.Context(), "words", first) }, nil},
		{func() error { return e.MoveName(t.Context(), "words", second, first) }, stores.ErrMoved},
		{func() error { return e.MoveName(t.Context(), "words", first, second) }, nil},
		{func() error { return e.SetName(t.Context(), "a/b", first) }, nil},
		{func() error { return e.SetName(t.Context(), "ünï", first) }, nil},
		{func() error { return e.MoveName(t.Context(), "ünï", cid.Undef, second) }, stores.ErrMoved},
		{func() error { return e.MoveName(t.Context(), "new", first, cid.Undef) }, stores.ErrMoved},
		{func() error { return e.MoveName(t.Context(), "new", cid.Undef, cid.Undef) }, nil},
		{func() error { return e.MoveName(t.Context(), "new", cid.Undef, first) }, nil},
		{func() error { return e.MoveName(t.Context(), "new", cid.Undef, second) }, stores.ErrMoved},
		{func() error { return e.MoveName(t.Context(), "new", second, cid.Undef) }, stores.ErrMoved},
		{func() error { return e.MoveName(t.Context(), "new", first, cid.Undef) }, nil},
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
	for name, err := range e.Names(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(name.Name, " ", name.Root.Equals(second)))
	}
	if want := "[a/b false words true ünï false]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for _, rename := range []struct {
		from, to string
		found    bool
		err      error
	}{
		{"words", "a/b", true, stores.ErrNameTaken}, {"words", "words", true, stores.ErrNameTaken}, {"nobody", "somebody", false, nil},
		{"words", "new", true, nil}, {"words", "old", false, nil}, {"new", "words", true, nil},
	} {
		if found, err := e.RenameName(t.Context(), rename.from, rename.to); found != rename.found || !errors.Is(err, rename.err) {
			t.Errorf("%v: %v, %v", rename, found, err)
		}
	}
	if _, found, err := e.Lookup(t.Context(), "new"); found || err != nil {
		t.Errorf("a name that was renamed: %v, %v", found, err)
	}
	if root, found, err := e.Lookup(t.Context(), "words"); !found || !root.Equals(second) || err != nil {
		t.Errorf("a name that came of renaming: %s, %v, %v", root, found, err)
	}
	for _, want := range []bool{true, false} {
		if found, err := e.RemoveName(t.Context(), "words"); found != want || err != nil {
			t.Errorf("remove: %v, %v", found, err)
		}
	}
	if _, found, err := e.Lookup(t.Context(), "words"); found || err != nil {
		t.Errorf("lookup: %v, %v", found, err)
	}
	for _, name := range []string{"", "-x", "a b", "a\n", "\xff", first.String(), strings.Repeat("x", 256)} {
		if err := e.SetName(t.Context(), name, first); err == nil {
			t.Errorf("the name %q is taken", name)
		}
		if _, err := e.RenameName(t.Context(), "a/b", name); err == nil {
			t.Errorf("the name %q is taken for another", name)
		}
	}
}

// TestHistory wants all that a name stood for, with who moved it and when, after the
// log was written anew, too.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var want []stores.Move
	first, second := blockCID(t, 1), blockCID(t, 2)
	for session, by := range []string{"build", "", "set"} {
		s, err := Open(t.Context(), dir, Options{Write: true, By: by, now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		for i, root := range []cid.Cid{first, second, cid.Undef} {
			var err error
			if root.Defined() {
				err = s.SetName(t.Context(), "name", root)
			} else {
				_, err = s.RemoveName(t.Context(), "name")
			}
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, stores.Move{Time: now, Root: root, By: by})
			now = now.Add(time.Duration(session+i) * time.Hour)
		}
		if session == 1 {
			if err := s.log.rewrite(&s.state, now); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, s)
	}
	s := open(t, dir, false)
	defer closeStore(t, s)
	if got, err := s.History(t.Context(), "name"); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := s.History(t.Context(), "nobody"); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestHistoryIsBounded: a log that begins anew keeps so much of each name, and no
// more than can be read, however many names there are.
func TestHistoryIsBounded(t *testing.T) {
	for _, test := range []struct{ names, steps, want int }{
		{1, 5000, keptSteps}, {3, 10, 10}, {200, 1000, 500}, {allSteps + 10, 2, 1},
	} {
		st := &state{Names: map[string][]nameStep{}}
		for n := range test.names {
			steps := make([]nameStep, test.steps)
			steps[test.steps-1].Root = "the last"
			st.Names[fmt.Sprint(n)] = steps
		}
		for name, steps := range st.clone().Names {
			if len(steps) != test.want || steps[len(steps)-1].Root != "the last" {
				t.Fatalf("%d names of %d steps: %s keeps %d, want %d", test.names, test.steps, name, len(steps), test.want)
			}
		}
	}
}

// TestCompareAndSwap has many goroutines move a name: each move is from what was there.
func TestCompareAndSwap(t *testing.T) {
	s := open(t, t.TempDir(), true)
	defer closeStore(t, s)
	const goroutines, moves = 8, 10
	var moving sync.WaitGroup
	for g := range goroutines {
		moving.Go(func() {
			for n := 0; n < moves; {
				from, _, err := s.Lookup(t.Context(), "name")
				if err == nil {
					err = s.MoveName(t.Context(), "name", from, blockCID(t, g*moves+n))
				}
				switch {
				case err == nil:
					n++
				case !errors.Is(err, stores.ErrMoved):
					t.Error(err)
					return
				}
			}
		})
	}
	moving.Wait()
	history, err := s.History(t.Context(), "name")
	if err != nil || len(history) != goroutines*moves {
		t.Errorf("%d moves, %v, want %d", len(history), err, goroutines*moves)
	}
}

// TestReadsWhatIsStored: a block that was put is read from the disk once it is there,
// and what the disk has made of it is seen.
func TestReadsWhatIsStored(t *testing.T) {
	c, data := block(t, 1)
	for what, write := range map[string]func(s *Store) error{
		"synced":  (*Store).Sync,
		"flushed": func(s *Store) error { return s.changing(s.flush) },
		"finished": func(s *Store) error {
			return s.changing(func() error { return errors.Join(s.flush(), s.finishCurrent()) })
		},
	} {
		s, err := Open(t.Context(), t.TempDir(), Options{Write: true, fs: &lying{of: data}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), c, data); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), c); err != nil {
			t.Error(err)
		}
		if err := write(s); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), c); !errors.As(err, new(*DamageError)) {
			t.Errorf("%s: %v", what, err)
		}
		closeStore(t, s)
	}
}

// lying is a disk that writes something else in place of a block.
type lying struct {
	disk
	of []byte
}

func (l *lying) Create(path string) (file, error) {
	f, err := l.disk.Create(path)
	return lyingFile{f, l}, err
}

type lyingFile struct {
	file
	l *lying
}

func (f lyingFile) WriteAt(p []byte, at int64) (int, error) {
	if i := bytes.Index(p, f.l.of); i >= 0 {
		p = bytes.Clone(p)
		p[i] ^= 1
	}
	return f.file.WriteAt(p, at)
}

// TestOnlySyncedSurvives documents what Sync is for, and that what is left after
// a crash can be opened.
func TestOnlySyncedSurvives(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := e.Put(t.Context(), c, data); err != nil {
		t.Fatal(err)
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	later, data := block(t, 2)
	if err := e.Put(t.Context(), later, data); err != nil {
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
		if has, err := e.Has(t.Context(), c); !has || err != nil {
			t.Errorf("synced block: %v, %v", has, err)
		}
		if has, err := e.Has(t.Context(), later); has || err != nil {
			t.Errorf("block that was not synced: %v, %v", has, err)
		}
		closeStore(t, e)
	}
}

func TestReadingChangesNothing(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	c, data := block(t, 1)
	if err := e.Put(t.Context(), c, data); err != nil {
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
	for _, dir := range []string{filepath.Join(temp, "absent"), mine} {
		if _, err := Open(ctx, dir, Options{}); !errors.Is(err, stores.ErrNoStore) {
			t.Errorf("reading %s: %v", dir, err)
		}
	}
	if _, err := os.Stat(filepath.Join(temp, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made a directory: %v", err)
	}
	if _, err := Open(ctx, mine, Options{Write: true}); !errors.Is(err, stores.ErrNoStore) {
		t.Errorf("writing into a directory of something else: %v", err)
	}
	dir := filepath.Join(temp, "store")
	closeStore(t, open(t, dir, true))
	later := strings.Replace(marker, "format 3", "format 99", 1)
	if err := os.WriteFile(filepath.Join(dir, markerName), []byte(later), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, write := range []bool{false, true} {
		if _, err := Open(ctx, dir, Options{Write: write}); err == nil || !strings.Contains(err.Error(), `format "99"`) {
			t.Errorf("a format of the future: %v", err)
		}
	}
}

// TestManyReaders: reading excludes nobody who reads. The end-to-end tests lock
// stores between processes.
func TestManyReaders(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, open(t, dir, true))
	for range 2 {
		s, err := Open(context.Background(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
	}
}

// TestCloseWaitsForReads: whoever reads ahead leaves reads behind when it breaks
// off. None of them may find a pack closed.
func TestCloseWaitsForReads(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, true)
	for n := range 1000 {
		c, data := block(t, n)
		if err := e.Put(t.Context(), c, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	for n := range 8 {
		readers.Go(func() {
			for {
				c, _ := block(t, n)
				if _, err := load(e, c); errors.Is(err, os.ErrClosed) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	readers.Wait()
	<-closed
	c, _ := block(t, 1)
	if has, err := e.Has(t.Context(), c); has || !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v, %v", has, err)
	}
	for _, err := range e.Names(t.Context()) {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

// TestCloseTwice is for those who defer Close, and close early to see the error.
func TestCloseTwice(t *testing.T) {
	s := open(t, t.TempDir(), true)
	closeStore(t, s)
	closeStore(t, s)
}
