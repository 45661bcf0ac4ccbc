package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

const people = `{"key":"Alice","value":1}
{"key":"Bob","value":[2,3]}
`

func TestReadingVerbs(t *testing.T) {
	p := newPlace(t)
	root := p.root(people, "build", "--name", "people")
	for _, ref := range []string{root, "people"} {
		p.same("get", p.ok("", "get", ref, "Alice"), "1\n")
		p.same("get --hex", p.ok("", "get", "--hex", ref, "416c696365"), "1\n")
		p.same("has", p.ok("", "has", ref, "Bob"), "true\n")
		p.same("len", p.ok("", "len", ref), "2\n")
		p.same("blocks", p.ok("", "blocks", ref), root+"\n")
		p.same("keys", sorted(p.ok("", "keys", ref)), "Alice\nBob\n")
		p.same("keys --json", sorted(p.ok("", "keys", "--json", ref)), "\"Alice\"\n\"Bob\"\n")
		p.same("values", sorted(p.ok("", "values", ref)), "1\n[2,3]\n")
		p.same("entries", sorted(p.ok("", "entries", ref)), people)
	}
	r := p.run("", "has", "people", "Carol")
	p.same("has", fmt.Sprint(r.status, r.out, r.err), "1false\n")
	p.fails(1, `key "Carol" is not there`, "", "get", "people", "Carol")
	r = p.run("", "verify", "people")
	p.same("verify", fmt.Sprint(r.status, r.out, r.err), "0hamt: ok: 2 entries, 1 blocks\n")
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func TestStat(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(1000), "build", "--bit-width", "4", "--bucket-size", "2")
	var stat struct {
		Root, HashAlg, Layout  string
		BitWidth, BucketSize   int
		Entries, Blocks, Bytes int64
		Levels                 []struct{ Nodes, Entries, Links, Buckets, Bytes int64 }
		BucketFill             []int64
	}
	if err := json.Unmarshal([]byte(p.ok("", "stat", root, "--json")), &stat); err != nil {
		t.Fatal(err)
	}
	blocks := int64(strings.Count(p.ok("", "blocks", root), "\n"))
	if stat.Root != root || stat.HashAlg != "sha2-256" || stat.Layout != "spec" || stat.BitWidth != 4 || stat.BucketSize != 2 ||
		stat.Entries != 1000 || stat.Blocks != blocks || len(stat.Levels) < 3 || len(stat.BucketFill) != 3 {
		t.Errorf("%+v", stat)
	}
	table := p.ok("", "stat", root)
	for _, want := range []string{root, "sha2-256, bit width 4, bucket size 2", "1000", "depth", "entries in a bucket"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in the table:\n%s", want, table)
		}
	}
}

func TestChanges(t *testing.T) {
	p := newPlace(t)
	first := p.root(people, "build", "--name", "people")
	second := p.root("", "set", "people", "Carol", `{"age":7}`)
	p.same("the name", p.ok("", "names"), "people\t"+second+"\n")
	p.same("get", p.ok("", "get", "people", "Carol"), "{\"age\":7}\n")
	p.same("the old root", p.ok("", "len", first), "2\n")

	// By CID no name moves; with --name only that one does.
	third := p.root("", "set", second, "--hex", "ff00", "--", "-1")
	p.same("by CID", p.ok("", "names"), "people\t"+second+"\n")
	p.root("", "set", "people", "x", "null", "--name", "copy")
	p.same("get", p.ok("", "get", "copy", "x"), "null\n")
	p.same("--name", p.ok("", "names"), "copy\t"+p.root("", "set", second, "x", "null")+"\npeople\t"+second+"\n")
	p.same("keys", sorted(p.ok("", "keys", third)), "Alice\nBob\nCarol\n{\"/\":{\"bytes\":\"/wA\"}}\n")

	// Deleting what was set gives the first root again.
	p.same("delete", p.root("", "delete", "people", "Carol"), first)
	r := p.run("", "delete", "people", "Nobody", "Alice", "No one")
	want := p.root(`{"key":"Bob","value":[2,3]}`, "build")
	p.same("delete", r.out, want+"\n")
	if r.status != 1 || !strings.Contains(r.err, `"Nobody" is not there`) || !strings.Contains(r.err, `"No one"`) {
		t.Errorf("delete of absent keys: status %d, %s", r.status, r.err)
	}
	p.same("the name", p.ok("", "names"), "copy\t"+p.root("", "set", second, "x", "null")+"\npeople\t"+want+"\n")

	r = p.run("", "names", "rm", "copy", "nobody")
	if r.status != 1 || !strings.Contains(r.err, `there is no name "nobody"`) {
		t.Errorf("names rm: %+v", r)
	}
	p.same("names", p.ok("", "names"), "people\t"+want+"\n")
}

