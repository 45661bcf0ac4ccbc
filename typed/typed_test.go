package typed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/node/bindnode"
	"github.com/ipld/go-ipld-prime/schema"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/typed"
)

const shapes = `
type Tuple struct {
	name String
	legs Int
} representation tuple

type Animal struct {
	name String (rename "n")
	tail optional String
	colour nullable String
	both optional nullable Int
}

type Joined struct {
	x String
	y String
} representation stringjoin { join ":" }

type Colour enum {
	| Red ("r")
	| Blue ("b")
}

type Shape union {
	| Int int
	| String string
	| Tuple list
} representation kinded

type Legs [Tuple]

type Anything struct {
	value Any
}

type Raw bytes
`

// The Go types of the schema's.
type (
	tuple struct {
		Name string
		Legs int64
	}
	plain struct {
		Name   string
		Tail   *string
		Colour *string
		Both   **int64
	}
	joined struct{ X, Y string }
	shape  struct {
		Int    *int64
		String *string
		Tuple  *tuple
	}
	pair     struct{ A, B int64 }
	anything struct{ Value datamodel.Node }
)

// inferred has no schema; bindnode infers that of a struct once in a process.
var inferred = bindnode.Prototype((*pair)(nil), nil)

func typeOf(t testing.TB, name string) schema.Type {
	t.Helper()
	types, err := ipld.LoadSchemaBytes([]byte(shapes))
	if err != nil {
		t.Fatal(err)
	}
	return types.TypeByName(name)
}

func ptr[T any](v T) *T { return &v }

// begin begins a map in memory.
func begin[V any](t testing.TB, p builder.Prototype, values schema.TypedPrototype) *typed.Txn[V] {
	t.Helper()
	if p.LinkSystem == nil {
		p.LinkSystem = newLinkSystem()
	}
	empty, err := p.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	txn, err := typed.NewTxn[V](empty, values)
	if err != nil {
		t.Fatal(err)
	}
	return txn
}

// roundTrip sets a value and reads it back in all ways; stored is the DAG-JSON
// of what stands in the map.
func roundTrip[V any](t *testing.T, prototype schema.TypedPrototype, v V, stored string) {
	t.Run(fmt.Sprintf("%s as %s", prototype.Type().Name(), stored), func(t *testing.T) {
		txn := begin[V](t, builder.Prototype{}, prototype)
		if err := txn.Set("key", v); err != nil {
			t.Fatal(err)
		}
		if got, err := txn.Get(t.Context(), "key"); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("in the transaction it is %v, %v", got, err)
		}
		m, root, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lsys := m.Node().LinkSystem()
		n, err := hamt.Load(t.Context(), &lsys, root)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := n.GetString(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		if json, err := ipld.Encode(raw, dagjson.Encode); err != nil || string(json) != stored {
			t.Errorf("stored is %s, %v", json, err)
		}
		loaded, err := typed.NewMap[V](n, prototype)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := loaded.Get(t.Context(), "key"); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("Get returns %v, %v", got, err)
		}
		entries, failed := loaded.All(t.Context())
		for key, got := range entries {
			if key != "key" || !reflect.DeepEqual(got, v) {
				t.Errorf("All has %v under %q", got, key)
			}
		}
		if err := failed(); err != nil {
			t.Error(err)
		}
	})
}

