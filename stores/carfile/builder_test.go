package carfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func create(t testing.TB, path string) *Builder {
	t.Helper()
	b, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func put(t testing.TB, b *Builder, blocks ...Block) {
	t.Helper()
	for _, block := range blocks {
		if err := b.Put(t.Context(), block.CID, block.Data); err != nil {
			t.Fatal(err)
		}
	}
}

func publish(t testing.TB, b *Builder, root cid.Cid) {
	t.Helper()
	if err := b.Publish(t.Context(), root); err != nil {
		t.Fatal(err)
	}
}

// large is a block of which a few fill the buffer.
func large(t *testing.T, n int) Block {
	return named(t, cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}, n, 300_000)
}

func named(t *testing.T, by cid.Builder, n, size int) Block {
	t.Helper()
	data := bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(n)), size/4)
	c, err := by.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return Block{c, data}
}

// hasAll wants that a store gives all blocks.
func hasAll(t *testing.T, s stores.Store, blocks ...Block) {
	t.Helper()
	for _, block := range blocks {
		if got, err := s.Get(t.Context(), block.CID); err != nil || !bytes.Equal(got, block.Data) {
			t.Fatalf("block %s: %d bytes, %v", block.CID, len(got), err)
		}
		if has, err := s.Has(t.Context(), block.CID); !has || err != nil {
			t.Fatalf("block %s: %v, %v", block.CID, has, err)
		}
	}
}

// isCAR wants a file that is a CAR of exactly the blocks, each checked, and in
// their order, under one root.
func isCAR(t *testing.T, path string, root cid.Cid, blocks ...Block) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in, err := NewReader(file, path)
	if err != nil {
		t.Fatal(err)
	}
	if roots := in.Roots(); len(roots) != 1 || !roots[0].Equals(root) {
		t.Fatalf("roots %v, want %s", roots, root)
	}
	for got, err := range in.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		if len(blocks) == 0 || !got.CID.Equals(blocks[0].CID) {
			t.Fatalf("block %s is one too many, or out of order", got.CID)
		}
		blocks = blocks[1:]
	}
	if len(blocks) > 0 {
		t.Fatalf("%d blocks are missing", len(blocks))
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	hasAll(t, s, blocks...)
}

// onlyFile wants that nothing is in the directory of a file beside it.
func onlyFile(t *testing.T, path string, there bool) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if there && len(entries) == 1 && entries[0].Name() == filepath.Base(path) || !there && len(entries) == 0 {
		return
	}
	t.Errorf("left behind: %v", entries)
}

func TestBuilder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	b := create(t, path)
	if _, ok := b.DefaultRoot(); ok {
		t.Error("a root before one was published")
	}
	var blocks []Block
	for n := range 10 { // some are written, the last are pending
		blocks = append(blocks, large(t, n))
		put(t, b, blocks...) // all but one are there
		hasAll(t, b, blocks...)
	}
	for _, block := range []Block{blocks[0], blocks[9]} { // written, and pending
		got, err := b.Get(t.Context(), block.CID)
		if err != nil {
			t.Fatal(err)
		}
		clear(got) // is ours
	}
	hasAll(t, b, blocks...)
	absent := block(t, 1).CID
	if _, err := b.Get(t.Context(), absent); !stores.IsNotFound(err) {
		t.Errorf("absent block: %v", err)
	}
	if has, err := b.Has(t.Context(), absent); has || err != nil {
		t.Errorf("absent block: %v, %v", has, err)
	}
	root := blocks[9].CID
	publish(t, b, root)
	publish(t, b, root)
	if got, ok := b.DefaultRoot(); !ok || !got.Equals(root) {
		t.Errorf("root %s", got)
	}
	hasAll(t, b, blocks...)
	onlyFile(t, path, true)
	isCAR(t, path, root, blocks...)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestRootsOfAnyLength: the room for the root is reserved by the first block
