package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// anyValue returns a value of any kind, also of those that DAG-JSON cannot say.
func anyValue(random *rand.Rand, depth int) datamodel.Node {
	kinds := 12
	if depth == 0 {
		kinds = 9
	}
	switch random.IntN(kinds) {
	case 0:
		return datamodel.Null
	case 1:
		return basicnode.NewBool(random.IntN(2) == 0)
	case 2:
		return basicnode.NewInt(int64(random.Uint64()))
	case 3:
		return basicnode.NewFloat([]float64{1, -0.5, 1e300, 5e-324, float64(random.IntN(100))}[random.IntN(5)])
	case 4:
		return basicnode.NewString([]string{"", "x", "é", "\u2028", "\"\\", "\x00\x1b[31m"}[random.IntN(6)])
	case 5:
		return basicnode.NewString("\xff" + fmt.Sprint(random.IntN(3)))
	case 6:
		return basicnode.NewBytes([]byte{byte(random.Uint32()), 0xff}[:random.IntN(3)])
	case 7:
		return basicnode.NewLink(hamttest.BlockOf([]byte{byte(random.Uint32())}).Link)
	case 8:
		return basicnode.NewUint(random.Uint64())
	case 9:
		return hamttest.Must(qp.BuildList(basicnode.Prototype.Any, -1, func(l datamodel.ListAssembler) {
			for range random.IntN(4) {
				qp.ListEntry(l, qp.Node(anyValue(random, depth-1)))
			}
		}))
	case 10: // what would read as a link or as bytes
		return hamttest.Must(qp.BuildMap(basicnode.Prototype.Any, -1, func(m datamodel.MapAssembler) {
			qp.MapEntry(m, "/", qp.String("x"))
		}))
	}
	return hamttest.Must(qp.BuildMap(basicnode.Prototype.Any, -1, func(m datamodel.MapAssembler) {
		for i := range random.IntN(4) {
			qp.MapEntry(m, fmt.Sprint(i, "\xfe"[:random.IntN(2)]), qp.Node(anyValue(random, depth-1)))
		}
	}))
}

// anyKey returns a key: text, bytes, or what a line or a shell might take for something else.
func anyKey(random *rand.Rand) string {
	keys := []string{"", " ", "\n", "\"", "{", "/", "key", "é", "\xff", "\x00", "\u2028"}
	return keys[random.IntN(len(keys))] + fmt.Sprint(100 + random.IntN(99))[:random.IntN(4)]
}

// TestDiffApplied: what diff --format apply prints, apply makes of it the one map of the
// other, with its root, whatever the maps hold.
func TestDiffApplied(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noForm := 0
	for round := range 400 {
		p := params.Params{BitWidth: 3 + random.IntN(4), BucketSize: 1 + random.IntN(3)}
		if round%5 == 0 {
			p = params.Filecoin()
		}
		before := hamttest.Model{}
		for range random.IntN(120) {
			before[anyKey(random)] = anyValue(random, 2)
		}
		after := hamttest.Model{}
		for key, value := range before {
			if random.IntN(4) > 0 {
				after[key] = value
			}
		}
		for range random.IntN(40) {
			after[anyKey(random)] = anyValue(random, 2)
		}
		s := hamttest.NewStore()
		prototype := builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}
		a, b := hamttest.Build(t, prototype, before), hamttest.Build(t, prototype, after)
		var lines []byte
		for c, err := range diff.Changes(t.Context(), a, b) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(appendApply(lines, c), '\n')
		}
		noForm += bytes.Count(lines, []byte(`"dagCbor":`))
		e := &edit{app: &app{err: new(strings.Builder)}}
		txn := hamttest.Must(builder.NewTxn(a))
		if err := e.apply(t.Context(), txn, input.Source{Reader: bytes.NewReader(lines)}.Changes(), 1<<30); err != nil {
			t.Fatalf("%v: %s", err, lines)
		}
		_, root, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := hamttest.RootOf(t, b); root != want {
			t.Fatalf("root %s, want %s, by\n%s", root, want, lines)
		}
	}
	if noForm < 100 {
		t.Errorf("only %d values had no DAG-JSON form", noForm)
	}
}

// TestTokens: a token leads back to its keys.
func TestTokens(t *testing.T) {
	for _, keys := range [][]string{{""}, {"key"}, {"\x00\xff", "", "inner"}} {
		var c diff.Change
		for _, outer := range keys[:len(keys)-1] {
			c.Path = append(c.Path, []byte(outer))
		}
		c.Key = []byte(keys[len(keys)-1])
		parsed, err := parseToken(token(c))
		if err != nil || fmt.Sprintf("%q", parsed) != fmt.Sprintf("%q", keys) {
			t.Errorf("%q became %q, %v", keys, parsed, err)
		}
	}
	for _, bad := range []string{"", "x", "key", "k!", "k.", "kQQ==", "kQQ.x"} {
		if keys, err := parseToken(bad); err == nil {
			t.Errorf("%q is no token, and became %q", bad, keys)
		}
	}
}

// TestDiffLinesAreDAGJSON: every line of ndjson can be read.
func TestDiffLinesAreDAGJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s := hamttest.NewStore()
	content := hamttest.Model{}
	for range 300 {
		content[anyKey(random)] = anyValue(random, 2)
	}
	m := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem()}, content)
	for c, err := range diff.Changes(t.Context(), m, nil) {
		if err != nil {
			t.Fatal(err)
		}
		c.Path = [][]byte{[]byte("outer"), {0xff}}
		line := appendNDJSON(nil, c)
		raw, err := dagjson.ToCBOR(nil, line)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		value, err := ipld.Decode(raw, dagcbor.Decode)
		if err != nil {
			t.Fatal(err)
		}
		before, err := value.LookupByString("before")
		if err != nil {
			if before, err = value.LookupByString("beforeDagCbor"); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if held, err := before.AsBytes(); err != nil || !bytes.Equal(held, c.Before.Raw()) {
				t.Fatalf("%v: %s", err, line)
			}
		} else if again, err := ipld.Encode(before, dagcbor.Encode); err != nil || !bytes.Equal(again, c.Before.Raw()) {
			t.Fatalf("%v: %s", err, line)
		}
		if bytes.ContainsRune(line, '\n') {
			t.Fatalf("two lines: %q", line)
		}
	}
}
