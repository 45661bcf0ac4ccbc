//go:build unix

package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
)

// TestLocked: one writer alone, or any number of readers.
func TestLocked(t *testing.T) {
	p := newPlace(t)
	root := p.root(people, "build", "--name", "people")
	ctx, dir := context.Background(), filepath.Join(p.dir, ".hamt")

	writer, err := embedded.Open(ctx, dir, embedded.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	p.fails(3, "another process has the store open", "", "--wait", "100ms", "get", root, "Alice")
	p.fails(3, "another process has the store open", people, "--wait", "0", "build")
	release := time.AfterFunc(300*time.Millisecond, func() {
		if err := writer.Close(); err != nil {
			t.Error(err)
		}
	})
	defer release.Stop()
	p.same("after waiting", p.ok("", "get", root, "Alice"), "1\n")

	reader, err := embedded.Open(ctx, dir, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.same("beside a reader", p.ok("", "--wait", "0", "get", root, "Alice"), "1\n")
	p.fails(3, "another process has the store open", "", "--wait", "0", "set", root, "Alice", "2")
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	p.root("", "set", root, "Alice", "2")
}

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

var fullDisk = regexp.MustCompile(`^hamt: store( \.hamt: cannot write|: cannot write to disk): [^\n]*file too large\n$`)

// TestDiskFull: when a file cannot grow any more, the command says so and ends,
// and what was in the store is whole.
func TestDiskFull(t *testing.T) {
	p := newPlace(t)
	root := p.root(people, "build", "--name", "people")
	p.file("precip.ndjson", lines(100_000))
	for _, blocks := range []string{"1", "8", "500", "3000"} { // of 512 bytes, or 1024
		c := exec.Command("sh", "-c", "ulimit -f "+blocks+`; exec "$0" build --name people precip.ndjson`, binary)
		c.Dir, c.Env = p.dir, p.command(context.Background()).Env
		out, err := c.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 3 {
			t.Errorf("%s blocks: %v", blocks, err)
		}
		// Of the engine's files, or of the file of blocks.
		if !fullDisk.Match(out) {
			t.Errorf("%s blocks: %s", blocks, out)
		}
		p.same("the store", p.ok("", "names"), "people\t"+root+"\n")
		p.same("verify", p.ok("", "verify", "people"), "")
	}
	entries, err := os.ReadDir(p.temp)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestKilled kills builds and changes at random moments, and wants every root
// that was printed and every name to be whole. HAMT_CRASH_TIME, such as 10m,
// makes it search longer.
func TestKilled(t *testing.T) {
	length := 4 * time.Second
	if text := os.Getenv("HAMT_CRASH_TIME"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	p := newPlace(t)
	begin := time.Now()
	p.root(lines(3000), "build", "--name", "m")
	usual := time.Since(begin) // machines differ, and so does what else they do
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	printed := map[string]bool{}
	kills, done := 0, 0
	for deadline := time.Now().Add(length); time.Now().Before(deadline); {
		args, stdin := p.someChange(random)
		out, killed := p.killed(time.Duration(random.Int64N(int64(3*usual))), stdin, args...)
		if killed {
			kills++
		} else {
			done++
		}
		if root, _, whole := strings.Cut(out, "\n"); whole {
			printed[root] = true
		}
		p.same("verify", p.ok("", "verify", "m"), "")
	}
	for root := range printed {
		p.same("verify", p.ok("", "verify", root), "")
	}
	if kills == 0 || len(printed) == 0 {
		t.Errorf("%d killed, %d roots: the test has tested nothing", kills, len(printed))
	}
	t.Logf("%d killed, %d not, %d roots", kills, done, len(printed))
}

// someChange makes up a command that writes, and moves the name m.
func (p place) someChange(random *rand.Rand) (args []string, stdin string) {
	n := random.IntN(1 << 20)
	switch random.IntN(4) {
	case 0:
		return []string{"build", "--bucket-size", fmt.Sprint(1 + n%7), "--name", "m"}, lines(1000 + n%9000)
	case 1:
		var changes strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&changes, "{\"op\":\"set\",\"key\":\"%d.%d\",\"value\":%d}\n", n, i, i)
		}
		return []string{"apply", "m", "--memory", "20KiB"}, changes.String()
	}
	return []string{"set", "m", fmt.Sprint(n), fmt.Sprint(n)}, ""
}

// killed runs the command and kills it after a while, unless it was done.
func (p place) killed(after time.Duration, stdin string, args ...string) (out string, killed bool) {
	p.t.Helper()
	c := p.command(context.Background(), args...)
	c.Stdin = strings.NewReader(stdin)
	stdout, err := c.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = c.Process.Kill() }) // it may be done
	defer kill.Stop()
	read, err := io.ReadAll(stdout)
	if err != nil {
		p.t.Fatal(err)
	}
	err = c.Wait()
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return string(read), true
	}
	if c.ProcessState.ExitCode() != 0 {
		p.t.Fatalf("hamt %q: %v", args, err)
	}
	return string(read), false
}
