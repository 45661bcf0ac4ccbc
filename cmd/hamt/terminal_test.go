//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/creack/pty"
)

// inTerminal runs the command in a terminal, and returns what is written to it.
// Where out is nil, that is also what the command prints.
func (p place) inTerminal(out io.Writer, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := p.command(ctx, args...)
	terminal, end, err := pty.Open()
	if err != nil {
		p.t.Fatal(err)
	}
	defer terminal.Close()
	c.Stdin, c.Stdout, c.Stderr = end, out, end
	if out == nil {
		c.Stdout = end
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	if err := end.Close(); err != nil { // the command has its own
		p.t.Error(err)
	}
	var text bytes.Buffer
	_, _ = io.Copy(&text, terminal) // which ends with an error of its own
	if err := c.Wait(); err != nil {
		p.t.Errorf("hamt %q: %v, %q", args, err, text.String())
	}
	return text.String()
}

// seen is a bar at one moment.
type seen struct{ done, total int }

var barText = regexp.MustCompile(`\((\d+)/(\d+)`)

func bars(text string) (all []seen) {
	for _, found := range barText.FindAllStringSubmatch(text, -1) {
		done, _ := strconv.Atoi(found[1])  // digits
		total, _ := strconv.Atoi(found[2]) // digits
		all = append(all, seen{done, total})
	}
	return all
}

// TestProgress: over a gateway with a latency, whatever goes through a whole map
// shows a bar that knows how far it is, moves, and is gone in the end.
func TestProgress(t *testing.T) {
	t.Parallel() // it waits more than it computes
	p := newPlace(t)
	root := p.root(lines(20_000), "build", "--bit-width", "5")
	blocks := p.blocks(root)
	singly, trees := p.serve(root), p.serve(root)
	singly.delay.Store(int64(100 * time.Millisecond))
	trees.trees.Store(true)
	trees.drip.Store(int64(8 * time.Millisecond))
	for _, c := range []struct {
		name string
		g    *gateway
		args []string
	}{
		{"keys", singly, []string{"keys", root}},
		{"len", singly, []string{"len", root}},
		{"verify", singly, []string{"verify", root}},
		{"export", singly, []string{"export", root, "-o", "out.car"}},
		{"copy", singly, []string{"copy", root, "--to", "singly"}},
		{"copy of trees", trees, []string{"copy", root, "--to", "trees"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := p
			p.t = t
			text := p.inTerminal(io.Discard, append(c.args, "--store", "gateway:"+c.g.url)...)
			all := bars(text)
			if len(all) < 5 {
				t.Fatalf("no bar: %q", text)
			}
			for i, bar := range all {
				if off := float64(bar.total)/float64(blocks) - 1; off < -0.15 || off > 0.15 {
					t.Errorf("there are %d blocks, and the bar says %d", blocks, bar.total)
				}
				if i > 0 && bar.done < all[i-1].done {
					t.Errorf("the bar goes back from %d to %d", all[i-1].done, bar.done)
				}
			}
			if first, last := all[0], all[len(all)-1]; first.done > first.total*3/4 || last.done < last.total/2 {
				t.Errorf("the bar goes from %v to %v", first, last)
			}
			if left := screen(text); strings.Contains(left, "%") {
				t.Errorf("a bar is left: %q", left)
			}
		})
	}
}

// screen is what is to be seen when a text was written to a terminal: where a
// line begins anew it covers what was there.
func screen(text string) string {
	var out strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		var shown []rune
		for part := range strings.SplitSeq(line, "\r") {
			shown = append([]rune(part), shown[min(len(shown), len([]rune(part))):]...)
		}
		fmt.Fprintln(&out, strings.TrimRight(string(shown), " "))
	}
	return strings.TrimRight(out.String(), "\n")
}

// TestLinesBesideBar: results and words for people are whole lines, whatever the
// bar does in the same terminal.
func TestLinesBesideBar(t *testing.T) {
	t.Parallel() // it waits more than it computes
	p := newPlace(t)
	root := p.root(lines(20_000), "build", "--bit-width", "5")
	g := p.serve(root)
	g.delay.Store(int64(100 * time.Millisecond))
	want := strings.TrimRight(p.ok("", "keys", root), "\n")
	text := p.inTerminal(nil, "keys", root, "--store", "gateway:"+g.url)
	if len(bars(text)) < 5 {
		t.Error("no bar")
	}
	if got := screen(text); got != want {
		t.Errorf("%d bytes are to be seen, and not %d", len(got), len(want))
	}

	g.answers(func(w http.ResponseWriter, _ *http.Request, n int64) bool {
		if n%200 == 0 {
			w.Header().Set("Retry-After", "0")
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
		return n%200 == 0
	})
	text = p.inTerminal(nil, "len", root, "--store", "gateway:"+g.url)
	said := strings.Split(screen(text), "\n")
	for i, line := range said {
		if i < len(said)-1 && !strings.HasPrefix(line, "hamt: warning: ") || i == len(said)-1 && line != "20000" {
			t.Errorf("a line that is not whole: %q", line)
		}
	}
	if len(said) < 3 || len(bars(text)) < 5 {
		t.Errorf("no warnings, or no bar: %q", said)
	}
}

// TestCARToTerminal: a CAR is not written to a terminal. In scripts stdout is
// never one.
func TestCARToTerminal(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(1), "build")
	terminal, end, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer end.Close()
	c := p.command(t.Context(), "export", root, "-o", "-")
	var said bytes.Buffer
	c.Stdout, c.Stderr = end, &said
	if err := c.Run(); c.ProcessState.ExitCode() != 2 || !strings.Contains(said.String(), "nothing for a terminal") {
		t.Errorf("%v, %s", err, &said)
	}
}

// TestNothingObeyed: of what a map holds, a terminal obeys nothing. In a pipe
// values are what DAG-JSON makes of them.
func TestNothingObeyed(t *testing.T) {
	p := newPlace(t)
	const odd = `{"key":"a\u009b31m\u001b[31m","value":"\u0085x\u007f\u202e"}` + "\n"
	root := p.root(odd, "build")
	for _, args := range [][]string{
		{"keys", root}, {"keys", "--json", root}, {"values", root}, {"entries", root}, {"get", root, "a\u009b31m\x1b[31m"},
	} {
		text := strings.ReplaceAll(p.inTerminal(nil, args...), "\r\n", "\n")
		if text == "" || strings.ContainsFunc(strings.TrimSuffix(text, "\n"), func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) {
			t.Errorf("hamt %q: %q", args, text)
		}
	}
	shown := strings.ReplaceAll(p.inTerminal(nil, "entries", root), "\r\n", "\n")
	p.same("the root of what is shown", p.root(shown, "build"), root)
	p.same("the root of what is piped", p.root(p.ok("", "entries", root), "build"), root)
}
