package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// block makes the n-th test block, of some bytes.
func block(t testing.TB, n, size int) (cid.Cid, []byte) {
	t.Helper()
	data := make([]byte, max(size, 8))
	binary.BigEndian.PutUint64(data, uint64(n))
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

// source is a store in memory that counts what it is asked.
type source struct {
	lsys *linking.LinkSystem
	root cid.Cid

	mu     sync.Mutex
	blocks map[cid.Cid][]byte
	gets   map[cid.Cid]int
	err    error                           // of every Get
	wait   func(ctx context.Context) error // before every Get
	closed bool
}

func newSource(t testing.TB, sizes ...int) (*source, []cid.Cid) {
	t.Helper()
	s := &source{blocks: map[cid.Cid][]byte{}, gets: map[cid.Cid]int{}}
	var all []cid.Cid
	for n, size := range sizes {
		c, data := block(t, n, size)
		s.blocks[c] = data
		all = append(all, c)
	}
	if len(all) > 0 {
		s.root = all[0]
	}
	s.lsys = stores.ReadingBlocks(s.Get)
	return s, all
}

// equal makes n sizes.
func equal(n, size int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

func (s *source) LinkSystem() *linking.LinkSystem { return s.lsys }

func (s *source) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if s.wait != nil {
		if err := s.wait(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets[c]++
	if s.err != nil {
		return nil, s.err
	}
	block, ok := s.blocks[c]
	if !ok {
		return nil, stores.NotFound{CID: c}
	}
	return block, nil
}

func (s *source) Has(_ context.Context, c cid.Cid) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.blocks[c]
	return ok, nil
}

func (s *source) DefaultRoot() (cid.Cid, bool) { return s.root, s.root.Defined() }

func (s *source) Close() error {
	s.closed = true
	return nil
}

func (s *source) asked() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, times := range s.gets {
		n += times
	}
	return n
}

// target is a source that can be written to.
type target struct {
	*source
	published cid.Cid
}

func (s *target) Put(_ context.Context, c cid.Cid, block []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks[c] = block
	return nil
}

func (s *target) Publish(_ context.Context, root cid.Cid) error {
	s.published = root
	return nil
}

// directory is a store that knows names.
type directory struct{}

func (directory) Lookup(context.Context, string) (cid.Cid, bool, error) { return cid.Undef, true, nil }
func (directory) Names(context.Context) iter.Seq2[stores.Name, error]   { return nil }
func (directory) SetName(context.Context, string, cid.Cid) error        { return nil }
func (directory) MoveName(context.Context, string, cid.Cid, cid.Cid) error {
	return nil
}
func (directory) RenameName(context.Context, string, string) (bool, error) { return false, nil }
func (directory) RemoveName(context.Context, string) (bool, error)         { return false, nil }

func open(t testing.TB, dir string, below stores.Store, bytes int64) Cache {
	t.Helper()
	c, err := Open(dir, below, Options{Bytes: bytes, Warn: func(message string) { t.Errorf("warned: %s", message) }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeCache(t testing.TB, c Cache) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func get(t testing.TB, s stores.Store, want *source, blocks ...cid.Cid) {
	t.Helper()
	for _, c := range blocks {
		if got, err := s.Get(context.Background(), c); err != nil || !bytes.Equal(got, want.blocks[c]) {
			t.Fatalf("block %s: %d bytes, %v", c, len(got), err)
		}
	}
}

// onDisk adds up what the blocks in a directory take.
func onDisk(t testing.TB, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // evicted
		}
		if err != nil || d.IsDir() || d.Name() == accountName || d.Name() == lockName {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		total += room(info.Size())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func TestReadThrough(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	below, all := newSource(t, 0, 1, 100, page, page+1, 1<<20)
	for range 2 { // opened again
		c := open(t, dir, below, 0)
		if got, ok := c.DefaultRoot(); !ok || !got.Equals(below.root) {
			t.Errorf("root %s", got)
		}
		for range 2 {
			get(t, c, below, all...)
		}
		for _, id := range all {
			got, err := c.LinkSystem().LoadRaw(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: id})
			if err != nil || !bytes.Equal(got, below.blocks[id]) {
				t.Errorf("%s: %v", id, err)
			}
		}
		if stats := c.Stats(); stats.Bytes != onDisk(t, dir) || stats.Hits+stats.Misses != int64(3*len(all)) {
			t.Errorf("%+v, %d on the disk", stats, onDisk(t, dir))
		}
		closeCache(t, c)
		if !below.closed {
			t.Error("the store below is open")
		}
	}
	for id, times := range below.gets {
		if times != 1 {
			t.Errorf("block %s was fetched %d times", id, times)
		}
	}
	c := open(t, dir, below, 0)
	defer closeCache(t, c)
	absent, _ := block(t, 100, 10)
	if _, err := c.Get(t.Context(), absent); !stores.IsNotFound(err) {
		t.Errorf("absent block: %v", err)
	}
	if has, err := c.Has(t.Context(), absent); has || err != nil {
		t.Errorf("absent block: %v, %v", has, err)
	}
	clear(below.blocks)
	if has, err := c.Has(t.Context(), all[2]); !has || err != nil {
		t.Errorf("cached block: %v, %v", has, err)
	}
	inlined := cid.NewCidV1(cid.Raw, append([]byte{multihash.IDENTITY, 4}, "here"...))
	if got, err := c.Get(t.Context(), inlined); err != nil || string(got) != "here" {
		t.Errorf("a block in its CID: %q, %v", got, err)
	}
	if has, err := c.Has(t.Context(), inlined); !has || err != nil {
		t.Errorf("a block in its CID: %v, %v", has, err)
	}
}

// TestIsWhatIsBelow: a cache can be written to, and knows names, where the store
// below does.
func TestIsWhatIsBelow(t *testing.T) {
	read, _ := newSource(t)
	write := &target{source: read}
	for _, below := range []stores.Store{
		read, write,
		struct {
			*source
			directory
		}{read, directory{}},
		struct {
			*target
			directory
		}{write, directory{}},
	} {
		c := open(t, t.TempDir(), below, 0)
		_, canWrite := below.(stores.Writable)
		if _, ok := c.(stores.Writable); ok != canWrite || (c.LinkSystem().StorageWriteOpener != nil) != canWrite {
			t.Errorf("over %T: writable %v", below, ok)
		}
		_, hasNames := below.(stores.Named)
		named, ok := c.(stores.Named)
		if ok != hasNames {
			t.Errorf("over %T: named %v", below, ok)
		}
		if ok {
			if _, found, err := named.Lookup(t.Context(), "x"); !found || err != nil {
				t.Errorf("lookup: %v, %v", found, err)
			}
		}
		closeCache(t, c)
	}
}

// TestWritesGoBelow: and it is the store below that says what is there.
func TestWritesGoBelow(t *testing.T) {
	read, _ := newSource(t)
	below := &target{source: read}
	dir := t.TempDir()
	c := open(t, dir, below, 0).(stores.Writable)
	defer c.Close()
	id, data := block(t, 1, 100)
	if err := c.Put(t.Context(), id, data); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(t.Context(), id); err != nil || !below.published.Equals(id) {
		t.Fatalf("%s, %v", below.published, err)
	}
	if onDisk(t, dir) != 0 {
		t.Error("what was put is in the cache")
	}
	get(t, c, read, id)
	if onDisk(t, dir) == 0 {
		t.Error("what was read is not in the cache")
	}
	delete(below.blocks, id)
	if has, err := c.Has(t.Context(), id); has || err != nil {
		t.Errorf("what only the cache has is there: %v, %v", has, err)
	}
}

func TestDamagedInCache(t *testing.T) {
	dir := t.TempDir()
	below, all := newSource(t, 5000)
	whole := below.blocks[all[0]]
	c := open(t, dir, below, 0)
	defer closeCache(t, c)
	get(t, c, below, all...)
	path := files(dir).path(all[0])
	flipped := bytes.Clone(whole)
	flipped[4000] ^= 1
	before := c.Stats().Bytes
	if err := os.WriteFile(path, flipped, 0o644); err != nil {
		t.Fatal(err)
	}
	get(t, c, below, all...)
	if after := c.Stats().Bytes; after != before || after != onDisk(t, dir) {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	for n, damaged := range [][]byte{nil, whole[:4096], flipped, append(bytes.Clone(whole), 0), make([]byte, 100_000), make([]byte, stores.MaxBlockBytes+1)} {
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		get(t, c, below, all...) // fetched again
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("not put right: %d bytes, %v", len(got), err)
		}
		if stats := c.Stats(); stats.Damaged != int64(n+2) || stats.Misses != int64(n+3) {
			t.Errorf("%+v", stats)
		}
	}
	// Where it cannot be fetched again it is not there, rather than wrong.
	if err := os.WriteFile(path, flipped, 0o644); err != nil {
		t.Fatal(err)
	}
	clear(below.blocks)
	for range 2 {
		if _, err := c.Get(t.Context(), all[0]); !stores.IsNotFound(err) {
			t.Errorf("%v", err)
		}
	}
}

func TestWrongBytesNeverEnter(t *testing.T) {
	dir := t.TempDir()
	below, all := newSource(t, 100)
	right := below.blocks[all[0]]
	below.blocks[all[0]] = []byte("something else")
	c := open(t, dir, below, 0)
	defer closeCache(t, c)
	for range 2 {
		if _, err := c.Get(t.Context(), all[0]); !errors.Is(err, stores.ErrWrongBytes) {
			t.Errorf("%v", err)
		}
	}
	if below.asked() != 2 || onDisk(t, dir) != 0 {
		t.Errorf("asked %d times, %d bytes on the disk", below.asked(), onDisk(t, dir))
	}
	below.blocks[all[0]] = right
	get(t, c, below, all...)
}

// TestBound does anything in any order, and looks after each step whether what
// is on the disk is within the bound and accounted for.
func TestBound(t *testing.T) {
	const steps = 500
	random := rand.New(rand.NewPCG(1, rand.Uint64()))
	sizes := make([]int, 200)
	for i := range sizes {
		sizes[i] = random.IntN(3 * page)
		if i%50 == 0 {
			sizes[i] = random.IntN(100 * page)
		}
	}
	below, all := newSource(t, sizes...)
	dir := t.TempDir()
	limit := int64(150 * page)
	c := open(t, dir, below, limit)
	for step := range steps {
		id := all[random.IntN(len(all))]
		switch random.IntN(100) {
		case 0, 1:
			closeCache(t, c)
			limit = int64(1+random.IntN(250)) * page
			c = open(t, dir, below, limit)
		case 2: // a process that died
			limit = int64(1+random.IntN(250)) * page
			c = open(t, dir, below, limit)
		case 3:
			if err := os.Truncate(files(dir).path(id), 3); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		default:
			get(t, c, below, id)
		}
		there := onDisk(t, dir)
		if there > limit {
			t.Fatalf("step %d: %d on the disk, and the bound is %d", step, there, limit)
		}
		if stats := c.Stats(); stats.Bytes < there {
			t.Fatalf("step %d: %d on the disk, and %d known of", step, there, stats.Bytes)
		}
	}
	closeCache(t, c)
}

// TestBoundIsUsed: the cache holds about what it may.
func TestBoundIsUsed(t *testing.T) {
	const blocks, limit = 400, 250 * page
	below, all := newSource(t, equal(blocks, 2000)...)
	dir := t.TempDir()
	c := open(t, dir, below, limit)
	get(t, c, below, all...)
	if there := onDisk(t, dir); there < limit*9/10 {
		t.Errorf("%d on the disk, and the bound is %d", there, limit)
	}
	closeCache(t, c)
	before := onDisk(t, dir)
	for range 5 {
		c := open(t, dir, below, limit)
		get(t, c, below, all[len(all)-1])
		closeCache(t, c)
	}
	if there := onDisk(t, dir); there != before {
		t.Errorf("%d on the disk, and %d before anybody looked", there, before)
	}
}

// TestOldestGo: what is evicted was not used for longest, approximately.
func TestOldestGo(t *testing.T) {
	const blocks, limit = 1600, 1200 * page
	below, all := newSource(t, equal(blocks, 2000)...)
	dir := t.TempDir()
	c := open(t, dir, below, limit)
	defer closeCache(t, c)
	old, later := all[:1150], all[1150:]
	get(t, c, below, old...)
	used := map[cid.Cid]bool{}
	for n, id := range old {
		when := time.Now().Add(-time.Duration(len(old)-n) * 24 * time.Hour)
		if err := os.Chtimes(files(dir).path(id), when, when); err != nil {
			t.Fatal(err)
		}
		if n%10 == 0 {
			get(t, c, below, id)
			used[id] = true
		}
	}
	get(t, c, below, later...)
	var gone, goneUsed, goneRecent int
	for n, id := range old {
		if _, err := os.Stat(files(dir).path(id)); err == nil {
			continue
		}
		gone++
		if used[id] {
			goneUsed++
		} else if n > len(old)*3/4 {
			goneRecent++
		}
	}
	if gone < 400 || goneUsed > 0 || goneRecent > gone/50 {
		t.Errorf("of %d blocks %d are gone, among them %d that were used and %d of the youngest quarter",
			len(old), gone, goneUsed, goneRecent)
	}
}

// TestUseIsNoted: at most once an hour.
func TestUseIsNoted(t *testing.T) {
	dir := t.TempDir()
	below, all := newSource(t, 100)
	c := open(t, dir, below, 0)
	defer closeCache(t, c)
	get(t, c, below, all...)
	path := files(dir).path(all[0])
	for ago, noted := range map[time.Duration]bool{time.Minute: false, 2 * time.Hour: true, -48 * time.Hour: true} {
		when := time.Now().Add(-ago)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		get(t, c, below, all...)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if now := time.Since(info.ModTime()).Abs() < 10*time.Second; now != noted {
			t.Errorf("%v ago: noted at %v", ago, info.ModTime())
		}
	}
}

// TestTogether has two caches, as two processes would, on one directory, with
// many readers each.
func TestTogether(t *testing.T) {
	const blocks, limit = 600, 256 * page
	below, all := newSource(t, equal(blocks, 2000)...)
	dir := t.TempDir()
	caches := []Cache{open(t, dir, below, limit), open(t, dir, below, limit)}
	var readers, watcher sync.WaitGroup
	done := make(chan struct{})
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			// Listing takes its time, and a block may be seen that went.
			if there := onDisk(t, dir); there > limit+limit/8 {
				t.Errorf("%d on the disk, and the bound is %d", there, limit)
				return
			}
		}
	})
	for n := range 8 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(n)))
			for range 250 {
				id := all[random.IntN(len(all))]
				got, err := caches[n%2].Get(t.Context(), id)
				if err != nil || !bytes.Equal(got, below.blocks[id]) {
					t.Errorf("%s: %d bytes, %v", id, len(got), err)
				}
				if random.IntN(50) == 0 {
					_ = os.Truncate(files(dir).path(id), 10) // may not be there
				}
			}
		})
	}
	readers.Wait()
	close(done)
	watcher.Wait()
	for _, c := range caches {
		if stats := c.Stats(); stats.Hits == 0 || stats.Misses == 0 {
			t.Errorf("%+v", stats)
		}
		closeCache(t, c)
	}
	if there := onDisk(t, dir); there > limit {
		t.Errorf("%d on the disk, and the bound is %d", there, limit)
	}
}

