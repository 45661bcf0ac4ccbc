//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilled kills builds and changes at random moments, and wants every root
// that was printed and every name to be whole. HAMT_CRASH_TIME, such as 10m,
// makes it search longer.
func TestKilled(t *testing.T) {
	t.Parallel()
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
