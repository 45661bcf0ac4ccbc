package kubo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
)

// shelf is a map in a node, and what hangs on it:
//
//	root (a HAMT of many blocks)
//	├── dir      link ── UnixFS directory
//	│                    ├── hello.txt
//	│                    └── secret.txt
//	├── inner    link ── HAMT of many blocks
//	│                    ├── dir ── the same directory
//	│                    ├── deep      {"a":[7]}
//	│                    └── precip/…
//	├── Rabbit           [{"column":22,"line":1}]
//	└── precip/0.0, precip/0.1 …
type shelf struct {
	root, inner *adl.Node
	dir         cid.Cid
	files       []string // CIDs
}

const hello, secret = "Hello, Alice!\n", "down the rabbit hole\n"

func newShelf(t *testing.T, node *daemon.Node) (s shelf) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"hello.txt": hello, "secret.txt": secret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	added := node.IPFS("add", "--recursive", "--quieter", "--cid-version=1", "--pin=false", dir)
	var err error
	if s.dir, err = cid.Decode(added); err != nil {
		t.Fatal(err)
	}
	s.files = strings.Fields(node.IPFS("refs", added))

	store := open(t, node.API, kubo.Options{})
	build := func(entries map[string]datamodel.Node) *adl.Node {
		txn, err := usual.prototype(store.LinkSystem()).NewTxn()
		if err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			entries[key(i)] = basicnode.NewInt(int64(i))
		}
		for key, value := range entries {
			if err := txn.SetString(key, value); err != nil {
				t.Fatal(err)
			}
		}
		m, link, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Publish(t.Context(), cidOf(link)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	s.inner = build(map[string]datamodel.Node{"dir": linkTo(s.dir), "deep": decode(t, `{"a":[7]}`)})
	s.root = build(map[string]datamodel.Node{
		"dir": linkTo(s.dir), "inner": linkTo(root(t, s.inner)), "Rabbit": decode(t, `[{"column":22,"line":1}]`),
	})
	return s
}

func linkTo(c cid.Cid) datamodel.Node { return basicnode.NewLink(cidlink.Link{Cid: c}) }

func decode(t *testing.T, json string) datamodel.Node {
	t.Helper()
	nb := basicnode.Prototype.Any.NewBuilder()
	if err := dagjson.Decode(nb, strings.NewReader(json)); err != nil {
		t.Fatal(err)
	}
	return nb.Build()
}

