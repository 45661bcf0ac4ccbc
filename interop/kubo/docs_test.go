package kubo_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
)

// TestDocs runs the commands of docs/ipfs.md: the first on a node with the
// plugin, the others on one without.
func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/ipfs.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range strings.Split(string(page), "```sh\n")[1:] {
		command, _, _ := strings.Cut(block, "\n```")
		commands = append(commands, command)
	}
	if len(commands) != 2 {
		t.Fatalf("%d blocks of commands: %q", len(commands), commands)
	}

	seeing, plain := daemon.WithPlugin.Start(t, nil), daemon.Start(t, nil)
	s := newShelf(t, seeing)
	newShelf(t, plain)
	location, err := s.root.LocateString(t.Context(), "Rabbit")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := command()
	if err != nil {
		t.Fatal(err)
	}
	run := func(node *daemon.Node, command string) (dir, stdout string) {
		dir = t.TempDir()
		shell := node.Shell("set -e\n" + strings.ReplaceAll(command, "http://127.0.0.1:8080", node.Gateway))
		shell.Dir = dir
		for i, variable := range shell.Env {
			if path, ok := strings.CutPrefix(variable, "PATH="); ok {
				shell.Env[i] = "PATH=" + bin + string(os.PathListSeparator) + path
			}
		}
		shell.Env = append(shell.Env, "ROOT="+root(t, s.root).String(), "WAY="+location.Path.String())
		out, err := shell.Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return dir, string(out)
	}

	want := "/ipld/" + inBlock(t, s.root, "Rabbit") + "\n1" + hello + hello
	if _, got := run(seeing, commands[0]); got != want {
		t.Errorf("%s\nprints %q, want %q", commands[0], got, want)
	}
	dir, got := run(plain, commands[1])
	value := `[{"column":22,"line":1}]`
	if want := value + value + "\n"; got != want {
		t.Errorf("%s\nprints %q, want %q", commands[1], got, want)
	}
	archive, err := os.ReadFile(filepath.Join(dir, "proof.car"))
	if err != nil {
		t.Fatal(err)
	}
	var proof []cid.Cid
	for _, link := range location.Blocks {
		proof = append(proof, cidOf(link))
	}
	if got := blocksIn(t, bytes.NewReader(archive)); !slices.EqualFunc(got, proof, cid.Cid.Equals) {
		t.Errorf("proof.car has %s, want %s", got, proof)
	}
}
