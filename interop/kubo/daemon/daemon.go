// Package daemon runs Kubo nodes for tests: in repositories of their own, on
// loopback ports that the system chooses, without bootstrap peers, discovery,
// routing or telemetry, so that nothing leaves the machine. They are gone when
// the test is over.
package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Version is the Kubo that is run: the one in node/go.mod, where the build
// script takes it from.
const Version = "v0.42.0"

// startTime is how long a daemon may take until it is ready.
const startTime = 60 * time.Second

// Kubo is one of those that the build script builds, by the name of its file.
type Kubo string

const (
	Plain      Kubo = "ipfs-" + Version      // as it is released
	WithPlugin Kubo = "ipfs-hamt-" + Version // of plugin/cmd
)

// binary is where the build script puts it.
func (k Kubo) binary() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", ".built", string(k))
}

// required skips a test where Kubo is not built; where the environment variable
// HAMT_REQUIRE_KUBO is set, as in CI, that is a failure.
func (k Kubo) required(t testing.TB) {
	t.Helper()
	_, err := os.Stat(k.binary())
	switch {
	case err == nil:
	case os.Getenv("HAMT_REQUIRE_KUBO") != "":
		t.Fatalf("%s is not built: run interop/kubo/build (%v)", k, err)
	default:
		t.Skipf("%s is not built: run interop/kubo/build", k)
	}
}

// Required skips a test of the plain Kubo where that is not built.
func Required(t testing.TB) {
	t.Helper()
	Plain.required(t)
}

// Node is a Kubo node and its daemon. It is for the goroutine of its test; others
// may call Kill.
type Node struct {
	// API and Gateway are the URLs of the running daemon. They change with
	// every start.
	API, Gateway string

	t      testing.TB
	kubo   Kubo
	repo   string
	output *output

	mu     sync.Mutex
	daemon *exec.Cmd // nil while none is running
	ended  chan struct{}
}

// Settings are configuration keys of Kubo and what to set them to.
type Settings map[string]any

// Start makes a node of the plain Kubo and runs its daemon.
func Start(t testing.TB, settings Settings) *Node {
	t.Helper()
	return Plain.Start(t, settings)
}

// Start makes a node and runs its daemon.
func (k Kubo) Start(t testing.TB, settings Settings) *Node {
	t.Helper()
	n := k.New(t, settings)
	n.Start()
	return n
}

// New makes a node whose daemon is not running.
func (k Kubo) New(t testing.TB, settings Settings) *Node {
	t.Helper()
	k.required(t)
	n := &Node{t: t, kubo: k, repo: t.TempDir()}
	n.IPFS("init", "--profile=test")
	n.set(Settings{"Routing.Type": "none", "HTTPRetrieval.Enabled": false, "Plugins.Plugins.telemetry.Disabled": true})
	n.set(settings)
	t.Cleanup(n.end)
	return n
}

func (n *Node) set(settings Settings) {
	n.t.Helper()
	for key, value := range settings {
		text, err := json.Marshal(value)
		if err != nil {
			n.t.Fatal(err)
		}
		n.IPFS("config", "--json", key, string(text))
	}
}

// Repo is the directory of the node's repository.
func (n *Node) Repo() string { return n.repo }

// command is the ipfs command on the node's repository, which goes to the
// daemon where it is running.
func (n *Node) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, n.kubo.binary(), args...)
	command.Env = n.env()
	return command
}

func (n *Node) env() []string {
	return append(os.Environ(), "IPFS_PATH="+n.repo, "IPFS_TELEMETRY=off")
}