// all are the CIDs of everything on the shelf, sorted.
func (s shelf) all(t *testing.T) []string {
	t.Helper()
	all := append([]string{s.dir.String()}, s.files...)
	for _, link := range slices.Concat(blocks(t, s.root), blocks(t, s.inner)) {
		all = append(all, link.String())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// inBlock is where the value of a key stands, as a path under the block that
// holds it, which is not the root.
func inBlock(t *testing.T, m *adl.Node, key string) string {
	t.Helper()
	location, err := m.LocateString(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(location.Blocks) < 2 {
		t.Fatalf("%s is in the root block", key)
	}
	segments := strings.Split(location.Path.String(), "/")
	return strings.Join(append([]string{location.Block().String()}, segments[len(segments)-4:]...), "/")
}

// TestPlugin: Kubo with the plugin goes on with a key where a map would be, in
// its commands and its gateway; without, it does not.
func TestPlugin(t *testing.T) {
	t.Parallel()
	node := daemon.WithPlugin.Start(t, nil)
	s := newShelf(t, node)
	c := root(t, s.root).String()
	rabbit, deep := inBlock(t, s.root, "Rabbit"), inBlock(t, s.inner, "deep")
	commands := []struct{ args, want string }{
		{"resolve /ipld/ROOT/Rabbit", "/ipld/" + rabbit},
		{"resolve /ipld/ROOT/Rabbit/0/line", "/ipld/" + rabbit + "/0/line"},
		{"resolve /ipld/ROOT/inner", "/ipld/" + root(t, s.inner).String()},
		{"resolve /ipld/ROOT/inner/deep/a", "/ipld/" + deep + "/a"},
		{"resolve /ipfs/ROOT/dir", "/ipfs/" + s.dir.String()},
		{"dag get ROOT/Rabbit", `[{"column":22,"line":1}]`},
		{"dag get ROOT/Rabbit/0/line", "1"},
		{"dag get /ipld/ROOT/Rabbit/0/line", "1"},
		{"dag get ROOT/inner/deep", `{"a":[7]}`},
		{"dag get ROOT/inner/deep/a/0", "7"},
		{"cat /ipfs/ROOT/dir/hello.txt", strings.TrimSuffix(hello, "\n")},
		{"cat /ipfs/ROOT/inner/dir/hello.txt", strings.TrimSuffix(hello, "\n")},
		{"--offline cat /ipfs/ROOT/dir/hello.txt", strings.TrimSuffix(hello, "\n")},
		{"ls /ipfs/ROOT/dir", strings.TrimSuffix(node.IPFS("ls", s.dir.String()), "\n")},
	}
	run := func(args string) (string, error) {
		return node.TryIPFS(strings.Split(strings.ReplaceAll(args, "ROOT", c), " ")...)
	}
	for _, test := range commands {
		if got, err := run(test.args); err != nil || got != test.want {
			t.Errorf("ipfs %s: %q, want %q, %v", test.args, got, test.want, err)
		}
	}
	for _, args := range []string{"resolve /ipld/ROOT/Hatter", "dag get ROOT/Hatter", "dag get ROOT/inner/Rabbit", "dag get ROOT/Rabbit/1", "cat /ipfs/ROOT/dir/nothing", "cat /ipfs/ROOT/Hatter/hello.txt"} {
		if got, err := run(args); err == nil {
			t.Errorf("ipfs %s: %q, and nothing is there", args, got)
		}
	}
	// What is no key is what it was.
	if got, err := run("dag get ROOT"); err != nil || !strings.HasPrefix(got, `{"bucketSize":3,"hamt":[`) {
		t.Errorf("ipfs dag get ROOT: %.60q, %v", got, err)
	}

	gateway := func(n *daemon.Node, path string) (int, string) {
		response, err := http.Get(n.Gateway + "/ipfs/" + c + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for path, want := range map[string]string{"dir/hello.txt": hello, "inner/dir/hello.txt": hello} {
		if status, body := gateway(node, path); status != http.StatusOK || body != want {
			t.Errorf("gateway, %s: %d %q", path, status, body)
		}
	}
	for _, path := range []string{"Hatter", "dir/nothing", "inner/nothing/hello.txt"} {
		if status, body := gateway(node, path); status != http.StatusNotFound {
			t.Errorf("gateway, %s: %d %q", path, status, body)
		}
	}
	// For Kubo's gateway a value is a block; in any other DAG-CBOR it says the same.
	if status, body := gateway(node, "Rabbit"); status != http.StatusNotImplemented || !strings.Contains(body, rabbit) {
		t.Errorf("gateway, Rabbit: %d %q", status, body)
	}

	// A command without a daemon follows links, too.
	node.Kill()
	if got, err := run("cat /ipfs/ROOT/dir/hello.txt"); err != nil || got != strings.TrimSuffix(hello, "\n") {
		t.Errorf("ipfs cat without a daemon: %q, %v", got, err)
	}

	// A gateway that fetches nothing has resolvers of its own.
	node.IPFS("config", "--json", "Gateway.NoFetch", "true")
	denied(t, node, "/ipfs/"+c+"/dir/secret.txt")
	node.Start()
	if status, body := gateway(node, "dir/hello.txt"); status != http.StatusOK || body != hello {
		t.Errorf("gateway that fetches nothing: %d %q", status, body)
	}

	// Content that is blocked stays so.
	if status, body := gateway(node, "dir/secret.txt"); status != http.StatusGone || strings.Contains(body, secret) {
		t.Errorf("gateway, blocked content: %d %q", status, body)
	}
	if got, err := run("cat /ipfs/ROOT/dir/secret.txt"); err == nil || !strings.Contains(err.Error(), "blocked") {
		t.Errorf("ipfs cat of blocked content: %q, %v", got, err)
	}

	plain := daemon.Start(t, nil)
	newShelf(t, plain)
	for _, args := range []string{"resolve /ipld/" + c + "/Rabbit", "dag get " + c + "/Rabbit/0/line", "cat /ipfs/" + c + "/dir/hello.txt"} {
		if got, err := plain.TryIPFS(strings.Split(args, " ")...); err == nil {
			t.Errorf("without the plugin, ipfs %s: %q", args, got)
		}
	}
}

// denied tells a node that is not running to block a path.
func denied(t *testing.T, node *daemon.Node, path string) {
	t.Helper()
	file := filepath.Join(node.Repo(), "denylists", "test.deny")
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("version: 1\nname: test\n---\n"+path+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestPluginPins: a pin holds, and the node provides, every block, as without
// the plugin. Kubo walks what is pinned with its offline fetcher to provide it,
// and a walk through a map does not see the map's blocks: with the plugin's
// eyes that fetcher would provide the root and no other block of the map.
func TestPluginPins(t *testing.T) {
	t.Parallel()
	for _, k := range []daemon.Kubo{daemon.Plain, daemon.WithPlugin} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			node := k.Start(t, daemon.Settings{"Routing.Type": "dhtserver", "Provide.Strategy": "pinned"})
			s := newShelf(t, node)
			root, all := root(t, s.root).String(), s.all(t)
			node.IPFS("pin", "add", root)
			node.IPFS("repo", "gc", "--quiet")

			held := strings.Fields(node.IPFS("pin", "ls", "--type=indirect", "--quiet"))
			held = append(held, root)
			slices.Sort(held)
			if !slices.Equal(held, all) {
				t.Errorf("%d blocks are pinned, want %d", len(held), len(all))
			}
			refs := append(strings.Fields(node.IPFS("refs", "--recursive", "--unique", root)), root)
			slices.Sort(refs)
			if !slices.Equal(refs, all) {
				t.Errorf("ipfs refs: %d blocks, want %d", len(refs), len(all))
			}

			// It makes the list of what is to be provided when it starts.
			node.Kill()
			node.Start()
			want := len(all) + 1 // emptyDir
			for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
				got := scheduled(t, node)
				if got == want {
					break
				}
				if time.Since(begun) > 20*time.Second {
					t.Fatalf("%d blocks are provided, want %d", got, want)
				}
			}
		})
	}
}

// scheduled is how many blocks a node is to provide, again and again.
func scheduled(t *testing.T, node *daemon.Node) int {
	t.Helper()
	var stat struct {
		Sweep struct {
			Schedule struct{ Keys int }
		}
	}
	if err := json.Unmarshal([]byte(node.IPFS("provide", "stat", "--enc=json")), &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Sweep.Schedule.Keys
}
