package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell runs a line in a shell that finds the command, and wants it to succeed.
func (p place) shell(line string) string {
	p.t.Helper()
	c := exec.Command("sh", "-e", "-c", line)
	c.Dir = p.dir
	c.Env = append(os.Environ(), "HAMT_STORE=", "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	var errOut strings.Builder
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		p.t.Errorf("%s: %v, %s", line, err, &errOut)
	}
	return string(out)
}

func TestUsage(t *testing.T) {
	p := newPlace(t)
	root := p.root(people, "build", "--name", "people")
	for _, c := range []struct {
		says string
		args []string
	}{
		{`there is no verb "frob"`, []string{"frob"}},
		{`there is no verb "get people"`, []string{"--", "get", "people"}},
		{`there is no verb "frob"`, []string{"help", "frob"}},
		{"unknown flag", []string{"get", "--frob", root, "x"}},
		{"usage: hamt get [ROOT] KEY", []string{"get"}},
		{"usage: hamt get [ROOT] KEY", []string{"get", root, "a", "b"}},
		{"usage: hamt delete ROOT KEY…", []string{"delete", root}},
		{"no such name or CID: nobody", []string{"get", "nobody", "x"}},
		{"no such name or CID: nobody", []string{"set", "nobody", "x", "1"}},
		{"ROOT is missing", []string{"get", "x"}},
		{"ROOT is missing", []string{"keys"}},
		{`a string needs quotes of its own: '"hello"'`, []string{"set", "people", "x", "hello"}},
		{"KEY \"xyz\" is not in hexadecimal", []string{"get", "--hex", "people", "xyz"}},
		{"bit width 17", []string{"build", "--bit-width", "17"}},
		{"bucket size 0", []string{"build", "--bucket-size", "0"}},
		{"unknown hash function", []string{"build", "--hash", "0x999999"}},
		{"invalid argument \"frob\"", []string{"build", "--hash", "frob"}},
		{"no encoder", []string{"build", "--codec", "libp2p-key"}},
		{"--block-hash identity", []string{"build", "--block-hash", "identity"}},
		{"not a size", []string{"build", "--memory", "lots"}},
		{`there is no format "xml"`, []string{"build", "--format", "xml"}},
		{"names a column of a CSV", []string{"build", "--key", "x"}},
		{"does not tell the format", []string{"build", p.file("words.txt", "")}},
		{"no such file", []string{"build", "absent"}},
		{"is a directory", []string{"build", "."}},
		{"would not be read", []string{"build", "--max-block", "17MiB"}},
		{"--bit-width goes with a Filecoin --layout", []string{"rebuild", "people", "--bit-width", "5"}},
		{"--hash goes with a Filecoin --layout", []string{"get", "people", "--hash", "identity", "Alice"}},
		{"it is empty", []string{"build", "--name", ""}},
		{"no such file", []string{"build", "absent.ndjson"}},
		{"is a directory", []string{"build", "--format", "json", "."}},
		{"no such file", []string{"import", "absent.car"}},
		{"white space", []string{"build", "--name", "a b"}},
		{"is a CID", []string{"build", "--name", root}},
		{"where to is missing", []string{"export", root}},
	} {
		p.fails(2, c.says, "", c.args...)
	}
	p.same("the store is as it was", p.ok("", "names"), "people\t"+root+"\n")
}

func TestBadInput(t *testing.T) {
	p := newPlace(t)
	good := `{"key":"a","value":1}` + "\n"
	p.fails(2, "stdin:2: unexpected", good+"{", "build", "--name", "bad")
	p.fails(2, "bad.ndjson:3: unknown field", "", "build", p.file("bad.ndjson", good+"\n"+`{"key":"b","value":1,"x":2}`))
	p.fails(2, "bad.json:2: ", "", "build", p.file("bad.json", "{\"a\":1,\n\"b\":}"))
	p.fails(2, "bad.csv:3: ", "", "build", p.file("bad.csv", "a,b\n1,2\n3\n"))
	deep := strings.Repeat("[", 1023) + strings.Repeat("]", 1023)
	p.fails(2, "stdin:1: value cannot be stored", `{"key":"a","value":`+deep+`}`, "build")
	p.fails(2, "block is too large", `{"key":"a","value":"`+strings.Repeat("x", 2<<20)+`"}`, "build")
	var collide strings.Builder
	for _, key := range []string{"a", "a\\u0000", "a\\u0000\\u0000", "a\\u0000\\u0000\\u0000"} {
		collide.WriteString(`{"key":"` + key + `","value":1}` + "\n")
	}
	p.fails(2, "maximum depth reached", collide.String(), "build", "--hash", "identity")
	if _, err := os.Stat(filepath.Join(p.dir, ".hamt")); err == nil {
		p.fails(2, "no such name", "", "len", "bad")
	}
}

func TestStoreFaults(t *testing.T) {
	p := newPlace(t)
	someRoot := "bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova"
	for _, args := range [][]string{
		{"get", "x", "y"}, {"entries", "x"}, {"names"}, {"set", someRoot, "x", "1"}, {"delete", someRoot, "x"}, {"rebuild", "x"},
		{"names", "rm", "x"}, {"export", someRoot, "-o", "x.car"},
	} {
		p.fails(3, "there is no store in .hamt", "", args...)
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	p.root(people, "build", "--name", "people")
	p.fails(3, "block cannot be loaded", "", "get", someRoot, "x")
	p.fails(3, someRoot, "", "set", someRoot, "x", "1")
	r := p.run("", "verify", someRoot)
	if r.status != 3 || !strings.Contains(r.out, someRoot) || !strings.Contains(r.err, "1 fault") {
		t.Errorf("verify: %+v", r)
	}
	// Somebody's own directory is no place for a store.
	p.file("letter.txt", "")
	p.fails(3, "not empty, and no store", people, "--store", ".", "build")
	p.fails(3, "there is no store in .", "", "--store", ".", "names")
	// The environment says where, and the flag says it better.
	c := exec.Command(binary, "names")
	c.Dir, c.Env = filepath.Join(p.dir, ".hamt"), append(os.Environ(), "HAMT_STORE=../.hamt")
	if out, err := c.Output(); err != nil || !strings.HasPrefix(string(out), "people\t") {
		t.Errorf("HAMT_STORE: %s, %v", out, err)
	}
}