func TestApply(t *testing.T) {
	p := newPlace(t)
	p.root(lines(2000), "build", "--name", "precip")
	var changes strings.Builder
	var left strings.Builder
	for i := range 2000 {
		key := fmt.Sprintf("precip/%d.%d", i/1000, i%1000)
		switch {
		case i%3 == 0:
			fmt.Fprintf(&changes, "{\"op\":\"delete\",\"key\":%q}\n", key)
		case i%3 == 1:
			fmt.Fprintf(&changes, "{\"op\":\"set\",\"key\":%q,\"value\":{\"n\":%d}}\n", key, i)
			fmt.Fprintf(&left, "{\"key\":%q,\"value\":{\"n\":%d}}\n", key, i)
		default:
			fmt.Fprintf(&left, "{\"key\":%q,\"value\":%d}\n", key, i)
		}
	}
	want := p.root(left.String(), "build")
	file := p.file("changes.ndjson", changes.String())
	r := p.run("", "apply", "precip", file, "--memory", "10KiB", "--name", "small")
	p.same("apply in many commits", r.out, want+"\n")
	r = p.run(changes.String()+`{"op":"delete","key":"nobody"}`, "apply", "precip")
	p.same("apply", r.out, want+"\n")
	if r.status != 0 || !strings.Contains(r.err, "1 of the keys to delete were not there") {
		t.Errorf("apply: %+v", r)
	}
	p.same("get by name", p.ok("", "get", "precip", "precip/0.1"), "{\"n\":1}\n")

	// A bad line changes nothing.
	p.fails(2, "stdin:2: ", "{\"op\":\"delete\",\"key\":\"precip/0.1\"}\n{}\n", "apply", "precip")
	p.same("after a bad line", p.ok("", "has", "precip", "precip/0.1"), "true\n")
}

func TestFormats(t *testing.T) {
	p := newPlace(t)
	want := p.root(`{"key":"a","value":{"b":"1","c":""}}`+"\n"+`{"key":"x","value":{"b":"2","c":"3"}}`, "build")
	p.same("json", p.root("", "build", p.file("a.json", `{"a": {"b":"1","c":""}, "x": {"c":"3","b":"2"}}`)), want)
	p.same("csv", p.root("", "build", p.file("a.csv", "id,b,c\na,1,\nx,2,3\n")), want)
	p.same("csv by column", p.root("", "build", "--key", "id", p.file("b.csv", "b,id,c\n1,a,\n2,x,3\n")), want)
	p.same("--format", p.root("", "build", "--format", "csv", p.file("c.txt", "id,b,c\na,1,\nx,2,3\n")), want)
	p.same("- and a format", p.root(`{"x":{"b":"2","c":"3"},"a":{"b":"1","c":""}}`, "build", "--format", "json", "-"), want)
	empty := p.root("", "build")
	p.same("the empty map", p.ok("", "len", empty), "0\n")
	p.same("the empty csv", p.root("", "build", "--format", "csv"), empty)
	p.same("the empty json", p.root("{}", "build", "--format", "json"), empty)

	twice := "{\"key\":\"a\",\"value\":1}\n{\"key\":\"a\",\"value\":2}\n"
	p.same("last wins", p.ok("", "get", p.root(twice, "build"), "a"), "2\n")
	p.fails(2, `stdin: repeated key "a"`, twice, "build", "--refuse-repeated")
	p.fails(2, `twice.ndjson:2: repeated key "a"`, "", "build", "--refuse-repeated", p.file("twice.ndjson", twice))
	p.fails(2, `twice.csv:4: repeated key "\"\xff"`, "", "build", "--refuse-repeated", p.file("twice.csv", "k\n\"\"\"\xff\"\nb\n\"\"\"\xff\"\n"))
}

