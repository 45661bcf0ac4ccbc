package open

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
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
		{Location{CAR, "x.car"}, Add, stores.ErrReadOnly},
		{Location{CAR, "x.car"}, Edit, stores.ErrReadOnly},
		{Location{Flatfs, dir}, Build, stores.ErrReadOnly},
		{Location{Gateway, "http://h"}, Edit, stores.ErrReadOnly},
		{Location{Kubo, ""}, Edit, nil},
	} {
		if err := c.at.Check(c.mode); !errors.Is(err, c.want) {
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
