package hamttest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/warpfork/go-testmark"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keys"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// fixturePath returns the path of a file in spec-fixtures, whichever package of
// the module is tested: tests run in their package's directory.
func fixturePath(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, "spec-fixtures", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatalf("no spec-fixtures/%s here or above", name)
		}
		dir = parent
	}
}

// Fixture is one case of a document in spec-fixtures; README.md there says
// what its hunks are.
type Fixture struct {
	*testmark.DirEnt
}

// Fixtures calls test for every case of a document.
func Fixtures(t *testing.T, document string, test func(t *testing.T, c Fixture)) {
	t.Helper()
	doc, err := testmark.ReadFile(fixturePath(t, document))
	if err != nil {
		t.Fatal(err)
	}
	doc.BuildDirIndex()
	if len(doc.DirEnt.ChildrenList) == 0 {
		t.Fatalf("%s has no case", document)
	}
	for _, entry := range doc.DirEnt.ChildrenList {
		t.Run(entry.Name, func(t *testing.T) { test(t, Fixture{entry}) })
	}
}

// Hunk returns the content of a hunk, by its path in the case.
func (c Fixture) Hunk(path string) (body string, ok bool) {
	at := c.DirEnt
	for _, name := range strings.Split(path, "/") {
		if at = at.Children[name]; at == nil {
			return "", false
		}
	}
	if at.Hunk == nil {
		return "", false
	}
	return strings.TrimSuffix(string(at.Hunk.Body), "\n"), true
}

func (c Fixture) Need(t *testing.T, path string) string {
	t.Helper()
	body, ok := c.Hunk(path)
	if !ok {
		t.Fatalf("no hunk %s/%s", c.Name, path)
	}
	return body
}

func (c Fixture) Params(t *testing.T) params.Params {
	t.Helper()
	var p struct {
		HashAlg              uint64
		BitWidth, BucketSize int
	}
	if err := json.Unmarshal([]byte(c.Need(t, "params")), &p); err != nil {
		t.Fatal(err)
	}
	return params.Params{BitWidth: p.BitWidth, BucketSize: p.BucketSize}.WithHashAlg(multicodec.Code(p.HashAlg))
}

// Operations returns the operations of step n; ok is false where there is none.
func (c Fixture) Operations(t *testing.T, n int) (ops []Operation, ok bool) {
	t.Helper()
	step := fmt.Sprintf("step-%d/", n)
	if body, ok := c.Hunk(step + "operations"); ok {
		for _, line := range Lines(body) {
			ops = append(ops, ParseOperation(t, DecodeJSON(t, line)))
		}
		return ops, true
	}
	if body, ok := c.Hunk(step + "operations-dag-cbor"); ok {
		for _, line := range Lines(body) {
			node, err := ipld.Decode(unhex(t, line), dagcbor.Decode)
			if err != nil {
				t.Fatal(err)
			}
			ops = append(ops, ParseOperation(t, node))
		}
		return ops, true
	}
	if name, ok := c.Hunk(step + "entries-file"); ok {
		return readEntries(t, name), true
	}
	if body, ok := c.Hunk(step + "generate"); ok {
		return generate(t, body), true
	}
	return nil, false
}

func ParseOperation(t *testing.T, line datamodel.Node) Operation {
	t.Helper()
	var op Operation
	key, err := line.LookupByString("key")
	if err != nil {
		t.Fatal(err)
	}
	if op.Key, err = keys.Bytes(key); err != nil {
		t.Fatal(err)
	}
	verb := "set"
	if node, err := line.LookupByString("op"); err == nil {
		verb, _ = node.AsString()
	}
	if verb == "set" {
		if op.Value, err = line.LookupByString("value"); err != nil {
			t.Fatal(err)
		}
	} else if verb != "delete" {
		t.Fatalf("operation %q", verb)
	}
	return op
}

func readEntries(t testing.TB, name string) (ops []Operation) {
	t.Helper()
	body, err := os.ReadFile(fixturePath(t, name))
	if err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(bytes.NewReader(body))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		node, err := ipld.Decode(scanner.Bytes(), dagjson.Decode)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := node.LookupByString("key")
		value, err := node.LookupByString("value")
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := keys.Bytes(key)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, Operation{bytes, value})
	}
	return ops
}

func generate(t *testing.T, body string) (ops []Operation) {
	t.Helper()
	var g struct {
		Op, Key     string
		From, Count int
	}
	if err := json.Unmarshal([]byte(body), &g); err != nil {
		t.Fatal(err)
	}
	for i := g.From; i < g.From+g.Count; i++ {
		key := strings.NewReplacer("{i}", strconv.Itoa(i), "{i/1000}", strconv.Itoa(i/1000), "{i%1000}", strconv.Itoa(i%1000)).Replace(g.Key)
		op := Operation{Key: []byte(key)}
		if g.Op == "set" {
			op.Value = basicnode.NewInt(int64(i))
		}
		ops = append(ops, op)
	}
	return ops
}