// TestPeersRoots wants the roots that the JavaScript implementation gives.
func TestPeersRoots(t *testing.T) {
	p := newPlace(t)
	for n, want := range map[int]string{
		1:   "bafyreic74j6pwbk7ne3d4oepwbzwi54odydl6xfo57nvajns3vmoa76pty",
		2:   "bafyreibxzzymu7qlvrs27yilklruwjvne6pigca4ffqp4bf63wvf7bzg6i",
		5:   "bafyreiaxx2zfljh6spxkgsvzc2op7ggkjvejtrtu3zm65bm4zpydvrjyt4",
		10:  "bafyreib23ztj6glf6qmn7kvkoc66u4vdg22i7zof4xe5ewwg2pxdo5uh6a",
		100: "bafyreici5z2bemskffre7nzj37pnkwpxgkpt4ov33w4phxxj5izwlbso6u",
	} {
		p.same(fmt.Sprint(n), p.root(lines(n), "build", "--bucket-size", "5"), want)
	}
	words, err := filepath.Abs("../../spec-fixtures/alice-words.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(words); err != nil {
		t.Skip(err) // the command's module alone has no fixtures
	}
	p.same("alice-words", p.root("", "build", "--bit-width", "5", words),
		"bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova")
}

// TestRoundTrip: build takes what entries prints, whatever the entries are.
func TestRoundTrip(t *testing.T) {
	p := newPlace(t)
	odd := strings.Join([]string{
		`{"key":"","value":null}`, `{"key":"é\n\u0000","value":"\u2028\u007f\"\\"}`, `{"key":{"/":{"bytes":"/w"}},"value":1.0}`,
		`{"key":"/","value":{"/":{"bytes":"AAEC"}}}`, `{"key":"n","value":18446744073709551615}`, `{"key":"f","value":-0.0}`,
		`{"key":"l","value":[{"/":"bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova"},{"b":1,"aa":{"x":[]}}]}`,
		`{"key":"long","value":"` + strings.Repeat("x", 900_000) + `"}`,
	}, "\n")
	for _, flags := range [][]string{
		nil, {"--bit-width", "3", "--bucket-size", "1"}, {"--hash", "murmur3-x64-64"}, {"--hash", "0x1e"},
		{"--codec", "dag-json"}, {"--block-hash", "blake3"},
	} {
		build := append([]string{"build"}, flags...)
		text := odd + "\n" + lines(500)
		if strings.Contains(fmt.Sprint(flags), "dag-json") {
			text = lines(500) // go-ipld-prime's dag-json cannot hold some of the others
		}
		root := p.root(text, build...)
		again := p.root(p.ok("", "entries", root), build...)
		p.same(fmt.Sprint(flags), again, root)
	}
	// One store, used by both ends of a pipe.
	root := p.root(lines(20_000), "build", "--name", "precip")
	p.same("in a pipe", p.shell("hamt entries precip | hamt build"), root+"\n")
}

func TestSpill(t *testing.T) {
	p := newPlace(t)
	if err := os.Mkdir(filepath.Join(p.dir, "spill"), 0o755); err != nil {
		t.Fatal(err)
	}
	want := p.root(lines(20_000), "build")
	p.same("spilled", p.root(lines(20_000), "build", "--memory", "64KiB", "--spill", "spill"), want)
	p.isEmpty("spill")
	p.fails(2, "--spill", lines(1), "build", "--spill", "nowhere")
}

func (p place) isEmpty(dir string) {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, dir))
	if err != nil || len(entries) > 0 {
		p.t.Errorf("%s holds %v (%v)", dir, entries, err)
	}
}

