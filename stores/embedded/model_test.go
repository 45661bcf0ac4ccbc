package embedded

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

var collectSeeds = flag.Int("collectseeds", 4, "how many random histories the tests of Collect take")

// entries are those of a map.
type entries = map[string]int64

// keeper makes maps, changes them, names them, and collects what nobody wants, at
// random; and knows what must be there.
type keeper struct {
	random *rand.Rand
	maps   map[cid.Cid]entries  // all that ever were
	names  map[string][]cid.Cid // what each stood for, and at last stands for; undefined where it was removed
	next   map[string][]cid.Cid // what may already be so, while something is being done
	free   []cid.Cid            // roots without a name, published since blocks were collected last
	n      int64
	// collecting is called before and after blocks are collected.
	collecting func(now bool)
}

func newKeeper(seed uint64) *keeper {
	return &keeper{
		random: rand.New(rand.NewPCG(seed, 3)), maps: map[cid.Cid]entries{},
		names: map[string][]cid.Cid{}, next: map[string][]cid.Cid{}, collecting: func(bool) {},
	}
}

func (k *keeper) name() string { return fmt.Sprint("name-", k.random.IntN(5)) }

// current returns what a name stands for.
func current(names map[string][]cid.Cid, name string) cid.Cid {
	if steps := names[name]; len(steps) > 0 {
		return steps[len(steps)-1]
	}
	return cid.Undef
}

// move moves names, and promises it when it is done.
func (k *keeper) move(ctx context.Context, s *Store, name string, to cid.Cid) error {
	from := current(k.names, name)
	if from == to {
		return s.MoveName(ctx, name, from, to)
	}
	k.next[name] = append(slices.Clone(k.names[name]), to)
	if err := s.MoveName(ctx, name, from, to); err != nil {
		return err
	}
	k.names[name] = k.next[name]
	return nil
}

// edit makes a map of another with some changes.
func (k *keeper) edit(ctx context.Context, s *Store, from cid.Cid) (cid.Cid, error) {
	all := entries{}
	prototype := builder.Prototype{
		LinkSystem: s.LinkSystem(), Params: params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 2},
	}
	txn, err := prototype.NewTxn()
	if from.Defined() {
		maps.Copy(all, k.maps[from])
		m, loadErr := hamt.Load(ctx, s.LinkSystem(), cidlink.Link{Cid: from})
		if loadErr != nil {
			return cid.Undef, loadErr
		}
		txn, err = builder.PrototypeOf(m).Edit(m)
	}
	if err != nil {
		return cid.Undef, err
	}
	changes := 1 + k.random.IntN(4)
	if !from.Defined() {
		changes = k.random.IntN(60)
	}
	for range changes {
		key := fmt.Sprint("key-", k.random.IntN(80))
		if k.random.IntN(4) == 0 {
			delete(all, key)
			_, err = txn.DeleteString(ctx, key)
		} else {
			k.n++
			all[key] = k.n
			err = txn.SetString(key, basicnode.NewInt(k.n))
		}
		if err != nil {
			return cid.Undef, err
		}
	}
	_, link, err := txn.Commit(ctx)
	if err != nil {
		return cid.Undef, err
	}
	root, err := stores.CIDOf(link)
	k.maps[root] = all
	return root, err
}

func (k *keeper) step(ctx context.Context, s *Store) error {
	name := k.name()
	now := current(k.names, name)
	switch choice := k.random.IntN(12); {
	case choice < 3 || !now.Defined():
		root, err := k.edit(ctx, s, cid.Undef)
		if err != nil {
			return err
		}
		return k.move(ctx, s, name, root)
	case choice < 7:
		root, err := k.edit(ctx, s, now)
		if err != nil {
			return err
		}
		return k.move(ctx, s, name, root)
	case choice == 7:
		other := k.name()
		if current(k.names, other).Defined() {
			return nil
		}
		if err := k.move(ctx, s, other, now); err != nil {
			return err
		}
		return k.move(ctx, s, name, cid.Undef)
	case choice == 8:
		return k.move(ctx, s, name, cid.Undef)
	case choice == 9:
		to := k.names[name][k.random.IntN(len(k.names[name]))]
		if !to.Defined() {
			return nil
		}
		return k.move(ctx, s, name, to)
	case choice == 10:
		root, err := k.edit(ctx, s, now)
		if err == nil {
			err = s.Publish(ctx, root)
		}
		if err == nil {
			k.free = append(k.free, root)
		}
		return err
	}
	return s.Compact(ctx)
}

