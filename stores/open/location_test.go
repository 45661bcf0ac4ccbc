package open

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
)

func TestParse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Location{
		".hamt":                        {Embedded, ".hamt"},
		"embedded:x.car":               {Embedded, "x.car"},
		"x.car":                        {CAR, "x.car"},
		"X.CAR":                        {CAR, "X.CAR"},
		file:                           {CAR, file},
		dir:                            {Embedded, dir},
		"car:x":                        {CAR, "x"},
		"flatfs:/r":                    {Flatfs, "/r"},
		"kubo:":                        {Kubo, ""},
		"kubo:http://h:1":              {Kubo, "http://h:1"},
		"gateway:http://a,https://b/c": {Gateway, "http://a,https://b/c"},
		"gateway:http://a,b":           {},
		"gateway:http://me:x@a":        {},
		"kubo:http://me:x@a":           {},
		"kubo:/ip4/127.0.0.1/tcp/5001": {Kubo, "/ip4/127.0.0.1/tcp/5001"},
		"./kubo:":                      {Embedded, "./kubo:"},
		`C:\x`:                         {Embedded, `C:\x`},
		"":                             {},
		"car:":                         {},
		"flatfs:":                      {},
		"gateway:":                     {},
		"embedded:":                    {},
		"http://127.0.0.1:5001":        {},
	} {
		got, err := Parse(text)
		if got != want || (err != nil) != (want == Location{}) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if err != nil {
			continue
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%q: is written as %q, and that is read as %v, %v", text, got, again, err)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	s, err := embedded.Open(t.Context(), there, embedded.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	thesis := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(thesis, []byte("a thesis"), 0o644); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(dir, "absent")
	for _, c := range []struct {
		at   Location
		mode Mode
		want error
	}{
		{Location{Embedded, there}, Edit, nil},
		{Location{Embedded, absent}, Edit, stores.ErrNoStore},
		{Location{Embedded, absent}, Build, nil},
		{Location{Embedded, absent}, Add, nil},
		{Location{Embedded, dir}, Build, stores.ErrNoStore}, // something else is there
		{Location{CAR, "x.car"}, Read, nil},
		{Location{CAR, "x.car"}, Build, nil},
		{Location{CAR, thesis}, Build, carfile.ErrNotCAR},
		{Location{CAR, "x.car"}, Add, stores.ErrReadOnly},
		{Location{CAR, "x.car"}, Edit, stores.ErrReadOnly},
		{Location{Flatfs, dir}, Build, stores.ErrReadOnly},
		{Location{Gateway, "http://h"}, Edit, stores.ErrReadOnly},
		{Location{Kubo, ""}, Edit, nil},
	} {
		if err := c.at.Check(c.mode, Options{}); !errors.Is(err, c.want) {
			t.Errorf("%v, mode %d: %v, want %v", c.at, c.mode, err, c.want)
		}
		if c.want == nil {
			continue
		}
		if _, err := c.at.Writing(t.Context(), c.mode, Options{}); !errors.Is(err, c.want) {
			t.Errorf("%v, mode %d: opened with %v, want %v", c.at, c.mode, err, c.want)
		}
	}
	if !(Location{Embedded, absent}).Fresh() || (Location{Embedded, there}).Fresh() || !(Location{CAR, there}).Fresh() || (Location{Kubo, ""}).Fresh() {
		t.Error("which stores are fresh")
	}
}

// TestPartOfAStore: a CAR is not written into the directory of a store, whose packs
// are CARs themselves.
func TestPartOfAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := embedded.Open(t.Context(), dir, embedded.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "x.car"), filepath.Join(dir, "packs", "000001.car")} {
		if err := (Location{CAR, path}).Check(Build, Options{Force: true}); err == nil {
			t.Errorf("%s may be written", path)
		}
	}
	if err := (Location{CAR, filepath.Join(filepath.Dir(dir), "x.car")}).Check(Build, Options{}); err != nil {
		t.Errorf("beside a store: %v", err)
	}
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("x.car", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link("x.car", "hard.car"); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("x.car", "soft.car"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "./a", true}, {"a", "embedded:" + filepath.Join(dir, "a"), true}, {"a", "flatfs:a", true}, {"a", "b", false},
		{"x.car", "hard.car", true}, {"x.car", "soft.car", true}, {"x.car", "car:./x.car", true}, {"x.car", "y.car", false},
		{"y.car", "y.car", true}, {"kubo:", "kubo:", true}, {"gateway:http://a", "gateway:http://b", false},
	} {
		a, err := Parse(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if a.Same(b) != c.want || b.Same(a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}
