//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestGCKilled kills gc at random moments, between changes, and wants all that a name
// stands for, and has stood for, to be whole; and in the end nothing else to be left.
func TestGCKilled(t *testing.T) {
	t.Parallel()
	length := crashTime(t, 4*time.Second)
	p := newPlace(t)
	p.root(lines(2000), "build", "--bit-width", "4", "--name", "m")
	begin := time.Now()
	p.ok("", "gc")
	usual := time.Since(begin)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kills, done := 0, 0
	// Where a machine is so busy that none was killed in time, some more.
	for deadline := time.Now().Add(length); time.Now().Before(deadline) || kills == 0 && done < 100; {
		n := random.IntN(1 << 20)
		switch random.IntN(4) {
		case 0:
			p.root(lines(500+n%2000), "build", "--bucket-size", fmt.Sprint(1+n%7)) // without a name
		case 1:
			p.root(lines(500+n%2000), "build", "--bucket-size", fmt.Sprint(1+n%7), "--name", "other")
		default:
			p.root("", "set", "m", fmt.Sprint(n), fmt.Sprint(n))
		}
		args := []string{"gc"}
		if random.IntN(3) == 0 {
			args = append(args, "--keep-names")
		}
		if _, killed := p.killed(time.Duration(random.Int64N(int64(2*usual))), "", args...); killed {
			kills++
		} else {
			done++
		}
		for line := range strings.Lines(p.ok("", "names")) {
			name, _, _ := strings.Cut(line, "\t")
			moves := strings.Split(strings.TrimSpace(p.ok("", "names", "log", name)), "\n")
			for range 2 { // of them
				fields := strings.Split(moves[random.IntN(len(moves))], "\t")
				p.same("verify", p.ok("", "verify", fields[1]), "")
			}
			p.same("verify", p.ok("", "verify", name), "")
		}
	}
	if kills == 0 {
		t.Error("no gc was killed: the test has tested nothing")
	}
	t.Logf("%d killed, %d not", kills, done)
	p.ok("", "names", "rm", "m")
	if strings.Contains(p.ok("", "names"), "other") {
		p.ok("", "names", "rm", "other")
	}
	p.ok("", "gc", "--force")
	p.isEmpty(".hamt/packs")
	p.same("fsck", p.ok("", "fsck"), "")
}
