package open

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
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
		"https://h/x.car":              {WebCAR, "https://h/x.car"},
		"http://h/a/X.CAR":             {WebCAR, "http://h/a/X.CAR"},
		"car:https://h/x":              {WebCAR, "https://h/x"},
		"car:https:/h/x":               {CAR, "https:/h/x"},
		"https://me:x@h/x.car":         {},
		"https://h/x.car?key=x":        {},
		"car:https://h/x?key=x":        {},
		"https://h/x":                  {},
		"ftp://h/x.car":                {},
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
		{Location{WebCAR, "http://h/x.car"}, Build, stores.ErrReadOnly},
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

// TestWeakDigests: the option reaches every kind of store, and the cache in front of
// one.
func TestWeakDigests(t *testing.T) {
	dir := t.TempDir()
	hash, err := multihash.Sum([]byte("block"), multihash.SHA2_256, 19)
	if err != nil {
		t.Fatal(err)
	}
	weak := cid.NewCidV1(cid.Raw, hash)
	flat := filepath.Join(dir, "flat")
	if err := os.Mkdir(flat, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(flat, "SHARDING"), []byte("/repo/flatfs/shard/v1/next-to-last/2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	car := Location{CAR, filepath.Join(dir, "x.car")}
	node := httptest.NewServer(http.NotFoundHandler())
	defer node.Close()
	nowhere := remote.Options{Retries: -1}
	for _, allowed := range []bool{false, true} {
		check := func(at Location, s stores.Store, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close() //nolint:errcheck // it is not written to
			if _, err := s.Get(t.Context(), weak); errors.Is(err, stores.ErrWeakDigest) == allowed {
				t.Errorf("%s, allowed %v: %v", at, allowed, err)
			}
		}
		for _, at := range []Location{car, {Embedded, filepath.Join(dir, "store")}, {Kubo, node.URL}} {
			s, err := at.Writing(t.Context(), Build, Options{WeakDigests: allowed, Remote: nowhere})
			check(at, s, err)
		}
		w, err := carfile.Create(car.Place)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Publish(t.Context(), cid.NewCidV1(cid.Raw, []byte{multihash.IDENTITY, 0})); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, at := range []Location{car, {Flatfs, flat}, {Embedded, filepath.Join(dir, "store")}, {Kubo, node.URL}, {Gateway, node.URL}} {
			for _, cache := range []string{"", filepath.Join(dir, "cache")} {
				s, err := at.Reading(t.Context(), Options{WeakDigests: allowed, Remote: nowhere, CacheDir: cache})
				check(at, s, err)
			}
		}
	}
}
