package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCopyOnce wants a copy to read the file of credentials once, to parse each of
// its two locations once, and to hash each block once. The command is built with
// coverage that counts, so that nothing in it knows of the test.
func TestCopyOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	binary := filepath.Join(t.TempDir(), "counted")
	build := exec.Command("go", "build", "-cover", "-covermode=atomic", "-o", binary,
		"-coverpkg="+strings.Join([]string{mainPackage, openPackage, remotePackage, blockPackage, packPackage, hashPackage}, ","), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root := p.root(lines(3000), "build", "--bit-width", "5")
	blocks := strings.Count(p.ok("", "blocks", root), "\n")
	p.ok("", "export", root, "-o", "served.car")
	g, err := newGateway(filepath.Join(p.dir, "served.car"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	p.file("credentials", "# nobody's\n")
	if err := os.Chmod(filepath.Join(p.dir, "credentials"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		tree bool // the gateway serves CARs
	}{
		{"directory to directory", []string{"--from", ".hamt", "--to", "a"}, false},
		{"where all is there", []string{"--from", ".hamt", "--to", "a"}, false},
		{"directory to CAR", []string{"--from", ".hamt", "--to", "a.car"}, false},
		{"CAR to directory", []string{"--from", "a.car", "--to", "b"}, false},
		{"gateway to directory", []string{"--from", "gateway:" + g.url, "--to", "c"}, false},
		{"gateway to CAR", []string{"--from", "gateway:" + g.url, "--to", "c.car"}, false},
		{"gateway to directory, in CARs", []string{"--from", "gateway:" + g.url, "--to", "d"}, true},
		{"gateway to CAR, in a CAR", []string{"--from", "gateway:" + g.url, "--to", "d.car", "--values"}, true},
		{"into a cache", []string{"--from", "gateway:" + g.url, "--to", "e", "--cache", "cache"}, false},
		{"out of the cache", []string{"--from", "gateway:" + g.url, "--to", "f", "--cache", "cache"}, false},
	} {
		g.trees.Store(test.tree)
		counters := t.TempDir()
		c := p.command(t.Context(), append([]string{"copy", root, "--credentials", "credentials"}, test.args...)...)
		c.Path, c.Env = binary, append(c.Env, "GOCOVERDIR="+counters)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", test.name, err, out)
		}
		calls := callsOf(t, counters)
		for _, n := range []struct {
			what      string
			got, want int
		}{
			{"files of credentials read", calls(remotePackage, "credentials.go", "func ReadCredentials("), 1},
			{"locations parsed", calls(openPackage, "location.go", "func Parse("), 2},
			{"hashes", calls(hashPackage, "registry.go", "func GetVariableHasher(") +
				calls(blockPackage, "loader.go", "func (l *Loader) verify(") +
				calls(packPackage, "pack.go", "func checkHash("), blocks},
		} {
			if n.got != n.want {
				t.Errorf("%s: %d %s, not %d", test.name, n.got, n.what, n.want)
			}
		}
	}
}

// The packages whose calls are counted. The library and the packs hash with
// sha2-256 themselves; any other hash is had from the registry.
const (
	mainPackage   = "github.com/ipld-hamt/go-ipld-hamt/cmd/hamt" // or no counters are written
	openPackage   = "github.com/ipld-hamt/go-ipld-hamt/stores/open"
	remotePackage = "github.com/ipld-hamt/go-ipld-hamt/stores/remote"
	packPackage   = "github.com/ipld-hamt/go-ipld-hamt/stores/pack"
	blockPackage  = "github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	hashPackage   = "github.com/multiformats/go-multihash/core"
)

// callsOf reads what a process has left in GOCOVERDIR. The function that it returns
// returns how often a function was called.
func callsOf(t *testing.T, counters string) func(pkg, file, function string) int {
	t.Helper()
	profile := filepath.Join(counters, "profile")
	out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+counters, "-o="+profile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	return func(pkg, file, function string) int {
		t.Helper()
		dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), file))
		if err != nil {
			t.Fatal(err)
		}
		before, _, found := strings.Cut(string(source), "\n"+function)
		if !found {
			t.Fatalf("%s of %s has no %q", file, pkg, function)
		}
		// pkg/file.go:LINE.COLUMN,LINE.COLUMN STATEMENTS COUNT
		_, rest, found := strings.Cut(string(text), fmt.Sprintf("\n%s/%s:%d.", pkg, file, strings.Count(before, "\n")+2))
		if !found {
			t.Fatalf("%s in %s is not counted", function, pkg)
		}
		line, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.Atoi(line[strings.LastIndex(line, " ")+1:])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}