// FixtureBlock is one line of a hunk of blocks.
type FixtureBlock struct {
	CID   cid.Cid
	Bytes []byte // nil where only the CID is given
}

func ParseBlocks(t testing.TB, body string) (blocks []FixtureBlock) {
	t.Helper()
	for _, line := range Lines(body) {
		name, digits, _ := strings.Cut(line, " ")
		c, err := cid.Decode(name)
		if err != nil {
			t.Fatal(err)
		}
		b := FixtureBlock{CID: c}
		if digits != "" {
			b.Bytes = unhex(t, digits)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// DocumentBlocks returns the bytes of all blocks that a document spells out.
func DocumentBlocks(t testing.TB, document string) (all [][]byte) {
	t.Helper()
	doc, err := testmark.ReadFile(fixturePath(t, document))
	if err != nil {
		t.Fatal(err)
	}
	doc.BuildDirIndex()
	for _, entry := range doc.DirEnt.ChildrenList {
		for _, hunk := range []string{"blocks", "step-1/blocks", "leftover/blocks"} {
			body, _ := Fixture{entry}.Hunk(hunk)
			for _, b := range ParseBlocks(t, body) {
				if b.Bytes != nil {
					all = append(all, b.Bytes)
				}
			}
		}
	}
	return all
}

// StoreOf returns a store that holds blocks, which must all have their bytes.
func StoreOf(t *testing.T, blocks []FixtureBlock) *Store {
	t.Helper()
	store := NewStore()
	for _, b := range blocks {
		if b.Bytes == nil {
			t.Fatalf("block %s has no bytes", b.CID)
		}
		store.Put(b.CID, b.Bytes)
	}
	return store
}

func Lines(body string) []string {
	if body == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(body, "\n"), "\n")
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func DecodeJSON(t *testing.T, text string) datamodel.Node {
	t.Helper()
	node, err := ipld.Decode([]byte(text), dagjson.Decode)
	if err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return node
}

func LinkTo(t testing.TB, text string) datamodel.Link {
	t.Helper()
	c, err := cid.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return cidlink.Link{Cid: c}
}

// SelectorStore returns the blocks of a case and its root: as they are given, or
// by building the map.
func SelectorStore(t *testing.T, c Fixture) (*Store, datamodel.Link) {
	t.Helper()
	if body, ok := c.Hunk("blocks"); ok {
		blocks := ParseBlocks(t, body)
		return StoreOf(t, blocks), cidlink.Link{Cid: blocks[0].CID}
	}
	store := NewStore()
	content := Model{}
	ops, _ := c.Operations(t, 1)
	content.Apply(ops)
	node, err := ByAssembler(t.Context(), builder.Prototype{Params: c.Params(t), LinkSystem: store.LinkSystem()}, content)
	if err != nil {
		t.Fatal(err)
	}
	link, err := node.Link()
	if err != nil {
		t.Fatal(err)
	}
	return store, link
}

// StoredFixture returns a store with the map of a case, and its root: the blocks
// that the case spells out, or what building the map makes.
func StoredFixture(t *testing.T, c Fixture) (*Store, datamodel.Link) {
	t.Helper()
	if body, ok := c.Hunk("leftover/blocks"); ok {
		return StoreOf(t, ParseBlocks(t, body)), LinkTo(t, c.Need(t, "leftover/root"))
	}
	if _, ok := c.Hunk("selector"); ok {
		return SelectorStore(t, c)
	}
	content := Model{}
	for n := 1; ; n++ {
		ops, ok := c.Operations(t, n)
		if !ok {
			return Stored(t, c.Params(t), content)
		}
		if _, refused := c.Hunk(fmt.Sprintf("step-%d/refuse", n)); !refused {
			content.Apply(ops)
		}
	}
}

// SomeBlocks are the seeds of the fuzz targets: blocks of all kinds that are
// not too long, from the documents that have the oddest ones.
func SomeBlocks(f *testing.F, most int) (all [][]byte) {
	f.Helper()
	for _, document := range []string{"refused.md", "leftovers.md", "values.md", "keys.md", "selectors.md"} {
		for _, b := range DocumentBlocks(f, document) {
			if len(b) <= most {
				all = append(all, b)
			}
		}
	}
	if len(all) < 50 {
		f.Fatalf("only %d seeds", len(all))
	}
	return all
}
