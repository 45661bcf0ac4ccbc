package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

var (
	powerLosses = flag.Int("powerlosses", 300, "how many power losses TestPowerLoss is to simulate")
	ioErrors    = flag.Int("ioerrors", 100, "how many failing accesses TestErrors is to inject")
	flipEvery   = flag.Int("flipevery", 61, "TestFlips flips one of so many bytes; 1 means all")
)

// crashing is a file system that may lose what was not synced, and tells of each
// access that changes it. It is pebble's.
type crashing struct {
	*vfs.MemFS
	// before is called before each access that changes something. An error is
	// that of the access; a write has then written half.
	before func(what, path string) error
}

func (c *crashing) tell(what, path string) error {
	if c.before == nil {
		return nil
	}
	return c.before(what, path)
}

func (c *crashing) MakeDir(path string) error {
	return errors.Join(c.tell("mkdir", path), c.MkdirAll(path, 0o755))
}

func (c *crashing) Create(path string) (file, error) {
	if err := c.tell("create", path); err != nil {
		return nil, err
	}
	return c.file(path)(c.MemFS.Create(path, vfs.WriteCategoryUnspecified))
}

func (c *crashing) Open(path string) (file, error) { return c.file(path)(c.MemFS.Open(path)) }

func (c *crashing) OpenWrite(path string) (file, error) {
	return c.file(path)(c.OpenReadWrite(path, vfs.WriteCategoryUnspecified))
}

func (c *crashing) file(path string) func(vfs.File, error) (file, error) {
	return func(f vfs.File, err error) (file, error) {
		if err != nil {
			return nil, err
		}
		return crashingFile{f, c, path}, nil
	}
}

func (c *crashing) Rename(from, to string) error {
	if err := c.tell("rename", to); err != nil {
		return err
	}
	return c.MemFS.Rename(from, to)
}

func (c *crashing) Remove(path string) error {
	if err := c.tell("remove", path); err != nil {
		return err
	}
	return c.MemFS.Remove(path)
}

func (c *crashing) List(dir string) ([]string, error) {
	names, err := c.MemFS.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

func (c *crashing) SyncDir(path string) error {
	if err := c.tell("sync dir", path); err != nil {
		return err
	}
	dir, err := c.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (c *crashing) Lock(_ context.Context, path string, _ time.Duration) (io.Closer, error) {
	return c.MemFS.Lock(path)
}

type crashingFile struct {
	vfs.File
	c    *crashing
	path string
}

func (f crashingFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.c.tell("write", f.path); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], at)
		return n, err
	}
	return f.File.WriteAt(p, at)
}

