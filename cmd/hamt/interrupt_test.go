//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted: Ctrl-C in the middle of a build leaves nothing behind.
func TestInterrupted(t *testing.T) {
	p := newPlace(t)
	root := p.root(people, "build", "--name", "people")
	if err := os.Mkdir(filepath.Join(p.dir, "spill"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		c := p.command(ctx, "build", "--memory", "64KiB", "--spill", "spill", "--name", "people")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out, errOut bytes.Buffer
		c.Stdout, c.Stderr = &out, &errOut
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		writeLines(stdin, 20_000) // and no end of the input
		waitFor(t, "spilled runs", func() bool {
			found, err := filepath.Glob(filepath.Join(p.dir, "spill", "*", "*", "*"))
			return err == nil && len(found) > 0
		})
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		err = c.Wait()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("%v: %v", signal, err)
		}
		p.same("stdout, stderr", out.String()+errOut.String(), "hamt: interrupted\n")
		p.isEmpty("spill")
		p.same("the store", p.ok("", "names"), "people\t"+root+"\n")
	}
}

// TestInterruptedAnywhere: Ctrl-C at any moment of a build or a copy, into any
// store on this machine, is one word and status 130, or comes too late. What was
// there stays, nothing is left behind, and a root that was printed is whole.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel() // it waits more than it computes
	p := newPlace(t)
	root := p.root(lines(20_000), "build", "--bit-width", "4")
	g := p.serve(root)
	p.file("lines.ndjson", lines(20_000))
	old := map[string]string{}
	for _, store := range []string{"to", "to.car"} {
		old[store] = p.root(people, "--store", store, "build")
	}
	interrupted := 0
	for n := range 24 {
		store := []string{"to", "to.car"}[n%2]
		args := []string{"--store", store, "build", "--bit-width", "5", "lines.ndjson"}
		if n%4 > 1 {
			g.trees.Store(n%8 > 3)
			g.delay.Store(int64(time.Millisecond))
			args = []string{"copy", root, "--from", "gateway:" + g.url, "--to", store}
		}
		c := p.command(t.Context(), args...)
		var out, errOut bytes.Buffer
		c.Stdout, c.Stderr = &out, &errOut
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(30+n*n)*time.Millisecond, func() { _ = c.Process.Signal(os.Interrupt) }) // it may be done
		_ = c.Wait()                                                                                          // the status says it
		switch status := c.ProcessState.ExitCode(); status {
		case 130:
			interrupted++
			p.same("stdout, stderr", out.String()+errOut.String(), "hamt: interrupted\n")
		case 0:
			printed := strings.TrimSpace(out.String())
			if p.same("verify", p.ok("", "--store", store, "verify", printed), ""); store == "to.car" {
				old[store] = printed
			}
		case -1: // before anything was listened to
		default:
			t.Errorf("hamt %q: status %d, %s", args, status, &errOut)
		}
		p.same("verify", p.ok("", "--store", store, "verify", old[store]), "")
		if left, err := filepath.Glob(filepath.Join(p.dir, ".to.car*")); err != nil || c.ProcessState.ExitCode() != -1 && len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if interrupted == 0 {
		t.Error("nothing was interrupted")
	}
	t.Logf("%d of 24 interrupted", interrupted)
}

func waitFor(t *testing.T, what string, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !there(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s", what)
		}
	}
}
