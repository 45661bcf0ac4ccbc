// Package foreign runs the peers in other languages: each by a small program
// in its language, which takes the number of entries and prints one
// work.Result a line.
package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
)

// Peer is an implementation in another language.
type Peer struct {
	Name    string
	Slow    bool     // measured at a small size only
	command []string // in the directory of this package; the number of entries follows
	needs   string   // a file of the repository that has to be there, seen from there
	get     string   // how to get it
}

// absent is the exit status of a program whose peer is not there; the last line
// on stderr says why.
const absent = 3

// All are the peers in other languages.
var All = []Peer{
	{
		Name: "js-ipld-hashmap", Slow: true,
		command: []string{"node", "js/bench.mjs"},
		needs:   "../../interop/js/node_modules/ipld-hashmap", get: "npm ci in interop/js",
	},
	{
		Name:    "fvm_ipld_hamt",
		command: []string{"cargo", "run", "--quiet", "--release", "--manifest-path", "rust/Cargo.toml", "--"},
	},
	{ // that of 2023, where PY_HAMT says
		Name: "py-hamt", Slow: true,
		command: []string{"python3", "python/bench.py"},
	},
	{
		Name: "py-hamt-3 (other layout)", Slow: true,
		command: []string{"python3", "python/bench.py", "--other-layout"},
	},
}

// Measure runs the peer with n entries. An error says why it could not be
// measured.
func (p Peer) Measure(ctx context.Context, n int) ([]work.Result, error) {
	if _, err := exec.LookPath(p.command[0]); err != nil {
		return nil, err
	}
	dir, err := directory(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, p.needs)); p.needs != "" && err != nil {
		return nil, fmt.Errorf("not installed: %s", p.get)
	}
	var stderr bytes.Buffer
	args := append(p.command[1:len(p.command):len(p.command)], strconv.Itoa(n))
	command := exec.CommandContext(ctx, p.command[0], args...)
	command.Dir, command.Stderr = dir, &stderr
	out, err := command.Output()
	if command.ProcessState != nil && command.ProcessState.ExitCode() == absent {
		return nil, errors.New(lastLine(stderr.String()))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	results, err := work.ReadResults(bytes.NewReader(out))
	for i := range results {
		results[i].Impl = p.Name
	}
	return results, err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// directory is where this package is, whatever the working directory.
func directory(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/ipld-hamt/go-ipld-hamt/bench/foreign").Output()
	if err != nil {
		return "", fmt.Errorf("the sources are not there: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
