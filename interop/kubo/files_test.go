package kubo_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
)

// TestFileValues: values that hamt keeps in files are those that the node itself makes
// of the same bytes, and each reads the other's.
func TestFileValues(t *testing.T) {
	node := daemon.Start(t, nil)
	m := newMachine(t, node)
	random := rand.New(rand.NewPCG(1, 2))
	const chunk = 256 << 10
	m.ok("", "--store", "kubo:", "create", "--pin", "--name", "files")
	contents := map[string][]byte{}
	for _, length := range []int{2000, chunk, chunk + 1, 10*chunk + 17, 174*chunk + 1} {
		content := make([]byte, length)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		file := filepath.Join(m.dir, fmt.Sprint(length))
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		contents[fmt.Sprint(length)] = content
		m.ok("", "--store", "kubo:", "set", "files", fmt.Sprint(length), "--file-values", "--bytes", "@"+file, "--pin")
		added := strings.TrimSpace(node.IPFS("add", "--quieter", "--cid-version", "1", "--pin=false", file))
		if got := m.ok("", "--store", "kubo:", "get", "files", fmt.Sprint(length), "--raw"); got != added {
			t.Errorf("%d bytes: %s, and ipfs add prints %s", length, got, added)
		}
		// Other options make another file of it, which is read all the same.
		other := strings.TrimSpace(node.IPFS("add", "--quieter", "--trickle", "--chunker=size-100000", "--pin=false", file))
		m.ok("", "--store", "kubo:", "set", "files", "other"+fmt.Sprint(length), fmt.Sprintf(`{"/":%q}`, other), "--pin")
		contents["other"+fmt.Sprint(length)] = content
	}
	for key, want := range contents {
		got := m.ok("", "--store", "kubo:", "get", "files", key, "--follow", "--raw", "-o", "back")
		back, err := os.ReadFile(filepath.Join(m.dir, "back"))
		if err != nil || got != "" || !bytes.Equal(back, want) {
			t.Errorf("%s: %d bytes back, %v; want %d", key, len(back), err, len(want))
		}
		link := m.ok("", "--store", "kubo:", "get", "files", key, "--raw")
		if cat := node.IPFS("cat", link); cat != string(want) {
			t.Errorf("%s: ipfs cat prints %d bytes, want %d", key, len(cat), len(want))
		}
	}
	// The pin of the map holds them.
	node.IPFS("repo", "gc", "--quiet")
	m.ok("", "--store", "kubo:", "get", "files", fmt.Sprint(174*chunk+1), "--follow", "--raw", "-o", "back")
}