func (f crashingFile) Sync() error {
	if err := f.c.tell("sync", f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f crashingFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

const crashDir = "/somewhere/store"

// promised is what a store has said that it keeps.
type promised struct {
	made   bool // the store
	blocks map[cid.Cid][]byte
	names  map[string]cid.Cid
}

func (p promised) clone() promised {
	return promised{p.made, maps.Clone(p.blocks), maps.Clone(p.names)}
}

// user does what users do, at random, and knows what was promised.
type user struct {
	random *rand.Rand
	fs     filesystem

	mu       sync.Mutex
	promised promised
	next     promised // and what may already be so, while something is being done
	written  int
}

func newUser(seed uint64, fs filesystem) *user {
	u := &user{random: rand.New(rand.NewPCG(seed, 1)), fs: fs}
	u.promised = promised{blocks: map[cid.Cid][]byte{}, names: map[string]cid.Cid{}}
	u.next = u.promised.clone()
	return u
}

// session opens the store, does some things, and closes it, unless something
// fails.
func (u *user) session(t testing.TB, steps int) (err error) {
	s, err := Open(t.Context(), crashDir, Options{Write: true, fs: u.fs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	// What failed may have been done all the same.
	names := namesOf(t, s)
	u.done(func(p *promised) {
		if !maps.Equal(names, p.names) && maps.Equal(names, u.next.names) {
			*p = u.next
		}
		p.made = true
	})
	if !maps.Equal(names, u.promised.names) {
		t.Fatalf("names %v, want %v or %v", names, u.promised.names, u.next.names)
	}
	for range steps {
		if err := u.step(t, s); err != nil {
			return err
		}
	}
	return nil
}

func namesOf(t testing.TB, s *Store) map[string]cid.Cid {
	t.Helper()
	names := map[string]cid.Cid{}
	for name, err := range s.Names(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names[name.Name] = name.Root
	}
	return names
}

// done makes a promise of what is being done.
func (u *user) done(do func(p *promised)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	do(&u.promised)
	u.next = u.promised.clone()
}

// doing says what may be so from now on.
func (u *user) doing(do func(p *promised)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	do(&u.next)
}

func (u *user) step(t testing.TB, s *Store) error {
	var root cid.Cid
	put := map[cid.Cid][]byte{}
	for range u.random.IntN(12) {
		u.written++
		data := binary.BigEndian.AppendUint64(nil, uint64(u.written))
		data = bytes.Repeat(data, 1+u.random.IntN(300))
		c, _ := blockOf(t, data)
		if err := s.Put(t.Context(), c, data); err != nil {
			return err
		}
		put[c], root = data, c
	}
	name := fmt.Sprint("name-", u.random.IntN(4))
	keep := func(p *promised) { maps.Copy(p.blocks, put) }
	set := func(p *promised) { keep(p); p.names[name] = root }
	remove := func(p *promised) { delete(p.names, name) }
	switch choice := u.random.IntN(10); {
	case root.Defined() && choice < 3:
		u.doing(set)
		if err := s.SetName(t.Context(), name, root); err != nil {
			return err
		}
		u.done(set)
	case root.Defined() && choice < 6:
		u.doing(keep)
		if err := s.Publish(t.Context(), root); err != nil {
			return err
		}
		u.done(keep)
	case choice == 6:
		u.doing(remove)
		if _, err := s.RemoveName(t.Context(), name); err != nil {
			return err
		}
		u.done(remove)
	case choice == 7:
		// Nothing is promised of what is not synced.
	default:
		u.doing(keep)
		if err := s.Sync(); err != nil {
			return err
		}
		u.done(keep)
	}
	return nil
}

// check opens what a crash left, for reading and then for writing, and has all
// that was promised; and the names that were, or that were about to be. It
// returns how many blocks it has read.
func check(t *testing.T, fs filesystem, was, next promised) (reads int) {
	t.Helper()
	for _, write := range []bool{false, true, false} {
		s, err := Open(t.Context(), crashDir, Options{Write: write, fs: fs})
		if err != nil {
			if !was.made && !write && errors.Is(err, stores.ErrNoStore) {
				continue
			}
			t.Fatalf("writing %v: %v", write, err)
		}
		for c, want := range was.blocks {
			reads++
			if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("writing %v: a block that was promised: %v", write, err)
			}
		}
		names := namesOf(t, s)
		for name, root := range names {
			if _, err := s.Get(t.Context(), root); err != nil {
				t.Fatalf("writing %v: the root of %s: %v", write, name, err)
			}
		}
		if !maps.Equal(names, was.names) && !maps.Equal(names, next.names) {
			t.Fatalf("writing %v: names %v, want %v or %v", write, names, was.names, next.names)
		}
		if write {
			c, data := block(t, reads)
			if err := errors.Join(s.Put(t.Context(), c, data), s.Sync()); err != nil {
				t.Fatalf("writing again: %v", err)
			}
			was.blocks = maps.Clone(was.blocks)
			was.blocks[c] = data
			was.made = true
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return reads
}

// TestPowerLoss cuts the power before any access that changes a file, with none,
// some, or all of what was not synced. All of it is as if the process was killed.
func TestPowerLoss(t *testing.T) {
	losses, reads := 0, 0
	for seed := uint64(1); losses < *powerLosses; seed++ {
		type loss struct {
			fs        *vfs.MemFS
			was, next promised
			before    string
		}
		var left []loss
		fs := &crashing{MemFS: vfs.NewCrashableMem()}
		u := newUser(seed, fs)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 2))
		fs.before = func(what, path string) error {
			mu.Lock()
			defer mu.Unlock()
			if random.IntN(20) > 0 {
				return nil
			}
			u.mu.Lock()
			was, next := u.promised.clone(), u.next.clone()
			u.mu.Unlock()
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 20, 50, 80, 100}[random.IntN(5)], RNG: random})
			left = append(left, loss{clone, was, next, what + " " + path})
			return nil
		}
		for range 6 {
			if err := u.session(t, 12); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range left {
			if !t.Run(fmt.Sprintf("%d before %s", losses, filepath.Base(l.before)), func(t *testing.T) {
				reads += check(t, &crashing{MemFS: l.fs}, l.was, l.next)
			}) {
				t.FailNow()
			}
			losses++
		}
	}
	t.Logf("%d power losses, %d blocks read", losses, reads)
}

// TestErrors has one access after the other fail, once or from then on, with an
// error of the disk or a full one. Nothing that was promised is lost, whether the
// process goes on, or the next one comes.
func TestErrors(t *testing.T) {
	failed, reads := 0, 0
	for seed := uint64(1); failed < *ioErrors; seed++ {
		for at := int64(1); failed < *ioErrors; at += 1 + int64(seed%7) {
			fs := &crashing{MemFS: vfs.NewCrashableMem()}
			u := newUser(seed, fs)
			forGood := at%2 == 0
			reason := []error{syscall.ENOSPC, syscall.EIO}[at/2%2]
			var n atomic.Int64
			hit := false
			fs.before = func(what, path string) error {
				if i := n.Add(1); i == at || i > at && forGood {
					hit = true
					return fmt.Errorf("%s %s: %w", what, path, reason)
				}
				return nil
			}
			for range 4 {
				if err := u.session(t, 6); err != nil && !errors.Is(err, reason) {
					t.Fatalf("access %d: %v, want %v", at, err, reason)
				}
			}
			if !hit {
				break // there are no more accesses
			}
			failed++
			u.mu.Lock()
			was, next := u.promised, u.next
			u.mu.Unlock()
			reads += check(t, &crashing{MemFS: fs.CrashClone(vfs.CrashCloneCfg{
				UnsyncedDataPercent: 100, RNG: u.random,
			})}, was, next)
		}
	}
	t.Logf("%d failing accesses, %d blocks read", failed, reads)
}

// TestFlips flips every byte of a store, one at a time. What is read is right or
// an error that says what is damaged; names are right; and the next writer opens
// the store.
func TestFlips(t *testing.T) {
	whole := &crashing{MemFS: vfs.NewCrashableMem()}
	u := newUser(1, whole)
	for range 3 {
		if err := u.session(t, 3); err != nil {
			t.Fatal(err)
		}
	}
	var files []string
	for _, dir := range []string{crashDir, filepath.Join(crashDir, packsDir)} {
		names, err := whole.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name != packsDir && name != lockName {
				files = append(files, filepath.Join(dir, name))
			}
		}
	}
	flips, lost := 0, 0
	for _, path := range files {
		data, err := readFile(whole, path)
		if err != nil {
			t.Fatal(err)
		}
		for at := range data {
			if (at+len(path))%*flipEvery > 0 {
				continue
			}
			flips++
			fs := &crashing{MemFS: whole.CrashClone(vfs.CrashCloneCfg{})}
			f, err := fs.OpenWrite(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte{data[at] ^ 1<<(flips%8)}, int64(at)); err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("%s, byte %d", filepath.Base(path), at)
			if flips%4 == 0 {
				clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: u.random})
				checkCompacted(t, &crashing{MemFS: clone}, u.promised, what)
			}
			lost += checkFlipped(t, fs, u.promised, what)
		}
	}
	t.Logf("%d bytes flipped, %d blocks reported damaged", flips, lost)
}