// collect collects what nobody wants.
func (k *keeper) collect(ctx context.Context, s *Store) error {
	o := CollectOptions{Forget: k.random.IntN(2) == 0}
	if len(k.free) > 0 && k.random.IntN(2) == 0 {
		o.Keep = k.free[:1]
	}
	// What is forgotten is not promised from now on.
	k.next = map[string][]cid.Cid{}
	for name, steps := range k.names {
		last := len(steps) - 1
		switch {
		case !steps[last].Defined():
			delete(k.names, name)
			continue
		case o.Forget:
			steps = steps[last:]
		}
		k.names[name], k.next[name] = steps, steps
	}
	k.free = slices.Clone(o.Keep)
	k.collecting(true)
	_, err := s.Collect(ctx, o)
	k.collecting(false)
	return err
}

// session opens a store and does some things with it.
func (k *keeper) session(ctx context.Context, fs filesystem, dir string, steps int) (err error) {
	s, err := Open(ctx, dir, Options{Write: true, fs: fs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for range steps {
		if err := k.step(ctx, s); err != nil {
			return err
		}
	}
	return k.collect(ctx, s)
}

// clone returns a keeper that does not change any more.
func (k *keeper) clone() *keeper {
	c := *k
	c.maps, c.names, c.next = maps.Clone(k.maps), maps.Clone(k.names), maps.Clone(k.next)
	return &c
}

// checkMap wants a map to be whole, and returns its blocks.
func (k *keeper) checkMap(s *Store, root cid.Cid, live map[cid.Cid]bool) error {
	ctx := context.Background()
	m, err := hamt.Load(ctx, s.LinkSystem(), cidlink.Link{Cid: root})
	if err != nil {
		return err
	}
	got := entries{}
	for entry, err := range m.Entries(ctx) {
		if err != nil {
			return err
		}
		value, err := entry.Value()
		if err != nil {
			return err
		}
		if got[string(entry.Key())], err = value.AsInt(); err != nil {
			return err
		}
	}
	if !maps.Equal(got, k.maps[root]) {
		return fmt.Errorf("root %s has %d entries, and not the %d", root, len(got), len(k.maps[root]))
	}
	for link, err := range m.Blocks(ctx) {
		if err != nil {
			return err
		}
		live[link.(cidlink.Link).Cid] = true
	}
	return nil
}

// check wants all to be there that was promised: the names, and all that they stood
// for and the store remembers, whole. It returns the blocks that names reach.
func (k *keeper) check(s *Store) (live map[cid.Cid]bool, err error) {
	live = map[cid.Cid]bool{}
	names := map[string]cid.Cid{}
	for name, err := range s.Names(context.Background()) {
		if err != nil {
			return nil, err
		}
		names[name.Name] = name.Root
	}
	for name := range k.names {
		got := names[name]
		delete(names, name)
		if got != current(k.names, name) && got != current(k.next, name) {
			return nil, fmt.Errorf("name %s stands for %s, want %s or %s", name, got, current(k.names, name), current(k.next, name))
		}
	}
	for name, got := range names {
		if got != current(k.next, name) {
			return nil, fmt.Errorf("name %s stands for %s, and was not to", name, got)
		}
	}
	for name := range k.next {
		moves, err := s.History(context.Background(), name)
		if err != nil {
			return nil, err
		}
		if want := k.names[name]; len(moves) < len(want) {
			return nil, fmt.Errorf("name %s remembers %d steps of %d", name, len(moves), len(want))
		}
		if !current(k.names, name).Defined() && !current(k.next, name).Defined() {
			continue // whose steps may have been given back, and not forgotten yet
		}
		for _, move := range moves {
			if move.Root.Defined() {
				if err := k.checkMap(s, move.Root, live); err != nil {
					return nil, fmt.Errorf("name %s stood for %s: %w", name, move.Root, err)
				}
			}
		}
	}
	for _, root := range k.free {
		if err := k.checkMap(s, root, live); err != nil {
			return nil, fmt.Errorf("root %s: %w", root, err)
		}
	}
	return live, nil
}

// checkLeft opens what a crash left, for reading, and then for writing, and wants all
// to be there; and, when it is collected again, nothing else.
func (k *keeper) checkLeft(fs filesystem, dir string) error {
	ctx := context.Background()
	for _, write := range []bool{false, true, false} {
		s, err := Open(ctx, dir, Options{Write: write, fs: fs})
		if err != nil {
			return err
		}
		if _, err = k.check(s); err == nil && write {
			err = k.checkCollected(s)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return fmt.Errorf("writing %v: %w", write, err)
		}
	}
	return nil
}

// checkCollected wants a store to have nothing but what is live, once it is collected.
func (k *keeper) checkCollected(s *Store) error {
	if _, err := s.Collect(context.Background(), CollectOptions{Keep: k.free}); err != nil {
		return err
	}
	live, err := k.check(s)
	if err != nil {
		return err
	}
	if u := s.Usage(); u.Blocks != len(live) {
		return fmt.Errorf("%d blocks are left, and %d are live", u.Blocks, len(live))
	}
	for err := range s.Check(context.Background()) {
		return err
	}
	return nil
}

// TestModel wants each map that somebody may still ask for to be whole, and no block
// to be left of any other, after builds, edits, renames, resets and collections.
func TestModel(t *testing.T) {
	for seed := range uint64(*collectSeeds) {
		k := newKeeper(seed)
		fs := &crashing{MemFS: vfs.NewMem()}
		for range 6 {
			if err := k.session(t.Context(), fs, crashDir, 12); err != nil {
				t.Fatal(err)
			}
			if err := k.checkLeft(fs, crashDir); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// TestCollectPowerLoss cuts the power before each access of Collect that changes a
// file, with none, some, or all of what was not synced. All of it is as if the process
// was killed.
func TestCollectPowerLoss(t *testing.T) {
	losses := 0
	for seed := range uint64(*collectSeeds) {
		k := newKeeper(seed)
		fs := &crashing{MemFS: vfs.NewCrashableMem()}
		type loss struct {
			fs     *vfs.MemFS
			k      *keeper
			before string
		}
		var left []loss
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 4))
		cut := func(what, path string) error {
			mu.Lock()
			defer mu.Unlock()
			for _, percent := range []int{0, 50, 100} {
				clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random})
				left = append(left, loss{clone, k.clone(), what + " " + filepath.Base(path)})
			}
			return nil
		}
		k.collecting = func(now bool) {
			if fs.before = nil; now {
				fs.before = cut
			}
		}
		for range 3 {
			if err := k.session(t.Context(), fs, crashDir, 12); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range left {
			losses++
			if err := l.k.checkLeft(&crashing{MemFS: l.fs}, crashDir); err != nil {
				t.Fatalf("seed %d, power lost before %s: %v", seed, l.before, err)
			}
		}
	}
	t.Logf("%d power losses", losses)
}

// TestCollectErrors has each access of Collect that changes a file fail once, or from
// then on until the next session: the disk is full, or broken. The same process goes on
// afterwards, if it can, or the next.
func TestCollectErrors(t *testing.T) {
	failures := 0
	for seed := range uint64(*collectSeeds) {
		for at := 1; ; at++ {
			k := newKeeper(seed)
			fs := &crashing{MemFS: vfs.NewMem()}
			reason := []error{syscall.ENOSPC, syscall.EIO}[at/2%2]
			n, hit := 0, false
			var mu sync.Mutex
			k.collecting = func(now bool) {
				if !now {
					return
				}
				fs.before = func(what, path string) error {
					mu.Lock()
					defer mu.Unlock()
					if n++; n == at || n > at && at%2 == 0 {
						hit = true
						return fmt.Errorf("%s %s: %w", what, path, reason)
					}
					return nil
				}
			}
			for range 2 {
				// What is left in the session's Close may fail, too.
				if err := k.session(t.Context(), fs, crashDir, 12); err != nil && !errors.Is(err, reason) {
					t.Fatal(err)
				}
				fs.before = nil
				if hit {
					break
				}
			}
			if err := k.checkLeft(fs, crashDir); err != nil {
				t.Fatalf("seed %d, access %d fails: %v", seed, at, err)
			}
			if !hit {
				break
			}
			failures++
		}
	}
	t.Logf("%d failing accesses", failures)
}

// killing is the disk, and kills the process before the n-th access that changes
// something.
type killing struct {
	disk
	mu sync.Mutex
	n  int
}

func (k *killing) tell(string, string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.n--; k.n == 0 {
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			panic(err)
		}
		select {}
	}
	return nil
}

func (k *killing) Create(path string) (file, error) {
	_ = k.tell("create", path)
	f, err := k.disk.Create(path)
	return killingFile{f, k}, err
}

func (k *killing) OpenWrite(path string) (file, error) {
	f, err := k.disk.OpenWrite(path)
	return killingFile{f, k}, err
}

func (k *killing) Rename(from, to string) error {
	_ = k.tell("rename", to)
	return k.disk.Rename(from, to)
}

func (k *killing) Remove(path string) error {
	_ = k.tell("remove", path)
	return k.disk.Remove(path)
}

type killingFile struct {
	file
	k *killing
}

func (f killingFile) WriteAt(p []byte, at int64) (int, error) {
	_ = f.k.tell("write", "")
	return f.file.WriteAt(p, at)
}

// killedVariable tells this test binary to collect a store's blocks, and which access
// to die of: DIR, N, and whether to forget.
const killedVariable = "HAMT_TEST_COLLECT"

// collectAndDie does what killedVariable says.
func collectAndDie(what string) {
	fields := strings.Split(what, ",")
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		panic(err)
	}
	s, err := Open(context.Background(), fields[0], Options{Write: true, fs: &killing{n: n}})
	if err == nil {
		_, err = s.Collect(context.Background(), CollectOptions{Forget: fields[2] == "forget"})
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestCollectKilled kills a process before each of its accesses to the disk that change
// something while it collects. What it leaves is whole, and collected by the next.
func TestCollectKilled(t *testing.T) {
	kills := 0
	for seed := range uint64(2) {
		k := newKeeper(seed)
		dir := t.TempDir()
		s, err := Open(t.Context(), dir, Options{Write: true, fs: unsynced{}})
		if err != nil {
			t.Fatal(err)
		}
		for range 25 {
			if err := k.step(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, s)
		k.free = nil
		for n := 1; ; n++ {
			left := filepath.Join(t.TempDir(), "store")
			if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			c := exec.Command(os.Args[0], "-test.run=^$")
			c.Env = append(os.Environ(), fmt.Sprintf("%s=%s,%d,%s", killedVariable, left, n, []string{"forget", "keep"}[seed]))
			out, err := c.CombinedOutput()
			if code := c.ProcessState.ExitCode(); err != nil && code >= 0 && code != 1 || strings.TrimSpace(string(out)) != "" {
				t.Fatalf("%v: %s", err, out)
			}
			after := k.clone()
			for name, steps := range after.names { // which may be forgotten
				last := len(steps) - 1
				after.names[name], after.next[name] = steps[last:], steps[last:]
				if !steps[last].Defined() {
					delete(after.names, name)
				}
			}
			if err := after.checkLeft(unsynced{}, left); err != nil {
				t.Fatalf("seed %d, killed before access %d: %v", seed, n, err)
			}
			if err == nil {
				break
			}
			kills++
		}
	}
	if kills < 20 {
		t.Errorf("%d kills: the test has tested nothing", kills)
	}
	t.Logf("%d kills", kills)
}

// unsynced is the disk, for what need not survive the machine.
type unsynced struct{ disk }

func (u unsynced) Create(path string) (file, error)    { return unsyncedFile(u.disk.Create(path)) }
func (u unsynced) Open(path string) (file, error)      { return unsyncedFile(u.disk.Open(path)) }
func (u unsynced) OpenWrite(path string) (file, error) { return unsyncedFile(u.disk.OpenWrite(path)) }
func (unsynced) SyncDir(string) error                  { return nil }

func unsyncedFile(f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return neverSynced{f}, nil
}

type neverSynced struct{ file }

func (neverSynced) Sync() error { return nil }