// that is written, which may have guessed wrong.
func TestRootsOfAnyLength(t *testing.T) {
	roots := []cid.Builder{
		cid.V0Builder{}, // shorter
		cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.SHA2_256},
		cid.V1Builder{Codec: cid.DagJSON, MhType: multihash.SHA2_512}, // longer
		cid.V1Builder{Codec: cid.Raw, MhType: multihash.IDENTITY},
	}
	for _, by := range roots {
		for _, before := range []int{0, 1, 8} {
			path := filepath.Join(t.TempDir(), "x.car")
			b := create(t, path)
			var blocks []Block
			for n := range before {
				blocks = append(blocks, large(t, n))
			}
			root := named(t, by, 99, 8)
			put(t, b, blocks...)
			put(t, b, root)
			publish(t, b, root.CID)
			if _, inlined := stores.Inlined(root.CID); !inlined {
				blocks = append(blocks, root)
			}
			hasAll(t, b, blocks...)
			isCAR(t, path, root.CID, blocks...)
			onlyFile(t, path, true)
		}
	}
}

// TestPublishAgain: every Publish replaces the file by a whole new one, and what
// is put after the last is in none.
func TestPublishAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	b := create(t, path)
	roots := []cid.Builder{cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}, cid.V0Builder{}}
	var blocks []Block
	for n := range 8 {
		before, _ := os.ReadFile(path)
		for range rand.IntN(6) { // also none: another root and nothing else
			blocks = append(blocks, large(t, len(blocks)))
			put(t, b, blocks...)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Fatal("the file changed without being published")
		}
		root := named(t, roots[n%len(roots)], 1000+n, 40)
		blocks = append(blocks, root)
		put(t, b, root)
		hasAll(t, b, blocks...)
		publish(t, b, root.CID)
		hasAll(t, b, blocks...)
		isCAR(t, path, root.CID, blocks...)
		onlyFile(t, path, true)
	}
	first := blocks[0].CID
	publish(t, b, first)
	isCAR(t, path, first, blocks...)
	put(t, b, large(t, 5000))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	isCAR(t, path, first, blocks...)
	onlyFile(t, path, true)
}

// TestUnpublished: at every step until Publish the old file is there as it was,
// what stands beside it is no CAR, and Close leaves nothing.
func TestUnpublished(t *testing.T) {
	old := block(t, 1)
	for _, there := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "x.car")
		if there {
			b := create(t, path)
			put(t, b, old)
			publish(t, b, old.CID)
		}
		b := create(t, path)
		for n := range 10 {
			put(t, b, large(t, n))
			entries, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
			if err != nil || len(entries) != 1 {
				t.Fatalf("%v, %v", entries, err)
			}
			if _, err := Open(entries[0]); err == nil {
				t.Fatal("a CAR that is not done can be opened")
			}
			if _, err := os.Stat(path); there {
				isCAR(t, path, old.CID, old)
			} else if !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%v", err)
			}
		}
		if err := b.Publish(t.Context(), old.CID); !stores.IsNotFound(err) {
			t.Errorf("a root that was not put: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
		if err := b.Put(t.Context(), old.CID, old.Data); !errors.Is(err, os.ErrClosed) {
			t.Errorf("put after close: %v", err)
		}
		if err := b.Publish(t.Context(), large(t, 1).CID); !errors.Is(err, os.ErrClosed) {
			t.Errorf("publish after close: %v", err)
		}
		onlyFile(t, path, there)
	}
}

// TestCannotWrite makes writing fail at every step, and wants an error that
// names the file, the old file, and nothing else.
func TestCannotWrite(t *testing.T) {
	old := block(t, 1)
	breaks := map[string]func(t *testing.T, b *Builder){
		"writing":  func(t *testing.T, b *Builder) { readOnly(t, b) },
		"renaming": func(t *testing.T, b *Builder) { remove(t, b.temporary.Name()) },
		"moving":   func(t *testing.T, b *Builder) { b.target.path = filepath.Join(filepath.Dir(b.path), "absent", "x.car") },
	}
	for what, broken := range breaks {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.car")
			b := create(t, path)
			put(t, b, old)
			publish(t, b, old.CID)

			b = create(t, path)
			for n := range 8 {
				put(t, b, large(t, n))
			}
			broken(t, b)
			root := large(t, 8)
			if what == "moving" {
				root = named(t, cid.V0Builder{}, 1, 8) // another length
			}
			put(t, b, root)
			for range 2 {
				err := b.Publish(t.Context(), root.CID)
				if err == nil || !strings.Contains(err.Error(), b.path) {
					t.Fatalf("published: %v", err)
				}
			}
			if err := b.Put(t.Context(), old.CID, old.Data); err == nil {
				t.Error("put after a failure")
			}
			if _, ok := b.DefaultRoot(); ok {
				t.Error("a root after a failure")
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			isCAR(t, path, old.CID, old)
			onlyFile(t, path, true)
		})
	}
}

