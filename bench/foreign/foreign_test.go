package foreign

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/bench/memstore"
	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

func TestPythonCompiles(t *testing.T) {
	needPython(t)
	command := exec.Command("python3", "-m", "py_compile", "python/bench.py")
	command.Env = append(os.Environ(), "PYTHONPYCACHEPREFIX="+t.TempDir()) // not among the sources
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A peer that is not there is named with one reason, which says what to do; so
// is one that is not what it should be.
func TestAbsentPython(t *testing.T) {
	needPython(t)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	for _, c := range []struct{ name, source, want string }{
		{"no source", "", "PY_HAMT is "},
		{"version 3", "class HAMT: pass", "another layout"},
		{"version 2", "class Hamt: pass", "another layout"},
		{
			"before the layout", "DEFAULT_OPTIONS = {'bucket_size': 5}\n" +
				"class Hamt:\n  def register_hasher(): pass", "older than the layout",
		},
		{"a package is missing", "import no_such_package", "needs the package no_such_package"},
		{"a later Python", "type Link = = int", "later Python"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkout := t.TempDir()
			if c.source != "" {
				writeFile(t, filepath.Join(checkout, "py_hamt", "hamt.py"), c.source)
			}
			t.Setenv("PY_HAMT", checkout)
			refused(t, "py-hamt", c.want)
		})
	}
	for _, name := range []string{"py-hamt", "py-hamt-3 (other layout)"} {
		t.Run("no "+name, func(t *testing.T) {
			t.Setenv("PY_HAMT", "")
			t.Setenv("PYTHONPATH", t.TempDir())
			t.Setenv("PYTHONNOUSERSITE", "1")
			if exec.Command("python3", "-c", "import py_hamt").Run() == nil {
				t.Skip("a py_hamt is installed")
			}
			refused(t, name, "not there: ")
		})
	}
}

// Where the py-hamt of 2023 is there, its tree is ours: it does the same work.
func TestPythonRoot(t *testing.T) {
	needPython(t)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	const n = 2000
	const program = `import sys, bench
try:
    m, _, _ = bench.open_2023(bench.BUCKET_SIZE)
except bench.Absent as e:
    sys.exit(f"absent: {e}")
for i in range(int(sys.argv[1])):
    m = m.set(bench.key_of(i), i)
print(m.id.value[1:].hex())`
	command := exec.Command("python3", "-c", program, strconv.Itoa(n))
	command.Dir = "python"
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if reason, ok := strings.CutPrefix(stderr.String(), "absent: "); err != nil && ok {
		t.Skip(strings.TrimSpace(reason))
	}
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	want, err := peer.Ours{}.Build(t.Context(), memstore.New(), peer.AsNode, workload.Entries(n))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != hex.EncodeToString(want.Bytes()) {
		t.Fatalf("root %s, want %x", got, want.Bytes())
	}
}

func refused(t *testing.T, peer, want string) {
	t.Helper()
	for _, p := range All {
		if p.Name != peer {
			continue
		}
		results, err := p.Measure(t.Context(), 10)
		if err == nil || len(results) > 0 {
			t.Fatalf("measured: %v", results)
		}
		reason := err.Error()
		if !strings.Contains(reason, want) || strings.Contains(reason, "exit status") || strings.Contains(reason, "\n") {
			t.Fatalf("the reason is %q", reason)
		}
		return
	}
	t.Fatalf("no peer %s", peer)
}

func needPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
