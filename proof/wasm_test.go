package proof_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestWebAssembly compiles a verifier to WebAssembly and runs it under Node: proofs are
// checked in browsers, too.
func TestWebAssembly(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	dir := t.TempDir()
	verifier := filepath.Join(dir, "check.wasm")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", verifier, "./testdata/wasm")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	goroot := strings.TrimSpace(string(hamttest.Must(exec.Command("go", "env", "GOROOT").Output())))

	s, root := hamttest.Stored(t, params.Default(), hamttest.Numbered(2000))
	m := hamttest.Load(t, s, root)
	car := prove(t, m, []byte("key-7"), []byte("absent"), []byte("key-1999"))
	altered := slices.Clone(car)
	altered[len(altered)/2] ^= 1
	for _, test := range []struct {
		name string
		car  []byte
		keys []string
		want string
	}{
		{"proven", car, []string{"key-7", "absent", "key-1999"}, "07\nabsent\n1907cf\n"},
		{"altered", altered, []string{"key-7", "absent", "key-1999"}, "refused\n"},
		{"other keys", car, []string{"key-8"}, "refused\n"},
	} {
		file := filepath.Join(dir, "proof.car")
		if err := os.WriteFile(file, test.car, 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{filepath.Join(goroot, "lib", "wasm", "wasm_exec_node.js"), verifier, file, root.String()}, test.keys...)
		run := exec.Command(node, args...)
		run.Env = []string{"PATH=" + os.Getenv("PATH")} // wasm_exec refuses a large environment
		var stdout, stderr bytes.Buffer
		run.Stdout, run.Stderr = &stdout, &stderr
		if err := run.Run(); err != nil || stdout.String() != test.want {
			t.Errorf("%s: %v, %q, %s", test.name, err, &stdout, &stderr)
		}
	}
}

// TestImports: the package needs nothing of other modules but CIDs and multihashes, and
// all that it links knows no network.
func TestImports(t *testing.T) {
	type pkg struct {
		ImportPath string
		Standard   bool
		Module     *struct{ Path string }
		Imports    []string
	}
	const module = "github.com/ipld-hamt/go-ipld-hamt"
	out := hamttest.Must(exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Module,Imports", ".").Output())
	standard := map[string]bool{}
	var all []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all, standard[p.ImportPath] = append(all, p), p.Standard
	}
	for _, p := range all {
		if p.ImportPath == "net" || p.ImportPath == "os/exec" || p.ImportPath == "database/sql" {
			t.Errorf("%s is linked", p.ImportPath)
		}
		if p.ImportPath != module+"/proof" {
			continue
		}
		for _, path := range p.Imports {
			ours := strings.HasPrefix(path, module+"/")
			if !standard[path] && !ours && path != "github.com/ipfs/go-cid" && path != "github.com/multiformats/go-multihash" {
				t.Errorf("it imports %s", path)
			}
		}
	}
	if len(all) < 50 {
		t.Error(fmt.Sprint("only ", len(all), " packages were looked at"))
	}
}
