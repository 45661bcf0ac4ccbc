package kubo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
)

// command builds the command hamt, once for all tests here.
var command = sync.OnceValues(func() (dir string, err error) {
	dir, err = os.MkdirTemp("", "hamt-kubo-")
	if err != nil {
		return "", err
	}
	commandDir = dir
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "hamt"), "github.com/ipld-hamt/go-ipld-hamt/cmd/hamt").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, err
})

// commandDir is where it is, if any test needed it.
var commandDir string

func TestMain(m *testing.M) {
	status := m.Run()
	if commandDir != "" {
		_ = os.RemoveAll(commandDir) // nothing more can be done
	}
	os.Exit(status)
}

// machine is a place to type commands in: a directory, and the node that is the
// local one there.
type machine struct {
	t    *testing.T
	dir  string
	node *daemon.Node
}

func newMachine(t *testing.T, node *daemon.Node) machine {
	t.Helper()
	daemon.Required(t)
	return machine{t, t.TempDir(), node}
}

func (m machine) command(stdin io.Reader, name string, args ...string) (c *exec.Cmd, stdout, stderr *bytes.Buffer) {
	m.t.Helper()
	dir, err := command()
	if err != nil {
		m.t.Fatal(err)
	}
	if name == "hamt" {
		name = filepath.Join(dir, name)
	}
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	c = exec.CommandContext(m.t.Context(), name, args...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = m.dir, stdin, stdout, stderr
	c.Env = append(os.Environ(), "IPFS_PATH="+m.node.Repo(), "HAMT_STORE=", "PATH="+dir+":"+os.Getenv("PATH"))
	return c, stdout, stderr
}

// run runs hamt and gives what it prints to both streams, and its status.
func (m machine) run(stdin string, args ...string) (stdout, stderr string, status int) {
	m.t.Helper()
	c, out, errOut := m.command(strings.NewReader(stdin), "hamt", args...)
	if err := c.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		m.t.Fatalf("hamt %q: %v", args, err)
	}
	return out.String(), errOut.String(), c.ProcessState.ExitCode()
}

// ok runs hamt, wants status 0, and gives what it prints, without the last line
// break.
func (m machine) ok(stdin string, args ...string) string {
	m.t.Helper()
	out, errOut, status := m.run(stdin, args...)
	if status != 0 {
		m.t.Fatalf("hamt %q: status %d, %s", args, status, errOut)
	}
	return strings.TrimSuffix(out, "\n")
}

func lines(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "{\"key\":%q,\"value\":%d}\n", key(i), i)
	}
	return text.String()
}

// stat is what hamt stat says.
type stat struct{ Entries, Blocks, Bytes int }