// readOnly replaces the file of a builder by one that cannot be written, as
// none can on a disk that is full.
func readOnly(t *testing.T, b *Builder) {
	t.Helper()
	file, err := os.Open(b.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.file.Close(); err != nil {
		t.Fatal(err)
	}
	b.file, b.temporary.File = file, file
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		dir, // is a directory
		filepath.Join(dir, "absent", "x.car"),
		filepath.Join(file, "x.car"), // the directory is none
	} {
		b, err := Create(path)
		if err == nil {
			t.Errorf("%s is taken: %v", path, b.Close())
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name %s", err, path)
		}
	}
	onlyFile(t, file, true)
}

func TestBlocksThatWouldNotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	b := create(t, path)
	c := block(t, 1).CID
	if err := b.Put(t.Context(), c, make([]byte, stores.MaxBlockBytes+1)); !errors.Is(err, stores.ErrTooLarge) {
		t.Errorf("a block that is too large: %v", err)
	}
	if has, err := b.Has(t.Context(), c); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	data := make([]byte, stores.MaxBlockBytes)
	largest, err := c.Prefix().Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, Block{largest, data})
	publish(t, b, largest)
	isCAR(t, path, largest, Block{largest, data})
}

// TestBuilderConcurrently puts, reads and publishes from many goroutines, while
// whoever opens the file finds a whole CAR.
func TestBuilderConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	b := create(t, path)
	first := large(t, 0)
	put(t, b, first)
	publish(t, b, first.CID)
	const each = 12
	var blocks []Block
	for n := range 4 * each {
		blocks = append(blocks, large(t, n))
	}
	var writers, watcher sync.WaitGroup
	done := make(chan struct{})
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			whole, err := os.ReadFile(path)
			if err == nil {
				err = readAll(whole)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for w := range 4 {
		writers.Go(func() {
			for n := range each {
				mine := blocks[w*each+n]
				err := b.Put(t.Context(), mine.CID, mine.Data)
				if err == nil && n%4 == 3 {
					err = b.Publish(t.Context(), mine.CID)
				}
				for _, want := range []Block{mine, first} {
					got, getErr := b.Get(t.Context(), want.CID)
					if err = errors.Join(err, getErr); err != nil || !bytes.Equal(got, want.Data) {
						t.Errorf("block %s: %d bytes, %v", want.CID, len(got), err)
					}
				}
			}
		})
	}
	writers.Wait()
	close(done)
	watcher.Wait()
	hasAll(t, b, blocks...)
	publish(t, b, first.CID)
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	hasAll(t, s, blocks...)
}

// TestKilled kills processes that publish at random moments, and wants a whole
// CAR under the name, always.
func TestKilled(t *testing.T) {
	const variable = "CARFILE_TEST_BUILD"
	if path := os.Getenv(variable); path != "" {
		buildForever(t, path)
	}
	path := filepath.Join(t.TempDir(), "x.car")
	seen := map[string]bool{}
	for range 8 {
		child := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
		child.Env = append(os.Environ(), variable+"="+path)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		for { // until there is one
			if _, err := os.Stat(path); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(80 * time.Millisecond))))
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
		whole, err := os.ReadFile(path)
		if err == nil {
			err = readAll(whole)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		root, _ := s.DefaultRoot()
		if _, err := load(s, root); err != nil {
			t.Error(err)
		}
		seen[root.String()] = true
		closeFile(t, s)
	}
	t.Logf("%d roots seen", len(seen))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".x.car.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left { // no CARs
		if s, err := Open(name); err == nil {
			closeFile(t, s)
			// Killed between the header and the name.
			if whole, err := os.ReadFile(name); err != nil || readAll(whole) != nil {
				t.Errorf("%s is half a CAR, %v", name, err)
			}
		}
	}
	if len(left) > 1 { // the others were removed by the next
		t.Errorf("left behind: %v", left)
	}
	b := create(t, path)
	put(t, b, block(t, 1))
	publish(t, b, block(t, 1).CID)
	onlyFile(t, path, true)
}