func TestInlineBytes(t *testing.T) {
	p := newPlace(t)
	text := fmt.Sprintf("{\"key\":\"long\",\"value\":%q}\n", strings.Repeat("x", 1000))
	root := p.root(text+people, "build", "--inline-bytes", "100", "--name", "m")
	if link := p.ok("", "get", root, "long"); !strings.HasPrefix(link, `{"/":"`) {
		t.Errorf("get: %s", link)
	}
	p.same("one CAR", p.ok("", "export", "m", "--values", "-o", "m.car"), "")
	p.same("import", p.root("", "--store", "other", "import", "m.car"), root)
	// That it can be exported again says that the value's block is there.
	p.same("export", p.ok("", "--store", "other", "export", root, "--values", "-o", "-"), p.read("m.car"))
	p.ok("", "export", "m", "-o", "without.car")
	p.root("", "--store", "third", "import", "without.car")
	p.fails(3, "key \"long\": block", "", "--store", "third", "export", root, "--values", "-o", "x.car")
}

func TestFilecoinLayout(t *testing.T) {
	p := newPlace(t)
	layout := []string{"--layout", "filecoin-v3"}
	with := func(args ...string) []string { return append(args, layout...) }
	root := p.root(lines(300), with("build", "--name", "state")...)
	p.same("get", p.ok("", with("get", "state", "precip/0.7")...), "7\n")
	p.same("len", p.ok("", with("len", root)...), "300\n")
	p.root("", with("set", "state", "precip/0.7", "8")...)
	p.root("", with("set", "state", "precip/0.7", "7")...)
	p.same("the name", p.ok("", "names"), "state\t"+root+"\n")
	p.same("round trip", p.root(p.ok("", with("entries", root)...), with("build")...), root)
	p.fails(3, "not a HAMT", "", "get", root, "precip/0.7")
	p.fails(2, "layout can only be read", lines(1), "build", "--layout", "filecoin-v0")
	p.fails(2, "there is no layout", "", "get", "--layout", "v3", root, "x")
}

// TestHelp runs the examples in the help of every verb.
func TestHelp(t *testing.T) {
	p := newPlace(t)
	p.root(people, "build", "--name", "people")
	p.file("people.csv", "name,age\nAlice,7\nBob,8\n")
	p.file("data.json", `{"a":1}`)
	p.ok("", "export", "people", "-o", "people.car")
	if lines := strings.Count(strings.Split(p.ok("", "--help"), "\n\n")[0], "\n") + 1; lines != 5 {
		t.Errorf("the help says what this is in %d lines", lines)
	}
	for _, verb := range []string{
		"build", "apply", "get", "has", "set", "delete", "keys", "values", "entries", "len", "blocks", "stat", "verify",
		"rebuild", "import", "export", "copy", "names", "version",
	} {
		help := p.ok("", verb, "--help")
		_, after, _ := strings.Cut(help, "Examples:\n")
		examples, _, _ := strings.Cut(after, "\n\n")
		if examples == "" {
			t.Errorf("%s has no example", verb)
		}
		p.root(people, "build", "--name", "people")
		for example := range strings.Lines(examples) {
			if !needsServer(example) {
				p.shell(example)
			}
		}
	}
}

// TestFollow: a value in a block of its own is a link in the map, and can be
// looked at all the same.
func TestFollow(t *testing.T) {
	p := newPlace(t)
	long := `"` + strings.Repeat("long ", 30) + `"`
	root := p.root(`{"key":"a","value":`+long+`}`+"\n"+`{"key":"b","value":7}`, "build", "--inline-bytes", "100")
	if link := p.ok("", "get", root, "a"); !strings.HasPrefix(link, `{"/":"`) {
		t.Errorf("the value is inline: %s", link)
	}
	p.same("the value", p.ok("", "get", "--follow", root, "a"), long+"\n")
	p.same("a value that is no link", p.ok("", "get", "--follow", root, "b"), "7\n")
}

// TestFilecoinHint: such a map does not say what it is, so somebody has to.
func TestFilecoinHint(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(50), "build", "--layout", "filecoin-v3")
	p.fails(3, "needs --layout", "", "len", root)
	p.same("the number of entries", p.ok("", "len", "--layout", "filecoin-v3", root), "50\n")
}

// needsServer says whether an example is for stores on other machines, or for a
// program that is not ours: interop/kubo is where those are run.
func needsServer(example string) bool {
	for _, other := range []string{"ipfs ", "kubo:", "gateway:"} {
		if strings.Contains(example, other) {
			return true
		}
	}
	return false
}