// TestForms stores values in the form that their schema type has.
func TestForms(t *testing.T) {
	link := datamodel.Link(cidlink.Link{Cid: hamtRoot(t)})
	roundTrip(t, bindnode.Prototype((*tuple)(nil), typeOf(t, "Tuple")), tuple{"Dodo", 2}, `["Dodo",2]`)
	m := bindnode.Prototype((*plain)(nil), typeOf(t, "Animal"))
	roundTrip(t, m, plain{Name: "Dodo"}, `{"colour":null,"n":"Dodo"}`)
	roundTrip(t, m, plain{Name: "Dodo", Tail: ptr("short"), Colour: ptr("grey"), Both: ptr(ptr(int64(7)))},
		`{"both":7,"colour":"grey","n":"Dodo","tail":"short"}`)
	roundTrip(t, bindnode.Prototype((*joined)(nil), typeOf(t, "Joined")), joined{"a", "b"}, `"a:b"`)
	roundTrip(t, bindnode.Prototype((*string)(nil), typeOf(t, "Colour")), "Red", `"r"`)
	s := bindnode.Prototype((*shape)(nil), typeOf(t, "Shape"))
	roundTrip(t, s, shape{Int: ptr(int64(7))}, `7`)
	roundTrip(t, s, shape{String: ptr("seven")}, `"seven"`)
	roundTrip(t, s, shape{Tuple: &tuple{"Dodo", 2}}, `["Dodo",2]`)
	roundTrip(t, bindnode.Prototype((*[]tuple)(nil), typeOf(t, "Legs")), []tuple{{"a", 1}, {"b", 2}}, `[["a",1],["b",2]]`)
	roundTrip(t, bindnode.Prototype((*[]byte)(nil), typeOf(t, "Raw")), []byte{0}, `{"/":{"bytes":"AA"}}`)
	roundTrip(t, bindnode.Prototype((*datamodel.Link)(nil), schema.SpawnLink("Link")), link, fmt.Sprintf(`{"/":%q}`, link))
	roundTrip(t, bindnode.Prototype((*bool)(nil), nil), true, `true`)
	roundTrip(t, bindnode.Prototype((*float64)(nil), nil), 1.5, `1.5`)
	roundTrip(t, inferred, pair{1, 2}, `{"A":1,"B":2}`)
	roundTrip(t, bindnode.Prototype((*anything)(nil), typeOf(t, "Anything")), anything{basicnode.NewString("x")}, `{"value":"x"}`)
}

// hamtRoot is the CID of some map.
func hamtRoot(t *testing.T) cid.Cid {
	t.Helper()
	_, root, err := begin[int64](t, builder.Prototype{}, bindnode.Prototype((*int64)(nil), nil)).Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root.(cidlink.Link).Cid
}

// TestEdits: a transaction goes on from a map, which stays as it is.
func TestEdits(t *testing.T) {
	numbers := bindnode.Prototype((*int64)(nil), nil)
	txn := begin[int64](t, builder.Prototype{}, numbers)
	for i := range int64(300) {
		if err := txn.Set(fmt.Sprint(i), i); err != nil {
			t.Fatal(err)
		}
	}
	first, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if txn, err = first.NewTxn(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if existed, err := txn.Delete(t.Context(), "7"); err != nil || existed != want {
			t.Errorf("deleted %v, %v", existed, err)
		}
	}
	if err := txn.Set("8", -8); err != nil {
		t.Fatal(err)
	}
	second, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v, err := first.Get(t.Context(), "8"); v != 8 || err != nil {
		t.Errorf("the first map has changed: %d, %v", v, err)
	}
	if v, err := second.Get(t.Context(), "8"); v != -8 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	for way, get := range map[string]func(context.Context, string) (int64, error){"map": second.Get, "transaction": txn.Get} {
		if v, err := get(t.Context(), "7"); !errors.As(err, new(datamodel.ErrNotExists)) || v != 0 {
			t.Errorf("%s: %d, %v", way, v, err)
		}
	}
	seen := 0
	entries, failed := second.All(t.Context())
	for range 2 { // they can be ranged over again, and broken off
		for range entries {
			if seen++; seen == 100 {
				break
			}
		}
	}
	if seen != 100+299 || failed() != nil {
		t.Errorf("%d entries, %v", seen, failed())
	}
}

// TestLargeValues reads values that are blocks of their own, also past a
// reifier that would see them as something else.
func TestLargeValues(t *testing.T) {
	prototype := bindnode.Prototype((*tuple)(nil), typeOf(t, "Tuple"))
	lsys := newLinkSystem()
	lsys.NodeReifier = func(linking.LinkContext, datamodel.Node, *linking.LinkSystem) (datamodel.Node, error) {
		return datamodel.Null, nil
	}
	txn := begin[tuple](t, builder.Prototype{InlineBytes: 100, LinkSystem: lsys}, prototype)
	large := tuple{strings.Repeat("Dodo", 100), 2}
	if err := txn.Set("large", large); err != nil {
		t.Fatal(err)
	}
	m, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := m.Node().LookupByString("large"); err != nil || raw.Kind() != datamodel.Kind_Link {
		t.Fatalf("it stands in the map: %v, %v", raw, err)
	}
	if got, err := m.Get(t.Context(), "large"); err != nil || got != large {
		t.Errorf("%v, %v", got, err)
	}
}