// TestLeftFiles: only files that somebody left are removed, not those that are
// being written, nor anything else.
func TestLeftFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.car")
	for _, name := range []string{".x.car.part12", ".x.car.part", ".x.car.part1.bak", ".y.car.part12", ".x.car.12", "x.car.part12"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".x.car.part7"), 0o755); err != nil {
		t.Fatal(err)
	}
	one := create(t, path)
	put(t, one, large(t, 1))
	two := create(t, path)
	put(t, two, large(t, 2))
	publish(t, one, large(t, 1).CID)
	three := create(t, path)
	publish(t, two, large(t, 2).CID)
	isCAR(t, path, large(t, 2).CID, large(t, 2))
	for _, b := range []*Builder{one, two, three} {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got, want := fmt.Sprint(names), "[.x.car.12 .x.car.part .x.car.part1.bak .x.car.part7 .y.car.part12 x.car x.car.part12]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestManyBegin: builders that begin at the same moment do not take each other's
// files for left ones.
func TestManyBegin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 20 {
				b, err := Create(path)
				if err != nil {
					t.Error(err)
					return
				}
				one := block(t, n)
				if err := b.Put(t.Context(), one.CID, one.Data); err != nil {
					t.Error(err)
				}
				if err := b.Publish(t.Context(), one.CID); err != nil {
					t.Error(err)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	onlyFile(t, path, true)
}

// TestSynced: the whole file is on the disk before it gets its name, and then
// the name is.
func TestSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	var synced []string
	fsync = func(file *os.File) error {
		info, err := file.Stat()
		if err != nil {
			t.Error(err)
		}
		_, err = os.Stat(path)
		there := "before"
		if err == nil {
			there = "after"
		}
		if info.IsDir() {
			synced = append(synced, "directory "+there)
			return file.Sync()
		}
		whole, err := os.ReadFile(file.Name())
		if err == nil {
			err = readAll(whole)
		}
		synced = append(synced, fmt.Sprint("file ", there, " ", err))
		return file.Sync()
	}
	defer func() { fsync = (*os.File).Sync }()
	const want = "[file before <nil> directory after]"
	b := create(t, path)
	for n := range 4 {
		put(t, b, large(t, n))
	}
	publish(t, b, large(t, 0).CID)
	if got := fmt.Sprint(synced); got != want {
		t.Errorf("synced %s, want %s", got, want)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	synced = nil
	if err := WriteFile(path, func(w io.Writer) error {
		car, err := NewWriter(w, block(t, 1).CID)
		if err != nil {
			return err
		}
		return errors.Join(car.Put(t.Context(), block(t, 1).CID, block(t, 1).Data), car.Finish())
	}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(synced); got != want {
		t.Errorf("WriteFile synced %s, want %s", got, want)
	}

	// What is not on the disk gets no name.
	broken := errors.New("input/output error")
	fsync = func(*os.File) error { return broken }
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b = create(t, path)
	put(t, b, block(t, 1))
	if err := b.Publish(t.Context(), block(t, 1).CID); !errors.Is(err, broken) {
		t.Errorf("a disk that fails: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	onlyFile(t, path, false)
}

func buildForever(t *testing.T, path string) {
	for n := rand.IntN(1 << 20); ; n++ {
		b, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			put(t, b, large(t, n+i))
		}
		publish(t, b, large(t, n).CID)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriterConcurrently(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	var blocks []Block
	for n := range 20 {
		blocks = append(blocks, large(t, n))
	}
	for range 4 {
		writers.Go(func() {
			for _, b := range blocks {
				if err := w.Put(context.Background(), b.CID, b.Data); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	in, err := NewReader(&file, "x.car")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for b, err := range in.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		seen[b.CID.String()]++
	}
	if len(seen) != len(blocks) {
		t.Error(fmt.Sprint(seen))
	}
	for c, times := range seen {
		if times != 1 {
			t.Errorf("block %s is there %d times", c, times)
		}
	}
}
