package hamt_test

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

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/teststore"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// fixtureCase is one case of a document in spec-fixtures; README.md there says
// what its hunks are.
type fixtureCase struct {
	*testmark.DirEnt
}

// fixtures calls test for every case of a document.
func fixtures(t *testing.T, document string, test func(t *testing.T, c fixtureCase)) {
	t.Helper()
	doc, err := testmark.ReadFile(filepath.Join("spec-fixtures", document))
	if err != nil {
		t.Fatal(err)
	}
	doc.BuildDirIndex()
	if len(doc.DirEnt.ChildrenList) == 0 {
		t.Fatalf("%s has no case", document)
	}
	for _, entry := range doc.DirEnt.ChildrenList {
		t.Run(entry.Name, func(t *testing.T) { test(t, fixtureCase{entry}) })
	}
}

// hunk gives the content of a hunk, by its path in the case.
func (c fixtureCase) hunk(path string) (body string, ok bool) {
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

func (c fixtureCase) need(t *testing.T, path string) string {
	t.Helper()
	body, ok := c.hunk(path)
	if !ok {
		t.Fatalf("no hunk %s/%s", c.Name, path)
	}
	return body
}

func (c fixtureCase) params(t *testing.T) params.Params {
	t.Helper()
	var p struct {
		HashAlg              uint64
		BitWidth, BucketSize int
	}
	if err := json.Unmarshal([]byte(c.need(t, "params")), &p); err != nil {
		t.Fatal(err)
	}
	return params.Params{HashAlg: multicodec.Code(p.HashAlg), BitWidth: p.BitWidth, BucketSize: p.BucketSize}
}

// operation is one line of a step: a value is to be set, or with nil the key
// to be deleted.
type operation struct {
	key   []byte
	value datamodel.Node
}

// operations gives the operations of step n; ok is false where there is none.
func (c fixtureCase) operations(t *testing.T, n int) (ops []operation, ok bool) {
	t.Helper()
	step := fmt.Sprintf("step-%d/", n)
	if body, ok := c.hunk(step + "operations"); ok {
		for _, line := range lines(body) {
			ops = append(ops, parseOperation(t, decodeJSON(t, line)))
		}
		return ops, true
	}
	if body, ok := c.hunk(step + "operations-dag-cbor"); ok {
		for _, line := range lines(body) {
			node, err := ipld.Decode(unhex(t, line), dagcbor.Decode)
			if err != nil {
				t.Fatal(err)
			}
			ops = append(ops, parseOperation(t, node))
		}
		return ops, true
	}
	if name, ok := c.hunk(step + "entries-file"); ok {
		return readEntries(t, name), true
	}
	if body, ok := c.hunk(step + "generate"); ok {
		return generate(t, body), true
	}
	return nil, false
}

func parseOperation(t *testing.T, line datamodel.Node) operation {
	t.Helper()
	var op operation
	key, err := line.LookupByString("key")
	if err != nil {
		t.Fatal(err)
	}
	if op.key, err = adl.KeyOf(key); err != nil {
		t.Fatal(err)
	}
	verb := "set"
	if node, err := line.LookupByString("op"); err == nil {
		verb, _ = node.AsString()
	}
	if verb == "set" {
		if op.value, err = line.LookupByString("value"); err != nil {
			t.Fatal(err)
		}
	} else if verb != "delete" {
		t.Fatalf("operation %q", verb)
	}
	return op
}

func readEntries(t testing.TB, name string) (ops []operation) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("spec-fixtures", name))
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
		bytes, err := adl.KeyOf(key)
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, operation{bytes, value})
	}
	return ops
}

func generate(t *testing.T, body string) (ops []operation) {
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
		op := operation{key: []byte(key)}
		if g.Op == "set" {
			op.value = basicnode.NewInt(int64(i))
		}
		ops = append(ops, op)
	}
	return ops
}

// fixtureBlock is one line of a hunk of blocks.
type fixtureBlock struct {
	cid   cid.Cid
	bytes []byte // nil where only the CID is given
}

func parseBlocks(t testing.TB, body string) (blocks []fixtureBlock) {
	t.Helper()
	for _, line := range lines(body) {
		name, digits, _ := strings.Cut(line, " ")
		c, err := cid.Decode(name)
		if err != nil {
			t.Fatal(err)
		}
		b := fixtureBlock{cid: c}
		if digits != "" {
			b.bytes = unhex(t, digits)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// documentBlocks gives the bytes of all blocks that a document spells out.
func documentBlocks(t testing.TB, document string) (all [][]byte) {
	t.Helper()
	doc, err := testmark.ReadFile(filepath.Join("spec-fixtures", document))
	if err != nil {
		t.Fatal(err)
	}
	doc.BuildDirIndex()
	for _, entry := range doc.DirEnt.ChildrenList {
		for _, hunk := range []string{"blocks", "step-1/blocks", "leftover/blocks"} {
			body, _ := fixtureCase{entry}.hunk(hunk)
			for _, b := range parseBlocks(t, body) {
				if b.bytes != nil {
					all = append(all, b.bytes)
				}
			}
		}
	}
	return all
}

// storeOf gives a store that holds blocks, which must all have their bytes.
func storeOf(t *testing.T, blocks []fixtureBlock) *teststore.Store {
	t.Helper()
	store := teststore.New()
	for _, b := range blocks {
		if b.bytes == nil {
			t.Fatalf("block %s has no bytes", b.cid)
		}
		store.Put(b.cid, b.bytes)
	}
	return store
}

func lines(body string) []string {
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

func decodeJSON(t *testing.T, text string) datamodel.Node {
	t.Helper()
	node, err := ipld.Decode([]byte(text), dagjson.Decode)
	if err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return node
}

func linkTo(t testing.TB, text string) datamodel.Link {
	t.Helper()
	c, err := cid.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return cidlink.Link{Cid: c}
}