func (m machine) stat(args ...string) (s stat) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.ok("", append(args, "--json")...)), &s); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// TestCommand takes a map through the command into Kubo, changes it there, and
// looks at it with Kubo's own eyes and through every store that leads to it.
func TestCommand(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	m := newMachine(t, node)
	local := m.ok(lines(3000), "build", "--bit-width", "5")
	first := m.ok(lines(3000), "--store", "kubo:", "build", "--bit-width", "5", "--pin", "--name", "state")
	if first != local {
		t.Errorf("root %s, and in the embedded store %s", first, local)
	}
	want := m.stat("stat", local)
	if got := m.stat("--store", "kubo:", "stat", "state"); got != want {
		t.Errorf("in Kubo %+v, in the embedded store %+v", got, want)
	}
	var dag struct {
		TotalSize int
		DagStats  []struct{ NumBlocks int }
	}
	if err := json.Unmarshal([]byte(node.IPFS("dag", "stat", "--progress=false", "--enc=json", first)), &dag); err != nil {
		t.Fatal(err)
	}
	if len(dag.DagStats) != 1 || dag.DagStats[0].NumBlocks != want.Blocks || dag.TotalSize != want.Bytes {
		t.Errorf("ipfs dag stat %+v, hamt stat %+v", dag, want)
	}
	if structure := node.IPFS("dag", "get", first+"/hamt"); !strings.HasPrefix(structure, "[{\"/\":{\"bytes\":") {
		t.Errorf("ipfs dag get: %.100s", structure)
	}
	if pins := node.IPFS("pin", "ls", "--names", "--type=recursive"); !strings.Contains(pins, first+" recursive state") {
		t.Errorf("the pins are %s", pins)
	}
	if names := m.ok("", "--store", "kubo:", "names"); names != "state\t"+first {
		t.Errorf("the names are %s", names)
	}

	// Changes move the name; the old root stays pinned.
	second := m.ok("", "--store", "kubo:", "set", "state", "new", "1")
	if value := m.ok("", "--store", "kubo:"+node.API, "get", "state", "new"); value != "1" {
		t.Errorf("the new value is %s", value)
	}
	third := m.ok(`{"op":"delete","key":"new"}`, "--store", "kubo:", "apply", "state")
	if third != first || second == first {
		t.Errorf("roots %s, %s, %s", first, second, third)
	}
	node.IPFS("repo", "gc", "--quiet")
	for _, root := range []string{first, second} {
		m.ok("", "--store", "kubo:", "verify", root)
	}

	entries := m.ok("", "entries", local)
	stores := []string{"kubo:", "kubo:" + node.API, "gateway:" + node.Gateway, "flatfs:" + node.Repo(), "flatfs:" + filepath.Join(node.Repo(), "blocks")}
	for _, store := range stores {
		if got := m.ok("", "--store", store, "entries", first); got != entries {
			t.Errorf("%s has other entries", store)
		}
		to := filepath.Join(m.dir, "copy-of-"+strings.ReplaceAll(store, "/", "_"))
		if root := m.ok("", "copy", first, "--from", store, "--to", to); root != first {
			t.Errorf("the copy of %s is %s", store, root)
		}
	}

	// Into Kubo from elsewhere, and no more than is missing.
	other := m.ok(lines(2000), "build", "--bit-width", "5", "--name", "other")
	missing := func() string {
		_, says, status := m.run("", "copy", "other", "--to", "kubo:", "--pin", "--name", "other")
		if status != 0 {
			t.Fatalf("status %d, %s", status, says)
		}
		return says
	}
	missing()
	if again := missing(); !strings.Contains(again, "hamt: 0 of ") {
		t.Errorf("copied again: %s", again)
	}
	node.IPFS("repo", "gc", "--quiet")
	m.ok("", "--store", "kubo:", "verify", other)
}

// TestCommandSurvivesKubo kills the daemon in the middle of a build by the
// command: no root, one line that names the node; the same command again
// finishes.
func TestCommandSurvivesKubo(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	m := newMachine(t, node)
	const n = 60_000
	input := lines(n)
	args := []string{"--store", "kubo:", "--retries", "1", "build", "--bit-width", "4"}
	c, stdout, stderr := m.command(&killing{text: strings.NewReader(input), left: len(input) - 1000, kill: node.Kill}, "hamt", args...)
	err := c.Run()
	if status := c.ProcessState.ExitCode(); status != 3 || stdout.Len() > 0 {
		t.Errorf("status %d, %v, printed %q", status, err, stdout)
	}
	said := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if last := said[len(said)-1]; !strings.Contains(last, strings.TrimPrefix(node.API, "http://")) || strings.HasPrefix(last, "hamt: warning") {
		t.Errorf("said %q", said)
	}
	node.Start()
	root := m.ok(input, args...)
	if got := m.stat("--store", "kubo:", "stat", root); got.Entries != n {
		t.Errorf("%+v", got)
	}
	m.ok("", "--store", "kubo:", "verify", root)
}

// killing kills a node before the last of a text is read.
type killing struct {
	text io.Reader
	left int
	kill func()
	once sync.Once
}

func (k *killing) Read(p []byte) (int, error) {
	if k.left <= 0 {
		k.once.Do(k.kill)
	}
	n, err := k.text.Read(p[:min(len(p), 4096)])
	k.left -= n
	return n, err
}