// checkCompacted compacts a store, which loses nothing, or refuses to.
func checkCompacted(t *testing.T, fs filesystem, was promised, what string) {
	s, err := Open(t.Context(), crashDir, Options{Write: true, fs: fs})
	if err != nil {
		return // which checkFlipped looks at
	}
	readable := map[cid.Cid]bool{}
	for c := range was.blocks {
		_, err := s.Get(t.Context(), c)
		readable[c] = err == nil
	}
	c, data := block(t, 0) // in a pack of its own, that there is something to merge
	if err := errors.Join(s.Put(t.Context(), c, data), s.Sync()); err != nil {
		t.Fatal(err)
	}
	compacted := s.Compact(t.Context())
	for c, want := range was.blocks {
		got, err := s.Get(t.Context(), c)
		if readable[c] && (err != nil || !bytes.Equal(got, want)) || !readable[c] && (compacted == nil || !errors.As(err, new(*DamageError))) {
			t.Errorf("%s: compacted (%v): %s, which could be read: %v: %v", what, compacted, c, readable[c], err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func checkFlipped(t *testing.T, fs filesystem, was promised, what string) (lost int) {
	for _, write := range []bool{false, true, false} {
		s, err := Open(t.Context(), crashDir, Options{Write: write, fs: fs})
		if err != nil {
			if filepath.Base(what[:len(markerName)]) != markerName {
				t.Errorf("%s, writing %v: %v", what, write, err)
			}
			return lost
		}
		missing := 0
		for c, want := range was.blocks {
			got, err := s.Get(t.Context(), c)
			var damage *DamageError
			switch {
			case err == nil && !bytes.Equal(got, want):
				t.Errorf("%s, writing %v: another block", what, write)
			case errors.As(err, &damage) && damage.CID == c:
				missing++
			case err != nil:
				t.Errorf("%s, writing %v: %v", what, write, err)
			}
			if err != nil && write { // and now it is mended
				if err := s.Put(t.Context(), c, want); err != nil {
					t.Fatal(err)
				}
			}
		}
		if missing > 1 {
			t.Errorf("%s, writing %v: %d blocks are damaged", what, write, missing)
		}
		lost += missing
		names := namesOf(t, s)
		if !maps.Equal(names, was.names) {
			t.Errorf("%s, writing %v: names %v, want %v", what, write, names, was.names)
		}
		if write {
			if err := s.Sync(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if !write && missing > 0 && lost > missing {
			t.Errorf("%s: what was put again is damaged still", what)
		}
	}
	return lost
}