// TestSharedLoads: who asks for a block at the same time waits for one fetch,
// and is not failed by another's giving up.
func TestSharedLoads(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		below, all := newSource(t, 100)
		below.wait = func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}
		c := open(t, dir, below, 0)
		defer closeCache(t, c)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		var readers sync.WaitGroup
		readers.Go(func() {
			if _, err := c.Get(impatient, all[0]); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient one: %v", err)
			}
		})
		synctest.Wait()
		for range 10 {
			readers.Go(func() {
				if got, err := c.Get(t.Context(), all[0]); err != nil || !bytes.Equal(got, below.blocks[all[0]]) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
		readers.Wait()
		if n := below.asked(); n != 1 {
			t.Errorf("fetched %d times", n)
		}
	})
}

// TestJustFetched: a load that begins when an equal one is done finds what that
// has kept.
func TestJustFetched(t *testing.T) {
	below, all := newSource(t, 100)
	c := open(t, t.TempDir(), below, 0)
	defer closeCache(t, c)
	get(t, c, below, all...)
	if _, err := c.(*cache).fetch(t.Context(), all[0]); err != nil || below.asked() != 1 {
		t.Errorf("fetched %d times, %v", below.asked(), err)
	}
}

// TestRecountWhileWriting: a count of the files knows of the block that is
// about to be one.
func TestRecountWhileWriting(t *testing.T) {
	a, err := openAccount(t.TempDir(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.claim(3 * page); err != nil {
		t.Fatal(err)
	}
	if err := a.change(a.recount); err != nil {
		t.Fatal(err)
	}
	a.settle(3*page, true)
	if bytes, err := a.bytes(); err != nil || bytes != 3*page {
		t.Errorf("%d bytes, %v", bytes, err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

// TestFailingDisk: whatever fails in the cache, reads go on, and it is told
// once.
func TestFailingDisk(t *testing.T) {
	for what, fail := range map[string]func(t *testing.T, dir string, c *cache){
		"no block can be read or written": func(t *testing.T, dir string, c *cache) {
			for n := range shards {
				path := files(dir).shard(byte(n))
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		},
		"the account is gone": func(t *testing.T, dir string, c *cache) {
			if err := c.account.file.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"the account is another's": func(t *testing.T, dir string, c *cache) {
			if _, err := c.account.file.WriteAt([]byte("dear"), 0); err != nil {
				t.Fatal(err)
			}
		},
		"blocks are directories": func(t *testing.T, dir string, c *cache) {
			for n := range 20 {
				id, _ := block(t, n, 2000)
				path := files(dir).path(id)
				if err := errors.Join(os.RemoveAll(path), os.MkdirAll(path, 0o755)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			below, all := newSource(t, equal(200, 2000)...)
			dir := t.TempDir()
			var warnings []string
			s, err := Open(dir, below, Options{Bytes: 8 << 20, Warn: func(message string) { warnings = append(warnings, message) }})
			if err != nil {
				t.Fatal(err)
			}
			get(t, s, below, all[:10]...)
			fail(t, dir, s.(*cache))
			get(t, s, below, all...)
			get(t, s, below, all...)
			if _, err := s.Has(t.Context(), all[0]); err != nil {
				t.Error(err)
			}
			_ = s.Close() // may fail, too
			if len(warnings) != 1 || !strings.Contains(warnings[0], dir) {
				t.Errorf("%d warnings: %q", len(warnings), warnings)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	below, _ := newSource(t)
	mine := t.TempDir()
	letter := filepath.Join(mine, "letter.txt")
	if err := os.WriteFile(letter, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, accountName), []byte("hamt block cache 2: 77"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{mine, letter, filepath.Join(letter, "cache"), other} {
		c, err := Open(dir, below, Options{})
		if err == nil {
			t.Errorf("%s is taken", dir)
			closeCache(t, c)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%v does not name %s", err, dir)
		}
	}
	if below.closed {
		t.Error("the store below is closed")
	}
}

// TestAccountIsMadeUpAgain: after a loss of power it may be empty or zeros, and
// say too much after processes that were killed.
func TestAccountIsMadeUpAgain(t *testing.T) {
	const limit = 100 * page
	below, all := newSource(t, equal(50, 2000)...)
	dir := t.TempDir()
	c := open(t, dir, below, limit)
	get(t, c, below, all...)
	closeCache(t, c)
	path := filepath.Join(dir, accountName)
	for _, text := range []string{
		"", "\x00\x00\x00",
		fmt.Sprintf(accountFormat, 99*page, time.Now().Add(-2*time.Hour).Unix()), // too much, and known for long
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := open(t, dir, below, limit)
		more, data := block(t, 1000+len(text), 2*page)
		below.blocks[more] = data
		get(t, c, below, more)
		if there := onDisk(t, dir); c.Stats().Bytes != there || there < 50*page {
			t.Errorf("%q: %+v, %d on the disk", text, c.Stats(), there)
		}
		closeCache(t, c)
	}
	// Far too much: nothing is left to be made room of, and then it is known.
	if err := os.WriteFile(path, fmt.Appendf(nil, accountFormat, 1000*page, time.Now().Unix()), 0o644); err != nil {
		t.Fatal(err)
	}
	c = open(t, dir, below, limit)
	defer closeCache(t, c)
	get(t, c, below, all...)
	if there := onDisk(t, dir); c.Stats().Bytes != there || there < 50*page {
		t.Errorf("%+v, %d on the disk", c.Stats(), there)
	}
}

// TestOnlyOurs: temporary files of processes that died go, and what is not ours
// stays, whatever is evicted.
func TestOnlyOurs(t *testing.T) {
	const limit = 50 * page
	below, all := newSource(t, equal(200, 2000)...)
	dir := t.TempDir()
	c := open(t, dir, below, limit)
	get(t, c, below, all[:50]...)
	shard := files(dir).shard(all[0].Hash()[33])
	long := time.Now().Add(-365 * 24 * time.Hour)
	for name, stays := range map[string]bool{"notes.txt": true, unfinished + "1": false, unfinished + "2": true} {
		path := filepath.Join(shard, name)
		if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		if name != unfinished+"2" { // that one is being written
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if _, err := os.Stat(path); (err == nil) != stays {
				t.Errorf("%s: %v", name, err)
			}
		}()
	}
	get(t, c, below, all...)
	closeCache(t, c)
	closeCache(t, open(t, dir, below, page)) // nearly all goes
	if there := onDisk(t, dir); there > 4*page {
		t.Errorf("%d on the disk", there)
	}
}

// TestKilled kills processes that fill a cache, and wants it within its bound
// and all blocks right.
func TestKilled(t *testing.T) {
	const blocks, limit, variable = 400, 200 * page, "CACHE_TEST_FILL"
	below, all := newSource(t, equal(blocks, 3000)...)
	if dir := os.Getenv(variable); dir != "" {
		c := open(t, dir, below, limit)
		for {
			get(t, c, below, all[rand.IntN(len(all))])
		}
	}
	dir := t.TempDir()
	for range 3 {
		var children []*exec.Cmd
		for range 2 {
			child := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
			child.Env = append(os.Environ(), variable+"="+dir)
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
		time.Sleep(time.Duration(150+rand.IntN(150)) * time.Millisecond)
		for _, child := range children {
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = child.Wait() // it was killed
		}
		c := open(t, dir, below, limit)
		get(t, c, below, all...)
		if there := onDisk(t, dir); there > limit+limit/16 || there < limit/2 { // with what was left unfinished
			t.Errorf("%d on the disk, and the bound is %d", there, limit)
		}
		if stats := c.Stats(); stats.Damaged > 0 {
			t.Errorf("%+v", stats)
		}
		closeCache(t, c)
	}
}

// The map of a Zarr data set: 80,000 blocks of 2 KB.
const mapBlocks, mapBlockSize = 80_000, 2000

func BenchmarkFill(b *testing.B) {
	below, all := newSource(b, equal(mapBlocks, mapBlockSize)...)
	c := open(b, b.TempDir(), below, 0)
	defer closeCache(b, c)
	b.ResetTimer()
	for n := range b.N {
		get(b, c, below, all[n%len(all)])
	}
	b.ReportMetric(float64(c.Stats().Misses)/float64(b.N), "fetched/op")
}

func BenchmarkWarm(b *testing.B) {
	below, all := newSource(b, equal(mapBlocks, mapBlockSize)...)
	dir := b.TempDir()
	c := open(b, dir, below, 0)
	defer closeCache(b, c)
	get(b, c, below, all...)
	b.ResetTimer()
	for n := range b.N {
		get(b, c, below, all[n*7919%len(all)])
	}
	b.ReportMetric(float64(below.asked()-mapBlocks), "fetched")
}

// BenchmarkFull is a cache that is full all the time: each block that comes in
// drives another out.
func BenchmarkFull(b *testing.B) {
	below, all := newSource(b, equal(mapBlocks, mapBlockSize)...)
	c := open(b, b.TempDir(), below, mapBlocks/2*page)
	defer closeCache(b, c)
	get(b, c, below, all...)
	b.ResetTimer()
	for n := range b.N {
		get(b, c, below, all[n%len(all)])
	}
}
