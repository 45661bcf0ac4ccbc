package carfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// writers are the ways to write a file, each with the same CAR.
func writers(t *testing.T) map[string]func(path string, options ...WriteOption) error {
	b := block(t, 1)
	return map[string]func(path string, options ...WriteOption) error{
		"Create": func(path string, options ...WriteOption) error {
			car, err := Create(path, options...)
			if err != nil {
				return err
			}
			return errors.Join(car.Put(t.Context(), b.CID, b.Data), car.Publish(t.Context(), b.CID), car.Close())
		},
		"WriteFile": func(path string, options ...WriteOption) error {
			return WriteFile(path, func(w io.Writer) error {
				car, err := NewWriter(w, b.CID)
				if err != nil {
					return err
				}
				return errors.Join(car.Put(t.Context(), b.CID, b.Data), car.Finish())
			}, options...)
		},
	}
}

// TestNotOurs: what is no CAR stays as it was, unless it is insisted on.
func TestNotOurs(t *testing.T) {
	b := block(t, 1)
	for name, write := range writers(t) {
		for _, text := range []string{"a thesis", "\x00", "{\"key\":\"a\",\"value\":1}\n", "\x0aabc"} {
			path := filepath.Join(t.TempDir(), "thesis.txt")
			writeText(t, path, text)
			if err := CheckTarget(path); !errors.Is(err, ErrNotCAR) {
				t.Errorf("CheckTarget, %q: %v", text, err)
			}
			if err := write(path); !errors.Is(err, ErrNotCAR) {
				t.Errorf("%s, %q: %v", name, text, err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%s: %q became %q, %v", name, text, got, err)
			}
			onlyFile(t, path, true)
			if err := write(path, WithForce()); err != nil {
				t.Errorf("%s by force: %v", name, err)
			}
			isCAR(t, path, b.CID, b)
			if err := write(path); err != nil { // a CAR now
				t.Errorf("%s again: %v", name, err)
			}
		}
		path := filepath.Join(t.TempDir(), "empty")
		writeText(t, path, "")
		if err := write(path); err != nil {
			t.Errorf("%s in place of an empty file: %v", name, err)
		}
	}
}

// TestNotOursMeanwhile: a file that somebody puts there while a CAR is being built
// stays, too.
func TestNotOursMeanwhile(t *testing.T) {
	path, b := filepath.Join(t.TempDir(), "x.car"), block(t, 1)
	car := create(t, path)
	put(t, car, b)
	writeText(t, path, "a thesis")
	if err := car.Publish(t.Context(), b.CID); !errors.Is(err, ErrNotCAR) {
		t.Errorf("published: %v", err)
	}
	if err := car.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "a thesis" {
		t.Errorf("%q, %v", got, err)
	}
	onlyFile(t, path, true)
}

// TestSymlink: a symbolic link is followed, and stays one.
func TestSymlink(t *testing.T) {
	b := block(t, 1)
	for name, write := range writers(t) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "far"), 0o777); err != nil {
			t.Fatal(err)
		}
		link, between := filepath.Join(dir, "link.car"), filepath.Join(dir, "far", "between")
		if err := os.Symlink(filepath.Join("far", "between"), link); err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(filepath.Join("..", "there.car"), between); err != nil {
			t.Fatal(err)
		}
		for range 2 { // where the links lead to nothing, and to a CAR
			if err := write(link); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			isCAR(t, filepath.Join(dir, "there.car"), b.CID, b)
			for _, path := range []string{link, between} {
				if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
					t.Errorf("%s: %s is %v, %v", name, path, info.Mode(), err)
				}
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
				t.Errorf("%s: left behind: %v, %v", name, entries, err)
			}
		}
		writeText(t, filepath.Join(dir, "there.car"), "a thesis")
		if err := write(link); !errors.Is(err, ErrNotCAR) {
			t.Errorf("%s: a link to what is no CAR: %v", name, err)
		}
		loop := filepath.Join(dir, "loop.car")
		if err := os.Symlink("loop.car", loop); err != nil {
			t.Fatal(err)
		}
		if err := write(loop); err == nil {
			t.Errorf("%s: a link to itself was written", name)
		}
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