// Shell returns a command that runs a script in which ipfs is the ipfs command on
// the node.
func (n *Node) Shell(script string) *exec.Cmd {
	n.t.Helper()
	bin := n.t.TempDir()
	if err := os.Symlink(n.kubo.binary(), filepath.Join(bin, "ipfs")); err != nil {
		n.t.Fatal(err)
	}
	shell := exec.CommandContext(n.t.Context(), "sh", "-c", script)
	shell.Env = append(n.env(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return shell
}

// IPFS runs the ipfs command on the node, and returns what it prints to stdout,
// without the last line break. An error ends the test.
func (n *Node) IPFS(args ...string) string {
	n.t.Helper()
	stdout, err := n.TryIPFS(args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return stdout
}

// TryIPFS is IPFS where an error is not the end; it has what is printed to stderr.
func (n *Node) TryIPFS(args ...string) (string, error) {
	var stderr bytes.Buffer
	command := n.command(context.Background(), args...)
	command.Stderr = &stderr
	stdout, err := command.Output()
	if err != nil {
		err = fmt.Errorf("ipfs %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSuffix(string(stdout), "\n"), err
}

// Start runs the daemon and waits until it is ready.
func (n *Node) Start() {
	n.t.Helper()
	// A daemon that was killed leaves its addresses behind.
	for _, file := range []string{"api", "gateway"} {
		if err := os.RemoveAll(filepath.Join(n.repo, file)); err != nil {
			n.t.Fatal(err)
		}
	}
	n.output = &output{ready: make(chan struct{})}
	ended := n.run()
	select {
	case <-n.output.ready:
	case <-ended:
		n.t.Fatal("the daemon has ended")
	case <-time.After(startTime):
		n.t.Fatalf("the daemon is not ready after %v", startTime)
	}
	n.API, n.Gateway = "http://"+hostPort(n.address("api")), n.address("gateway")
}

// run starts the daemon.
func (n *Node) run() (ended <-chan struct{}) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	daemon := n.command(context.Background(), "daemon")
	daemon.Stdout, daemon.Stderr = n.output, n.output
	dieWithParent(daemon)
	if err := daemon.Start(); err != nil {
		n.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		_ = daemon.Wait() // it is killed in the end
		close(over)
	}()
	n.daemon, n.ended = daemon, over
	return over
}

// address is what the daemon wrote about where it listens.
func (n *Node) address(file string) string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.repo, file))
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// hostPort makes 127.0.0.1:5001 of /ip4/127.0.0.1/tcp/5001.
func hostPort(multiaddr string) string {
	parts := strings.Split(multiaddr, "/")
	return parts[2] + ":" + parts[4]
}

// Kill ends the daemon at once, as kill -9 does it. The repository stays.
func (n *Node) Kill() {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.daemon == nil {
		return
	}
	if err := n.daemon.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Error(err)
	}
	<-n.ended
	n.daemon = nil
}

// end ends the daemon when the test is over. What it said is shown where the
// test has failed.
func (n *Node) end() {
	n.Kill()
	if n.t.Failed() && n.output != nil {
		n.t.Logf("the daemon of %s said:\n%s", n.API, n.output)
	}
}

// Connect connects the node to another one.
func (n *Node) Connect(other *Node) {
	n.t.Helper()
	var id struct{ Addresses []string }
	if err := json.Unmarshal([]byte(other.IPFS("id")), &id); err != nil {
		n.t.Fatal(err)
	}
	if len(id.Addresses) == 0 {
		n.t.Fatal("the other node has no address")
	}
	n.IPFS("swarm", "connect", id.Addresses[0])
}

// Received is how many blocks the node has had from other nodes so far, and how
// many of them it had already.
func (n *Node) Received() (blocks, twice int) {
	n.t.Helper()
	var stat struct{ BlocksReceived, DupBlksReceived int }
	if err := json.Unmarshal([]byte(n.IPFS("bitswap", "stat", "--enc=json")), &stat); err != nil {
		n.t.Fatal(err)
	}
	return stat.BlocksReceived, stat.DupBlksReceived
}

// output is what a daemon says.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{} // closed when it says so
	said  bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if !o.said && bytes.Contains(o.text.Bytes(), []byte("Daemon is ready")) {
		o.said = true
		close(o.ready)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprint(&o.text)
}
