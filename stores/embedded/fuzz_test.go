package embedded

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"
)

// FuzzStore opens a store whose log and pack may say anything: the log's lines
// have the checksums that they should have, so that what they say is believed. A
// block that is returned is the one that was asked for, and nothing outside of the
// store is touched. The next writer can write, or is told why not.
func FuzzStore(f *testing.F) {
	whole := &crashing{MemFS: vfs.NewCrashableMem()}
	u := newUser(1, whole)
	if err := u.session(f, 3); err != nil {
		f.Fatal(err)
	}
	read := func(path string) []byte {
		data, err := readFile(whole, path)
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	packs, err := whole.List(filepath.Join(crashDir, packsDir))
	if err != nil {
		f.Fatal(err)
	}
	var steps strings.Builder
	for line := range strings.Lines(string(read(filepath.Join(crashDir, logNames[0])))) {
		_, object, _ := strings.Cut(line, " ")
		steps.WriteString(object)
	}
	for _, name := range packs {
		f.Add(steps.String(), read(filepath.Join(crashDir, packsDir, name)))
	}
	f.Add(strings.ReplaceAll(steps.String(), `"pack":"`, `"pack":"../../`), []byte("no pack"))
	f.Add(`{"n":1,"state":{"next":-1,"packs":[{"pack":"000001.car","bytes":-1,"blocks":-1}],"names":{"x":[{"root":"?"}],"":null}}}`+"\nnull\n", []byte{})
	f.Add(`{"n":9223372036854775807,"state":{"next":9223372036854775807}}`, []byte{})
	f.Fuzz(func(t *testing.T, steps string, pack []byte) {
		fs := &crashing{MemFS: vfs.NewMem()}
		write := func(path string, data []byte) {
			t.Helper()
			file, err := fs.Create(path)
			if err == nil {
				_, err = file.WriteAt(data, 0)
			}
			if err = errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if err := fs.MkdirAll(filepath.Join(crashDir, packsDir), 0o777); err != nil {
			t.Fatal(err)
		}
		var log []byte
		for line := range strings.Lines(steps) {
			log = appendLine(log, []byte(strings.TrimSuffix(line, "\n")))
		}
		write(filepath.Join(crashDir, markerName), []byte(marker))
		write(filepath.Join(crashDir, logNames[0]), log)
		write(filepath.Join(crashDir, logNames[1]), log)
		write(filepath.Join(crashDir, packsDir, "000001.car"), pack)
		const other = "/somewhere/000001.car" // of somebody else
		write(other, pack)
		fs.before = func(what, path string) error {
			if !strings.HasPrefix(filepath.Clean(path), crashDir) {
				t.Errorf("%s %s", what, path)
			}
			return nil
		}
		for _, options := range []Options{{}, {Write: true}, {Write: true, Repair: true}} {
			options.fs = fs
			s, err := Open(t.Context(), crashDir, options)
			if err != nil {
				continue // it says why
			}
			for c, want := range u.promised.blocks {
				if got, err := s.Get(t.Context(), c); err == nil && !bytes.Equal(got, want) {
					t.Errorf("Get(%s) returns another block", c)
				}
			}
			for name, err := range s.Names(t.Context()) {
				if err == nil && name.Root == cid.Undef {
					t.Errorf("name %q has no root", name.Name)
				}
			}
			for err := range s.Check(t.Context()) {
				if err == nil {
					t.Error("damage is nil")
				}
			}
			if options.Write {
				c, data := block(t, 12345)
				if err := errors.Join(s.Put(t.Context(), c, data), s.SetName(t.Context(), "new", c), s.Sync()); err != nil {
					t.Errorf("writing %+v: %v", options, err)
				} else if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, data) {
					t.Errorf("what was written is read as %q, %v", got, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
