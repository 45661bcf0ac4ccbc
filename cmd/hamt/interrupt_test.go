//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted: Ctrl-C in the middle of a build leaves nothing behind.
func TestInterrupted(t *testing.T) {
	hangUp(t)
	p := newPlace(t)
	root := p.root(people, "build", "--name", "people")
	if err := os.Mkdir(filepath.Join(p.dir, "spill"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
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
		if err := c.Process.Signal(ending); err != nil {
			t.Fatal(err)
		}
		err = c.Wait()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("%v: %v", ending, err)
		}
		p.same("stdout, stderr", out.String()+errOut.String(), "hamt: interrupted\n")
		p.isEmpty("spill")
		p.same("the store", p.ok("", "names"), "people\t"+root+"\n")
	}
}

// TestSpilledByKilled: what a build that is killed leaves is in a directory with the name of
// its process, and the next build removes it, but not that of one which is running.
func TestSpilledByKilled(t *testing.T) {
	hangUp(t)
	p := newPlace(t)
	if err := os.Mkdir(filepath.Join(p.dir, "spill"), 0o755); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		t.Helper()
		c := p.command(t.Context(), "build", "--memory", "64KiB", "--spill", "spill")
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		writeLines(stdin, 20_000) // and no end of the input
		waitFor(t, "spilled runs", func() bool { return len(spilled(t, p, c)) > 0 })
		return c
	}
	killed, running := start(), start()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	if len(spilled(t, p, killed)) == 0 {
		t.Fatal("nothing was left")
	}
	p.root(people, "build", "--spill", "spill")
	if found := spilled(t, p, killed); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
	if len(spilled(t, p, running)) == 0 {
		t.Error("what a running build spilled is gone")
	}
	if err := running.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = running.Wait() // the status is for TestInterrupted
	p.isEmpty("spill")
}

// hangUp lets SIGHUP end the commands of this test, even where the tests were
// started by nohup: a signal that is caught, and not ignored, has its default
// action in a child process.
func hangUp(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
}

// spilled are the runs that a process has spilled.
func spilled(t *testing.T, p place, c *exec.Cmd) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "spill", fmt.Sprintf("hamt-%d-*", c.Process.Pid), "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestNohup: where SIGHUP is ignored, as under nohup, the command goes on.
func TestNohup(t *testing.T) {
	p := newPlace(t)
	if err := os.Mkdir(filepath.Join(p.dir, "spill"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", `trap "" HUP; exec hamt build --memory 64KiB --spill spill`)
	c.Dir, c.Env = p.dir, p.command(t.Context()).Env
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	writeLines(stdin, 20_000)
	waitFor(t, "spilled runs", func() bool { return len(spilled(t, p, c)) > 0 })
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || !strings.HasPrefix(out.String(), "baf") {
		t.Errorf("%v, %s", err, &out)
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