// TestCopyGoesOn breaks off copies into Kubo, by the death of the gateway they
// come from and by Ctrl-C. What came is there, however little it is, and the next
// copy asks for the rest alone.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	from, to := daemon.Start(t, nil), daemon.Start(t, nil)
	m := newMachine(t, from)
	root := m.ok(lines(5000), "--store", "kubo:", "build", "--bit-width", "5")
	blocks := m.stat("--store", "kubo:", "stat", root).Blocks
	behind, err := url.Parse(from.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	var most atomic.Int64 // requests that are answered
	var over func()       // done with one more
	gateway := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if asked.Add(1) > most.Load() {
				over()
			}
			r.SetURL(behind)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	defer gateway.Close()
	broken := func(status int, begun func(c *exec.Cmd)) {
		t.Helper()
		asked.Store(0)
		c, stdout, stderr := m.command(nil, "hamt", "copy", root, "--from", "gateway:"+gateway.URL, "--to", "kubo:"+to.API, "--retries", "0")
		begun(c)
		if err := c.Run(); c.ProcessState.ExitCode() != status || stdout.Len() > 0 {
			t.Errorf("%v, printed %q, said %q", err, stdout, stderr)
		}
	}
	most.Store(200)
	broken(3, func(*exec.Cmd) { over = func() { panic(http.ErrAbortHandler) } })
	broken(130, func(c *exec.Cmd) {
		over = sync.OnceFunc(func() {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
		})
	})
	asked.Store(0)
	most.Store(math.MaxInt64)
	m.ok("", "copy", root, "--from", "gateway:"+gateway.URL, "--to", "kubo:"+to.API)
	// Of those that were in flight when it broke off, some were lost.
	if n := int(asked.Load()); n > blocks-2*200+2*64 {
		t.Errorf("%d blocks were asked for in the end, of %d", n, blocks)
	}
	m.ok("", "--store", "kubo:"+to.API, "verify", root)
}

// TestChangeOfPeersMap changes a map at a node that has none of it: without a pin
// it fetches what the change needs, with one, or a name, all of it, before the
// root is printed.
func TestChangeOfPeersMap(t *testing.T) {
	t.Parallel()
	first, second := daemon.Start(t, nil), daemon.Start(t, nil)
	second.Connect(first)
	m := newMachine(t, second)
	root := m.ok(lines(3000), "--store", "kubo:"+first.API, "build", "--bit-width", "5")
	blocks := m.stat("--store", "kubo:"+first.API, "stat", root).Blocks
	before := objects(t, second)
	m.ok("", "--store", "kubo:", "set", root, "new", "1")
	if n := objects(t, second) - before; n > 10 {
		t.Errorf("a change took %d blocks", n)
	}
	changed := m.ok("", "--store", "kubo:", "set", root, "new", "2", "--pin", "--name", "state")
	if n := objects(t, second) - before; n < blocks {
		t.Errorf("the node has %d blocks of %d", n, blocks)
	}
	first.Kill()
	m.ok("", "--store", "kubo:", "verify", changed)
}

// TestReadAhead reads a map from a node that takes a while for each request: with
// many of them in flight, over connections that are kept, that is no hindrance.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	m := newMachine(t, node)
	root := m.ok(lines(10_000), "--store", "kubo:", "build", "--bit-width", "5")
	blocks := m.stat("--store", "kubo:", "stat", root).Blocks
	api, err := url.Parse(node.API)
	if err != nil {
		t.Fatal(err)
	}
	const delay = 50 * time.Millisecond
	var asked, flying, most, opened atomic.Int64
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }}
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		now := flying.Add(1)
		defer flying.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		time.Sleep(delay)
		forward.ServeHTTP(w, r)
	}))
	far.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	far.Start()
	defer far.Close()
	for _, verb := range []string{"keys", "len", "verify", "export", "copy"} {
		args := []string{"--store", "kubo:" + far.URL, verb, root}
		switch verb {
		case "export":
			args = append(args, "-o", "out.car")
		case "copy":
			args = append(args, "--to", "copy")
		}
		asked.Store(0)
		opened.Store(0)
		began := time.Now()
		m.ok("", args...)
		if took, sequential := time.Since(began), time.Duration(blocks)*delay; took > sequential/5 {
			t.Errorf("%s took %v, and one block after the other takes %v", verb, took, sequential)
		}
		if int(asked.Load()) != blocks || opened.Load() > 2*64 {
			t.Errorf("%s: %d requests for %d blocks, over %d connections", verb, asked.Load(), blocks, opened.Load())
		}
	}
	if most.Load() > 64 {
		t.Errorf("%d requests in flight", most.Load())
	}
}

