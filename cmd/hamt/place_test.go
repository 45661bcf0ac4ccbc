package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The Go tests of the command are those that scripts cannot be: they kill and
// interrupt at moments of their own, have a gateway fail in the middle of an
// answer, count requests, or look at what moves in a terminal. Everything else is
// in testdata/script.

const people = `{"key":"Alice","value":1}
{"key":"Bob","value":[2,3]}
`

// place is a directory to run the command in, with a store of its own.
type place struct {
	t    *testing.T
	dir  string
	temp string // for the command's temporary files
}

func newPlace(t *testing.T) place {
	t.Helper()
	return place{t, t.TempDir(), t.TempDir()}
}

// result is what one run gave.
type result struct {
	out, err string
	status   int
}

func (p place) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "hamt", args...)
	c.Dir = p.dir
	c.Env = append(os.Environ(), "HAMT_STORE=", "TMPDIR="+p.temp) // what is killed leaves files there
	return c
}

// run runs the command with something on its standard input.
func (p place) run(stdin string, args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := p.command(ctx, args...)
	var out, errOut bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errOut
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("hamt %q: %v", args, err)
	}
	return result{out.String(), errOut.String(), c.ProcessState.ExitCode()}
}

// ok runs the command, wants status 0, and returns what it printed.
func (p place) ok(stdin string, args ...string) string {
	p.t.Helper()
	r := p.run(stdin, args...)
	if r.status != 0 {
		p.t.Fatalf("hamt %q: status %d, %s", args, r.status, r.err)
	}
	return r.out
}

// root is ok for verbs that print a root, which it returns without the newline.
func (p place) root(stdin string, args ...string) string {
	p.t.Helper()
	out := p.ok(stdin, args...)
	root, rest, ok := strings.Cut(out, "\n")
	if !ok || rest != "" || root == "" {
		p.t.Fatalf("hamt %q printed %q, not one root", args, out)
	}
	return root
}

// same compares what was printed with what should have been.
func (p place) same(what, got, want string) {
	p.t.Helper()
	if got != want {
		p.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// lines makes n lines of entries: precip/…, as in the tables of roots that other
// implementations gave.
func lines(n int) string {
	var text strings.Builder
	writeLines(&text, n)
	return text.String()
}

func writeLines(w io.Writer, n int) {
	for i := range n {
		fmt.Fprintf(w, "{\"key\":\"precip/%d.%d\",\"value\":%d}\n", i/1000, i%1000, i)
	}
}

// file writes a file into the place.
func (p place) file(name, content string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) isEmpty(dir string) {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, dir))
	if err != nil || len(entries) > 0 {
		p.t.Errorf("%s holds %v (%v)", dir, entries, err)
	}
}