// TestErrors: what does not match, and blocks that are missing.
func TestErrors(t *testing.T) {
	prototype := bindnode.Prototype((*tuple)(nil), typeOf(t, "Tuple"))
	lsys := newLinkSystem()
	txn, err := builder.Prototype{LinkSystem: lsys}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]datamodel.Node{
		"null": datamodel.Null, "string": basicnode.NewString("Dodo"), "link": basicnode.NewLink(cidlink.Link{Cid: hamtRoot(t)}),
	} {
		if err := txn.SetString(key, value); err != nil {
			t.Fatal(err)
		}
	}
	n, root, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := typed.NewMap[tuple](n, prototype)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"null", "string", "link"} {
		if v, err := m.Get(t.Context(), key); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
			t.Errorf("%s: %v, %v", key, v, err)
		}
	}
	entries, failed := m.All(t.Context())
	for key, v := range entries {
		t.Errorf("All has %v under %q", v, key)
	}
	if failed() == nil {
		t.Error("All does not say why")
	}

	open := lsys.StorageReadOpener
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		if link != root {
			return nil, io.ErrUnexpectedEOF
		}
		return open(lctx, link)
	}
	for i := range 1000 {
		if err := txn.SetString(fmt.Sprint(i), basicnode.NewInt(0)); err != nil {
			t.Fatal(err)
		}
	}
	if _, root, err = txn.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err = hamt.Load(t.Context(), lsys, root)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := typed.NewMap[int64](n, bindnode.Prototype((*int64)(nil), nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := numbers.Get(t.Context(), "7"); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("Get: %v", err)
	}
	all, failed := numbers.All(t.Context())
	for range all {
		continue
	}
	if !errors.Is(failed(), fault.ErrMissing) {
		t.Errorf("All: %v", failed())
	}
}

// TestWrongPrototypes are errors, and nothing is returned with them.
func TestWrongPrototypes(t *testing.T) {
	var n *adl.Node
	for name, p := range map[string]schema.TypedPrototype{
		"nil": nil, "of another type": bindnode.Prototype((*string)(nil), nil), "of the pointer": bindnode.Prototype((*tuple)(nil), typeOf(t, "Tuple")),
	} {
		if m, err := typed.NewMap[int64](n, p); err == nil || m != nil {
			t.Errorf("NewMap, %s: %v, %v", name, m, err)
		}
		if txn, err := typed.NewTxn[int64](nil, p); err == nil || txn != nil {
			t.Errorf("NewTxn, %s: %v, %v", name, txn, err)
		}
	}
}

// TestNoValues are Go values that are none of their schema type: errors, after
// which the transaction is as it was.
func TestNoValues(t *testing.T) {
	refused := func(name string, err error) {
		if err == nil || !strings.HasPrefix(err.Error(), "hamt: ") && !strings.Contains(err.Error(), "enum") {
			t.Errorf("%s: %v", name, err)
		}
	}
	shapes := begin[shape](t, builder.Prototype{}, bindnode.Prototype((*shape)(nil), typeOf(t, "Shape")))
	refused("a union without a member", shapes.Set("key", shape{}))
	anythings := begin[anything](t, builder.Prototype{}, bindnode.Prototype((*anything)(nil), typeOf(t, "Anything")))
	refused("no node", anythings.Set("key", anything{}))
	colours := begin[string](t, builder.Prototype{}, bindnode.Prototype((*string)(nil), typeOf(t, "Colour")))
	refused("a member that there is not", colours.Set("key", "Green"))

	if err := shapes.Set("other", shape{Int: ptr(int64(7))}); err != nil {
		t.Fatal(err)
	}
	m, _, err := shapes.Commit(t.Context())
	if err != nil || m.Node().Length() != 1 {
		t.Errorf("%v, %v", m, err)
	}
}
