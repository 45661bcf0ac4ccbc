//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crashTime is how long the tests here search, each: HAMT_CRASH_TIME, such as 10m,
// or a short while.
func crashTime(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("HAMT_CRASH_TIME")
	if text == "" {
		return short
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return length
}

// TestKilled kills every verb that writes, at random moments, and wants every root
// that was printed and every name to be whole.
func TestKilled(t *testing.T) {
	t.Parallel()
	length := crashTime(t, 6*time.Second)
	p := newPlace(t)
	begin := time.Now()
	p.root(lines(3000), "build", "--name", "m")
	usual := time.Since(begin) // machines differ, and so does what else they do
	p.root(lines(2000), "--store", "other", "build", "--name", "m")
	p.root(lines(500), "--store", "other.car", "build")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	printed := map[string]bool{}
	kills, done := map[string]int{}, 0
	deadline := time.Now().Add(length)
	// On a machine so busy that little was done in time it takes some more.
	enough := func(tries int) bool {
		return time.Now().After(deadline) && (len(kills) > 0 && len(printed) > 0 || tries == 200)
	}
	for tries := 0; !enough(tries); tries++ {
		args, stdin := p.someChange(random)
		out, killed := p.killed(time.Duration(random.Int64N(int64(2*usual))), stdin, args...)
		if killed {
			kills[args[0]]++
		} else {
			done++
		}
		if root, _, whole := strings.Cut(out, "\n"); whole && strings.HasPrefix(root, "baf") {
			printed[root] = true
		}
		p.same("verify", p.ok("", "verify", "m"), "")
		names := strings.Fields(p.ok("", "names")) // each with its root
		p.same("verify", p.ok("", "verify", names[random.IntN(len(names))]), "")
		for _, car := range []string{"new.car", "copied.car"} {
			if _, err := os.Stat(filepath.Join(p.dir, car)); err == nil {
				p.same("verify "+car, p.ok("", "--store", car, "verify"), "")
			}
		}
	}
	for root := range printed {
		p.same("verify", p.ok("", "verify", root), "")
	}
	total := 0
	for _, n := range kills {
		total += n
	}
	if total == 0 || len(printed) == 0 {
		t.Errorf("%d killed, %d roots: the test has tested nothing", total, len(printed))
	}
	t.Logf("%d killed %v, %d not, %d roots", total, kills, done, len(printed))
}

// someChange makes up a command that writes. None of them removes the name m.
func (p place) someChange(random *rand.Rand) (args []string, stdin string) {
	n := random.IntN(1 << 20)
	key := fmt.Sprintf("precip/0.%d", n%1000)
	switch random.IntN(16) {
	case 0:
		return []string{"build", "--bucket-size", fmt.Sprint(1 + n%7), "--name", "m"}, lines(1000 + n%9000)
	case 1:
		var changes strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&changes, "{\"op\":\"set\",\"key\":\"%d.%d\",\"value\":%d}\n", n, i, i)
		}
		return []string{"apply", "m", "--memory", "20KiB"}, changes.String()
	case 2:
		return []string{"apply", "m"}, fmt.Sprintf("{\"op\":\"set\",\"key\":%q,\"value\":1}\n{\"op\":\"delete\",\"key\":%q}\n", key, key)
	case 3:
		return []string{"delete", "m", "--name", "less", "precip/0.1"}, ""
	case 4:
		return []string{"import", "other.car", "--name", "imported"}, ""
	case 5:
		return []string{"copy", "m", "--from", "other", "--to", ".hamt", "--name", "copied"}, ""
	case 6:
		return []string{"copy", "m", "--to", "copied.car"}, ""
	case 7:
		return []string{"export", "m", "-o", "new.car"}, ""
	case 8:
		return []string{"rebuild", "m"}, ""
	case 9:
		return []string{"create", "--name", "empty"}, ""
	case 10:
		return []string{"compact"}, ""
	case 11:
		p.ok("", "create", "--name", "gone")
		return []string{"names", "rm", "gone"}, ""
	case 12:
		return []string{"gc"}, "" // every root that is printed here has a name
	case 13:
		return []string{"fsck", "--repair"}, ""
	}
	return []string{"set", "m", fmt.Sprint(n), fmt.Sprint(n)}, ""
}

// TestReadersBesideAWriter has eight processes read what another changes: each
// sees a version that was current when it began, and none is older than the one
// before.
func TestReadersBesideAWriter(t *testing.T) {
	t.Parallel()
	length := crashTime(t, 3*time.Second)
	p := newPlace(t)
	p.root(lines(3000), "build", "--name", "m")
	p.root("", "set", "m", "version", "0")
	deadline := time.Now().Add(length)
	var reads, written atomic.Int64
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			last := int64(0)
			for n := i; time.Now().Before(deadline); n++ {
				before := written.Load()
				switch r := p.run("", "get", "m", "version"); {
				case r.status != 0:
					t.Errorf("get: %s", r.err)
				default:
					version, err := strconv.ParseInt(strings.TrimSpace(r.out), 10, 64)
					if err != nil || version < last || version < before {
						t.Errorf("get: %q after %d, when %d was written", r.out, last, before)
					}
					last = version
				}
				whole := [][]string{{"verify", "m"}, {"len", "m"}, {"entries", "m"}, {"export", "m", "-o", fmt.Sprint(i, ".car")}}
				if args := whole[n%len(whole)]; p.run("", args...).status != 0 {
					t.Errorf("%v: %s", args, p.run("", args...).err)
				}
				reads.Add(2)
			}
		})
	}
	for version := int64(1); time.Now().Before(deadline); version++ {
		p.root("", "set", "m", "version", fmt.Sprint(version))
		written.Store(version)
		switch version % 20 {
		case 5:
			p.root(fmt.Sprintf("{\"op\":\"set\",\"key\":\"k%d\",\"value\":1}\n", version), "apply", "m")
		case 10:
			p.ok("", "compact")
		case 15:
			p.root("", "rebuild", "m")
		case 0:
			p.ok("", "gc", "--keep-names")
		}
	}
	readers.Wait()
	if written.Load() == 0 || reads.Load() == 0 {
		t.Error("nothing was tested")
	}
	t.Logf("%d versions, %d reads", written.Load(), reads.Load())
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