// TestExamples runs the examples in the help of all verbs that need a node, in the
// order of the help: export is the last, since ipfs dag import takes the name from
// a pin that has one. TestScript in cmd/hamt runs the others.
func TestExamples(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	m := newMachine(t, node)
	people := m.ok(`{"key":"Alice","value":1}`, "build", "--name", "people")
	m.ok("", "copy", "people", "--to", "kubo:", "--pin", "--name", "people")

	var verbs []string
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z]+)  `).FindAllStringSubmatch(m.ok("", "--help"), -1) {
		verbs = append(verbs, match[1])
	}
	printed := map[string]string{}
	for _, verb := range verbs {
		_, after, _ := strings.Cut(m.ok("", verb, "--help"), "Examples:\n")
		examples, _, _ := strings.Cut(after, "\n\n")
		for line := range strings.Lines(examples) {
			line = strings.TrimSpace(line)
			if !strings.Contains(line, "ipfs ") && !strings.Contains(line, "kubo:") {
				continue
			}
			shell := node.Shell("PATH=$HAMT:$PATH\n" + line)
			shell.Dir = m.dir
			shell.Env = append(shell.Env, "HAMT="+commandDir, "HAMT_STORE=")
			out, err := shell.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
			printed[verb] += string(out)
		}
	}
	for verb, want := range map[string]string{"copy": people, "export": people, "get": "1"} {
		if !strings.Contains(printed[verb], want) {
			t.Errorf("the examples of %s print %q, without %s", verb, printed[verb], want)
		}
	}
}

// TestReadme runs the commands of the README's page about publishing, as they
// are written but for the gateway's port: the first on one machine, the others
// on another.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, ok := strings.Cut(string(readme), "\n## Publish a map to IPFS")
	if !ok {
		t.Fatal("the page is not there")
	}
	page, _, _ = strings.Cut(page, "\n## ")
	var commands []string
	for _, block := range strings.Split(page, "```sh\n")[1:] {
		command, _, _ := strings.Cut(block, "\n```")
		commands = append(commands, command)
	}
	if len(commands) != 3 {
		t.Fatalf("%d commands: %q", len(commands), commands)
	}
	one, two := daemon.Start(t, nil), daemon.Start(t, nil)
	two.Connect(one)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const rabbit = `[{"column":`
	for i, command := range commands {
		m := newMachine(t, two)
		if i == 0 {
			m.node = one
			m.dir = root
		}
		command = strings.ReplaceAll(command, "http://127.0.0.1:8080", two.Gateway)
		c, stdout, stderr := m.command(nil, "sh", "-c", command)
		if err := c.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, stderr)
		}
		if i == 0 && !strings.Contains(page, "`"+strings.TrimSpace(stdout.String())+"`") {
			t.Errorf("%s printed %s, and the page says another root", command, stdout)
		}
		if i > 0 && !strings.HasPrefix(stdout.String(), rabbit) {
			t.Errorf("%s printed %s", command, stdout)
		}
		if received, _ := two.Received(); i == 1 && !strings.Contains(strings.Join(strings.Fields(page), " "), fmt.Sprintf("moves the blocks on the way to that key, %s of 36", number(received))) {
			t.Errorf("%d blocks were moved, and the page says another number", received)
		}
	}
}

func number(n int) string { return []string{"none", "one", "two", "three", "four"}[min(n, 4)] }
