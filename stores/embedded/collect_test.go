package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// wantBlocks checks that a store has some blocks, whole, and others not.
func wantBlocks(t *testing.T, s *Store, there, gone []cid.Cid) {
	t.Helper()
	for _, c := range there {
		if _, err := s.Get(t.Context(), c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	for _, c := range gone {
		if has, err := s.Has(t.Context(), c); has || err != nil {
			t.Errorf("%s is there still: %v", c, err)
		}
	}
}

func collect(t *testing.T, s *Store, o CollectOptions) Collected {
	t.Helper()
	before := s.Usage()
	o.DryRun = true
	dry, err := s.Collect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Usage() != before {
		t.Errorf("a dry run leaves %v of %v", s.Usage(), before)
	}
	o.DryRun = false
	done, err := s.Collect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	after := s.Usage()
	if done.Bytes != before.Bytes-after.Bytes || done.Blocks != before.Blocks-after.Blocks || done.Live > after.Blocks {
		t.Errorf("%+v given back, of %v, and %v is left", done, before, after)
	}
	if dry.Blocks != done.Blocks || dry.Live != done.Live || dry.Forgotten != done.Forgotten {
		t.Errorf("a dry run says %+v, and it was %+v", dry, done)
	}
	// What a file has besides blocks is not in the estimate.
	if d := dry.Bytes - done.Bytes; d < -8192*int64(before.Packs) || d > 8192*int64(before.Packs) {
		t.Errorf("a dry run says %+v, and it was %+v", dry, done)
	}
	if again, err := s.Collect(t.Context(), o); err != nil || again.Blocks != 0 || again.Bytes != 0 || again.Forgotten != 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	for err := range s.Check(t.Context()) {
		t.Error(err)
	}
	return done
}

// TestCollect keeps what names, their history and roots reach, and nothing else.
func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	set := func(name string, root cid.Cid) {
		t.Helper()
		if err := s.SetName(t.Context(), name, root); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere, _ := nodeOf(t, "elsewhere")
	raw, data := block(t, 1)
	if err := s.Put(t.Context(), raw, data); err != nil {
		t.Fatal(err)
	}
	below := putNode(t, s, "below")
	within := putNode(t, s, "within")
	inline, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.IDENTITY}.Sum(must(nodeOf(t, "inline", within)))
	if err != nil {
		t.Fatal(err)
	}
	shared := putNode(t, s, "shared", raw, below, elsewhere, inline)
	was := putNode(t, s, "was", shared)
	set("name", was)
	now := putNode(t, s, "now", shared)
	set("name", now)
	kept := putNode(t, s, "kept")
	keptRoot := putNode(t, s, "kept root", kept)
	deadBelow := putNode(t, s, "dead below")
	dead := putNode(t, s, "dead", deadBelow, shared)
	removed := putNode(t, s, "removed")
	set("removed", removed)
	if _, err := s.RemoveName(t.Context(), "removed"); err != nil {
		t.Fatal(err)
	}
	chain := putNode(t, s, "end")
	first := chain
	for i := range 5 * maxLinks {
		chain = putNode(t, s, fmt.Sprint(i), chain)
	}
	set("chain", chain)
	closeStore(t, s)
	old := open(t, dir, false)

	s = open(t, dir, true)
	done := collect(t, s, CollectOptions{Keep: []cid.Cid{keptRoot}})
	if done.Blocks != 3 || done.Forgotten != 2 {
		t.Errorf("%+v", done)
	}
	live := []cid.Cid{raw, below, within, shared, now, first, chain}
	wantBlocks(t, s, append(live, was, keptRoot, kept), []cid.Cid{deadBelow, dead, removed})
	done = collect(t, s, CollectOptions{})
	if done.Blocks != 2 || done.Forgotten != 0 {
		t.Errorf("%+v", done)
	}
	wantBlocks(t, s, append(live, was), []cid.Cid{keptRoot, kept})
	done = collect(t, s, CollectOptions{Forget: true})
	if done.Blocks != 1 || done.Forgotten != 1 {
		t.Errorf("%+v", done)
	}
	wantBlocks(t, s, live, []cid.Cid{was})
	closeStore(t, s)
	// Who opened it before sees what was there.
	wantBlocks(t, old, append(live, was, keptRoot, kept, deadBelow, dead, removed), nil)
	closeStore(t, old)
	s = open(t, dir, true)
	wantBlocks(t, s, live, []cid.Cid{was, keptRoot, kept, deadBelow, dead, removed})
	if moves, err := s.History(t.Context(), "name"); err != nil || len(moves) != 1 || moves[0].Root != now {
		t.Errorf("%v, %v", moves, err)
	}
	for _, name := range []string{"name", "chain"} {
		if _, err := s.RemoveName(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	collect(t, s, CollectOptions{})
	if packs := packFiles(t, dir); packs != 0 {
		t.Errorf("%d packs with nothing in them", packs)
	}
	closeStore(t, s)
}

// TestCollectRoots: the packs that are left name the roots that are live.
func TestCollectRoots(t *testing.T) {
	s := open(t, t.TempDir(), true)
	defer closeStore(t, s)
	live := putNode(t, s, "live")
	if err := s.Publish(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	dead := putNode(t, s, "dead")
	if err := errors.Join(s.Publish(t.Context(), dead), s.Compact(t.Context())); err != nil {
		t.Fatal(err)
	}
	collect(t, s, CollectOptions{Keep: []cid.Cid{live}})
	if roots, err := s.Unnamed(); err != nil || !slices.Equal(roots, []cid.Cid{live}) {
		t.Errorf("%v, %v", roots, err)
	}
}

// TestCollectGrace keeps what is younger, with what it links to.
func TestCollectGrace(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dir := t.TempDir()
	var s *Store
	reopen := func() {
		if s != nil {
			closeStore(t, s)
		}
		var err error
		if s, err = Open(t.Context(), dir, Options{Write: true, now: func() time.Time { return now }}); err != nil {
			t.Fatal(err)
		}
		s.unmerged = true // or all would be as young as the youngest
	}
	reopen()
	below, other := putNode(t, s, "below"), putNode(t, s, "other")
	was, is := putNode(t, s, "was"), putNode(t, s, "is")
	first := putNode(t, s, "first")
	if err := errors.Join(s.SetName(t.Context(), "name", first), s.SetName(t.Context(), "name", was)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	young := putNode(t, s, "young", below)
	if err := errors.Join(s.Sync(), s.SetName(t.Context(), "name", is)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	// In another session, which reads the times in the log.
	reopen()
	collect(t, s, CollectOptions{Forget: true, Grace: time.Hour})
	wantBlocks(t, s, []cid.Cid{below, was, is, young}, []cid.Cid{other, first})
	reopen()
	collect(t, s, CollectOptions{Forget: true, Grace: time.Second})
	wantBlocks(t, s, []cid.Cid{is}, []cid.Cid{below, was, young})
	closeStore(t, s)
}

// TestCollectTwice keeps one of a block that is in two packs, and the one that is
// whole.
func TestCollectTwice(t *testing.T) {
	for _, newest := range []bool{true, false} { // is whole
		dir := t.TempDir()
		reopen := func() *Store {
			s := open(t, dir, true)
			s.unmerged = true // that packs stay apart
			return s
		}
		s := reopen()
		hurt := putNode(t, s, "hurt")
		syncStore(t, s)
		large := putNode(t, s, "large"+string(bytes.Repeat([]byte("x"), 1<<20)))
		syncStore(t, s)
		closeStore(t, s)
		damageBlock(t, dir, hurt, 2)
		s = reopen()
		putNode(t, s, "hurt")
		if err := s.SetName(t.Context(), "name", putNode(t, s, "root", hurt, large)); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if !newest {
			damageBlock(t, dir, hurt, 2) // the one, and the other no more
		}
		s = reopen()
		done, err := s.Collect(t.Context(), CollectOptions{})
		if err != nil || done.Blocks != 1 || done.Live != 3 {
			t.Errorf("newest %v: %+v, %v", newest, done, err)
		}
		wantBlocks(t, s, []cid.Cid{hurt, large}, nil)
		for err := range s.Check(t.Context()) {
			t.Errorf("newest %v: damage to what is dead: %v", newest, err)
		}
		closeStore(t, s)
	}
}

// TestCollectRefuses where it cannot know what is live, and changes nothing.
func TestCollectRefuses(t *testing.T) {
	opaque, err := cid.V1Builder{Codec: 0x300000, MhType: multihash.SHA2_256}.Sum([]byte("opaque"))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		hurt  func(t *testing.T, dir string, below cid.Cid)
		wants any
		left  bool // with Force, what is hurt is there still
	}{
		"a damaged block": {func(t *testing.T, dir string, below cid.Cid) { damageBlock(t, dir, below, 2) }, new(*NameError), false},
		"a lost pack": {func(t *testing.T, dir string, _ cid.Cid) {
			if err := os.Remove(filepath.Join(dir, packsDir, packName(1))); err != nil {
				t.Fatal(err)
			}
		}, new(*FileError), false},
		"a pack of which nothing is left": {func(t *testing.T, dir string, _ cid.Cid) {
			if err := os.Truncate(filepath.Join(dir, packsDir, packName(1)), 0); err != nil {
				t.Fatal(err)
			}
		}, new(*FileError), false},
		"an unknown codec": {func(t *testing.T, dir string, _ cid.Cid) {
			s := open(t, dir, true)
			s.unmerged = true
			if err := errors.Join(s.Put(t.Context(), opaque, []byte("opaque")), s.SetName(t.Context(), "opaque", opaque)); err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)
		}, new(*OpaqueError), true},
	} {
		dir := t.TempDir()
		s := open(t, dir, true)
		s.unmerged = true
		below := putNode(t, s, "below")
		syncStore(t, s)
		dead := putNode(t, s, "dead")
		large := putNode(t, s, "large"+string(bytes.Repeat([]byte("x"), 1<<20)))
		root := putNode(t, s, "root", below, large)
		if err := s.SetName(t.Context(), "name", root); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		test.hurt(t, dir, below)
		s = open(t, dir, true)
		s.unmerged = true
		before := s.Usage()
		_, err := s.Collect(t.Context(), CollectOptions{})
		if err == nil || !errors.As(err, test.wants) {
			t.Errorf("%s: %v", what, err)
		}
		if s.Usage() != before {
			t.Errorf("%s: %v, and before %v", what, s.Usage(), before)
		}
		wantBlocks(t, s, []cid.Cid{root, dead}, nil)
		if _, err := s.Collect(t.Context(), CollectOptions{Force: true}); err != nil {
			t.Errorf("%s: with force: %v", what, err)
		}
		wantBlocks(t, s, []cid.Cid{root, large}, []cid.Cid{dead})
		if has, err := s.Has(t.Context(), below); has != test.left || err != nil {
			t.Errorf("%s: with force, the block is there: %v, %v", what, has, err)
		}
		for err := range s.Check(t.Context()) {
			t.Errorf("%s: with force: %v", what, err)
		}
		closeStore(t, s)
	}
	s := open(t, t.TempDir(), true)
	defer closeStore(t, s)
	if _, err := s.Collect(t.Context(), CollectOptions{Keep: []cid.Cid{opaque}}); !stores.IsNotFound(err) {
		t.Errorf("a root to keep that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	putNode(t, s, "dead")
	if _, err := s.Collect(ctx, CollectOptions{}); err == nil || s.Usage().Blocks != 1 {
		t.Errorf("%v, %v", err, s.Usage())
	}
}

// TestReadWhileCollecting reads a store while its packs are written anew by Collect and
// Compact: nobody waits for that.
func TestReadWhileCollecting(t *testing.T) {
	fs := &crashing{MemFS: vfs.NewMem()}
	s, err := Open(t.Context(), crashDir, Options{Write: true, fs: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	var live []cid.Cid
	for n := range 50 {
		live = append(live, putNode(t, s, fmt.Sprint("live ", n)))
		putNode(t, s, fmt.Sprint("dead ", n))
	}
	if err := s.SetName(t.Context(), "name", putNode(t, s, "root", live...)); err != nil {
		t.Fatal(err)
	}
	waited := 0
	fs.before = func(what, path string) error {
		if what != "write" || filepath.Base(filepath.Dir(path)) != packsDir {
			return nil
		}
		waited++
		read := make(chan error, 1)
		go func() {
			_, _, err := s.Lookup(context.Background(), "name")
			for _, c := range live {
				_, getErr := s.Get(context.Background(), c)
				err = errors.Join(err, getErr)
			}
			read <- err
		}()
		select {
		case err := <-read:
			return err
		case <-time.After(10 * time.Second):
			return errors.New("who reads is kept waiting")
		}
	}
	if done, err := s.Collect(t.Context(), CollectOptions{}); err != nil || done.Blocks != 50 {
		t.Errorf("%+v, %v", done, err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	fs.before = nil
	if waited < 2 {
		t.Errorf("%d writes: the test has tested nothing", waited)
	}
	wantBlocks(t, s, live, nil)
}
