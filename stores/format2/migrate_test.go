package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	hamt "github.com/ipld-hamt/go-ipld-hamt"

	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
)

// asCommand has this test binary be the command, so that it can be killed.
const asCommand = "HAMT_TEST_FORMAT2"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// oldStore returns a copy of the store that testdata/README.md describes.
func oldStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS("testdata/store")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wantOld wants a directory to have the files of the store as they were.
func wantOld(t *testing.T, dir string) {
	t.Helper()
	got, want := filesOf(t, dir), filesOf(t, "testdata/store")
	if !maps.Equal(got, want) {
		t.Errorf("%s has been changed", dir)
	}
}

func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wantNew wants a directory to have a store of today with all that the old one had.
func wantNew(t *testing.T, dir string) {
	t.Helper()
	s, err := embedded.Open(t.Context(), dir, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names := map[string]string{}
	for name, err := range s.Names(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names[name.Name] = name.Root.String()
	}
	if want := map[string]string{
		"people": "bafyreibsscklr22jtwrac5zk3dl4xc3prgfj62segcxiommq6ozrgoyety",
		"precip": "bafyreidnndwmh2on3wpi5flgmakxqfhjugezvuupfka5c7exuelnytroby",
	}; !maps.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	for root, want := range map[string]int64{
		names["people"]: 3, names["precip"]: 60,
		// What people stood for, and what had the name gone.
		"bafyreibjia37ltpxm33kqho3cpc5v2hlqer55biegk63o5rarar77td5za": 2,
		"bafyreihmp2czv5q3vjpq76tal3a4kihivio267hs4ydrhjp7x54m3z3csq": 1,
	} {
		c, err := cid.Decode(root)
		if err != nil {
			t.Fatal(err)
		}
		m, err := hamt.Load(t.Context(), s.LinkSystem(), cidlink.Link{Cid: c})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := m.Count(t.Context()); err != nil || n != want {
			t.Errorf("%s has %d entries, %v, want %d", root, n, err, want)
		}
		for err := range m.Verify(t.Context()) {
			t.Errorf("%s: %v", root, err)
		}
	}
	for err := range s.Check(t.Context()) {
		t.Error(err)
	}
}

func migrate(t *testing.T, want int, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	if got := run(t.Context(), args, &said); got != want {
		t.Errorf("%v: status %d, want %d: %s", args, got, want, &said)
	}
	return said.String()
}

// TestMigrate makes a store of today of an old one, which stays as it was.
func TestMigrate(t *testing.T) {
	dir := oldStore(t)
	var format *embedded.FormatError
	for _, write := range []bool{false, true} {
		_, err := embedded.Open(t.Context(), dir, embedded.Options{Write: write})
		if !errors.As(err, &format) || !strings.Contains(err.Error(), "go run github.com/ipld-hamt/go-ipld-hamt/stores/format2@latest "+dir) {
			t.Errorf("opened before, writing %v: %v", write, err)
		}
	}
	wantOld(t, dir)
	migrate(t, 0, dir)
	wantNew(t, dir)
	wantOld(t, dir+oldSuffix)
	migrate(t, 3, dir)
	wantNew(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// TestGoesOn wants a migration that was broken off to go on, wherever that was.
func TestGoesOn(t *testing.T) {
	for what, prepare := range map[string]func(dir string) error{
		"nothing copied": func(dir string) error {
			s, err := embedded.Open(t.Context(), dir+newSuffix, embedded.Options{Write: true})
			return errors.Join(err, s.Close())
		},
		"copied": func(dir string) error {
			o, err := openOld(dir)
			if err != nil {
				return err
			}
			m := migration{say: t.Logf}
			return errors.Join(m.copy(t.Context(), o, dir), o.close())
		},
		"the old one out of the way": func(dir string) error {
			migrate(t, 0, dir)
			return os.Rename(dir, dir+newSuffix)
		},
	} {
		dir := oldStore(t)
		if err := prepare(dir); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		migrate(t, 0, dir)
		wantNew(t, dir)
		wantOld(t, dir+oldSuffix)
	}
	dir := oldStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var said bytes.Buffer
	if got := run(ctx, []string{dir}, &said); got != 3 {
		t.Errorf("interrupted: %d, %s", got, &said)
	}
	wantOld(t, dir)
	migrate(t, 0, dir)
	wantNew(t, dir)
}

// TestKilled kills it at many moments: what is left is the old store, whole, or the new
// one, or both beside each other.
func TestKilled(t *testing.T) {
	dir := oldStore(t)
	kills := 0
	for n := 1; ; n++ {
		c := exec.Command(os.Args[0], dir)
		c.Env = append(os.Environ(), asCommand+"=1")
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(n)*3*time.Millisecond, func() { _ = c.Process.Kill() }) // it may be done
		err := c.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if c.ProcessState.ExitCode() != -1 {
			t.Fatalf("%v: %s", err, &said)
		}
		kills++
		if _, err := os.Stat(dir); err == nil {
			if _, err := os.Stat(filepath.Join(dir, blocksName)); err == nil {
				wantOld(t, dir)
				continue
			}
			break // it was done, and killed on its way out
		}
		wantOld(t, dir+oldSuffix)
	}
	wantNew(t, dir)
	wantOld(t, dir+oldSuffix)
	t.Logf("%d kills", kills)
}

// TestDamaged names a block that is damaged, and goes on without it when that is said.
func TestDamaged(t *testing.T) {
	dir := oldStore(t)
	path := filepath.Join(dir, blocksName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	const hurt = "bafyreihmp2czv5q3vjpq76tal3a4kihivio267hs4ydrhjp7x54m3z3csq" // which was written last
	if said := migrate(t, 3, dir); !strings.Contains(said, "block "+hurt+" in blocks at byte ") || !strings.Contains(said, "-skip-damaged") {
		t.Errorf("%s", said)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the old store is not where it was: %v", err)
	}
	migrate(t, 0, "-skip-damaged", dir)
	s, err := embedded.Open(t.Context(), dir, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o, err := openOld(dir + oldSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	records, err := o.records()
	if err != nil || len(records) < 10 {
		t.Fatalf("%d blocks, %v", len(records), err)
	}
	for _, r := range records {
		if has, err := s.Has(t.Context(), r.cid); err != nil || has == (r.cid.String() == hurt) {
			t.Errorf("%s: %v, %v", r.cid, has, err)
		}
	}
	// A file that is cut short is named, too.
	dir = oldStore(t)
	if err := os.Truncate(filepath.Join(dir, blocksName), 1000); err != nil {
		t.Fatal(err)
	}
	if said := migrate(t, 3, dir); !strings.Contains(said, "unexpected EOF") {
		t.Errorf("%s", said)
	}
}

// TestRefuses what is no store of format 2, and changes nothing.
func TestRefuses(t *testing.T) {
	temp := t.TempDir()
	foreign := filepath.Join(temp, "foreign")
	db, err := pebble.Open(foreign, &pebble.Options{Logger: silent{}})
	if err == nil {
		err = errors.Join(db.Set([]byte("theirs"), []byte("x"), pebble.Sync), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, blocksName), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	letters := filepath.Join(temp, "letters")
	if err := os.Mkdir(letters, 0o700); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(filesOf(t, temp))
	for _, dir := range []string{foreign, letters, filepath.Join(temp, "absent")} {
		if said := migrate(t, 3, dir); !strings.Contains(said, errNotOld.Error()) {
			t.Errorf("%s: %s", dir, said)
		}
	}
	if after := fmt.Sprint(filesOf(t, temp)); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
	migrate(t, 2)
	migrate(t, 2, "a", "b")
	migrate(t, 2, "-no-such-flag", letters)
	dir := oldStore(t)
	if err := os.Mkdir(dir+oldSuffix, 0o700); err != nil {
		t.Fatal(err)
	}
	migrate(t, 3, dir)
	wantOld(t, dir)
}
