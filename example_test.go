package hamt_test

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"sync/atomic"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/adl/rot13adl"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"
	selectorparse "github.com/ipld/go-ipld-prime/traversal/selector/parse"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// newLinkSystem returns a LinkSystem over memory; any other does as well.
func newLinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys
}

// A map is built as any go-ipld-prime map is, and read as one.
func Example() {
	lsys := newLinkSystem()
	built, err := qp.BuildMap(builder.Prototype{LinkSystem: lsys}, -1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "Alice", qp.Int(1))
		qp.MapEntry(ma, "Rabbit", qp.String("late"))
	})
	if err != nil {
		panic(err)
	}
	root, err := built.(interface {
		Link() (datamodel.Link, error)
	}).Link()
	if err != nil {
		panic(err)
	}
	fmt.Println(root)

	m, err := hamt.Load(context.Background(), lsys, root)
	if err != nil {
		panic(err)
	}
	value, err := m.LookupByString("Rabbit")
	if err != nil {
		panic(err)
	}
	fmt.Println(value.AsString())
	fmt.Println(m.Length())
	// Output:
	// bafyreiagqzj72lou63k23fsl6mws4iptyt7ti2komsfum44o6izqxtrx74
	// late <nil>
	// 2
}

// exampleMap builds a map of a few entries and returns its root.
func exampleMap(lsys *linking.LinkSystem, entries map[string]datamodel.Node) datamodel.Link {
	txn, err := builder.Prototype{LinkSystem: lsys}.NewTxn()
	if err != nil {
		panic(err)
	}
	for key, value := range entries {
		if err := txn.SetString(key, value); err != nil {
			panic(err)
		}
	}
	_, root, err := txn.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	return root
}

// Changes are collected in a transaction; the version it began with stays.
func ExampleLoad() {
	ctx, lsys := context.Background(), newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1), "b": basicnode.NewInt(2)})

	before, err := hamt.Load(ctx, lsys, root, hamt.WithCacheBytes(1<<20))
	if err != nil {
		panic(err)
	}
	txn, err := builder.NewTxn(before)
	if err != nil {
		panic(err)
	}
	if err := txn.SetString("c", basicnode.NewInt(3)); err != nil {
		panic(err)
	}
	if _, err := txn.Delete(ctx, []byte("a")); err != nil {
		panic(err)
	}
	after, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	for key, err := range after.KeyStrings(ctx) {
		fmt.Println(key, err)
	}
	fmt.Println(before.Length(), after.Length())
	// Unordered output:
	// b <nil>
	// c <nil>
	// 2 2
}

// Data that was decoded already is seen as the map it is the root of.
func ExampleReify() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1)})

	substrate, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}
	fmt.Println(hamt.IsRoot(substrate))
	m, err := hamt.Reify(linking.LinkContext{}, substrate, lsys)
	if err != nil {
		panic(err)
	}
	text, err := ipld.Encode(m, dagjson.Encode)
	fmt.Println(string(text), err)
	// Output:
	// true
	// {"a":1} <nil>
}

// With ReifyRoots on the LinkSystem, HAMTs are plain maps wherever a traversal
// meets them.
func ExampleReifyRoots() {
	lsys := newLinkSystem()
	inner := exampleMap(lsys, map[string]datamodel.Node{"color": basicnode.NewString("white")})
	outer := exampleMap(lsys, map[string]datamodel.Node{"rabbit": basicnode.NewLink(inner)})

	lsys.NodeReifier = hamt.ReifyRoots
	m, err := lsys.Load(linking.LinkContext{}, outer, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}
	progress := traversal.Progress{Cfg: &traversal.Config{
		LinkSystem: *lsys,
		LinkTargetNodePrototypeChooser: func(datamodel.Link, linking.LinkContext) (datamodel.NodePrototype, error) {
			return basicnode.Prototype.Any, nil
		},
	}}
	value, err := progress.Get(m, datamodel.ParsePath("rabbit/color"))
	if err != nil {
		panic(err)
	}
	fmt.Println(value.AsString())
	// Output:
	// white <nil>
}

// Selectors ask for the ADL by name.
func ExampleRegister() {
	lsys := newLinkSystem()
	hamt.Register(lsys)
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1), "b": basicnode.NewInt(2)})

	start, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}
	one, err := selectorparse.ParseAndCompileJSONSelector(`{"~":{"as":"hamt",">":{"f":{"f>":{"b":{".":{}}}}}}}`)
	if err != nil {
		panic(err)
	}
	progress := traversal.Progress{Cfg: &traversal.Config{LinkSystem: *lsys}}
	err = progress.WalkMatching(start, one, func(p traversal.Progress, n datamodel.Node) error {
		value, err := n.AsInt()
		fmt.Println(p.Path, value)
		return err
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// b 2
}

// A hash that go-multihash does not know is registered under its code.
func ExampleRegisterHash() {
	const fnv1a64 multicodec.Code = 0x300064 // from the range for private use
	if err := hamt.RegisterHash(fnv1a64, func() hash.Hash { return fnv.New64a() }); err != nil {
		panic(err)
	}
	p := params.Default()
	p.HashAlg = fnv1a64
	txn, err := builder.Prototype{LinkSystem: newLinkSystem(), Params: p}.NewTxn()
	if err != nil {
		panic(err)
	}
	if err := txn.SetString("a", basicnode.NewInt(1)); err != nil {
		panic(err)
	}
	m, _, err := txn.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Length(), m.Params().BitWidth)
	// Output:
	// 1 8
}

// Substrates can be read through the specification's schema.
func Example_schema() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1)})

	typed, err := lsys.Load(linking.LinkContext{}, root, hamt.HashMapRootPrototype.Representation())
	if err != nil {
		panic(err)
	}
	size, err := typed.LookupByString("bucketSize")
	if err != nil {
		panic(err)
	}
	fmt.Println(size.AsInt())
	// Output:
	// 3 <nil>
}

// IsRoot knows a HAMT by its shape.
func ExampleIsRoot() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1)})
	substrate, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}
	fmt.Println(hamt.IsRoot(substrate), hamt.IsRoot(basicnode.NewString("no map")))
	// Output: true false
}

// In Filecoin's layouts blocks do not say what the parameters are, so whoever
// loads a map has to.
func ExampleWithParams() {
	ctx, lsys := context.Background(), newLinkSystem()
	txn, err := builder.Prototype{LinkSystem: lsys, Params: params.Filecoin()}.NewTxn()
	if err != nil {
		panic(err)
	}
	if err := txn.SetString("a", basicnode.NewInt(1)); err != nil {
		panic(err)
	}
	_, root, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	m, err := hamt.Load(ctx, lsys, root, hamt.WithParams(params.Filecoin()))
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Length(), m.Params())
	// Output: 1 sha2-256, bit width 5, bucket size 3, filecoin-v3
}

// Nodes below the root have a type of their own in the schema.
func Example_schemaNode() {
	node, err := ipld.DecodeUsingPrototype([]byte("\x82\x41\x01\x81\x81\x82\x43key\x07"), dagcbor.Decode, hamt.HashMapNodePrototype)
	if err != nil {
		panic(err)
	}
	data, err := node.LookupByString("data")
	if err != nil {
		panic(err)
	}
	fmt.Println(data.Length(), "element")
	// Output: 1 element
}

// A traversal with KeySelector loads what a lookup loads; here a CAR or a copy
// would note the blocks.
func ExampleKeySelector() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"Alice": basicnode.NewInt(1), "Rabbit": basicnode.NewString("late")})
	hamt.Register(lsys)

	err := exampleWalk(lsys, root, hamt.KeySelector("Rabbit"), func(p traversal.Progress, n datamodel.Node) error {
		value, err := n.AsString()
		fmt.Println(p.Path, "is", value)
		return err
	})
	if err != nil {
		panic(err)
	}
	// Output: Rabbit is late
}

// exampleWalk walks from a root with a selector.
func exampleWalk(lsys *linking.LinkSystem, root datamodel.Link, spec datamodel.Node, visit traversal.VisitFn) error {
	start, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		return err
	}
	compiled, err := selector.CompileSelector(spec)
	if err != nil {
		return err
	}
	progress := traversal.Progress{Cfg: &traversal.Config{
		LinkSystem:                     *lsys,
		LinkTargetNodePrototypeChooser: basicnode.Chooser,
	}}
	return progress.WalkMatching(start, compiled, visit)
}

// Entries come as one match each, with what a value that is a link links to.
func ExampleEntriesSelector() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"Alice": basicnode.NewInt(1), "Rabbit": basicnode.NewString("late")})
	hamt.Register(lsys)

	matches := 0
	err := exampleWalk(lsys, root, hamt.EntriesSelector(), func(traversal.Progress, datamodel.Node) error {
		matches++
		return nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(matches)
	// Output: 2
}

// With EntitySelector a traversal loads a map's own blocks, and none of those
// that its values link to.
func ExampleEntitySelector() {
	lsys := newLinkSystem()
	elsewhere := exampleMap(lsys, map[string]datamodel.Node{"far": basicnode.NewInt(1)})
	entries := map[string]datamodel.Node{}
	for i := range 1000 {
		entries[fmt.Sprint("key ", i)] = basicnode.NewLink(elsewhere)
	}
	root := exampleMap(lsys, entries)
	hamt.Register(lsys)

	var loads atomic.Int64
	open := lsys.StorageReadOpener
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		loads.Add(1)
		return open(lctx, link)
	}
	err := exampleWalk(lsys, root, hamt.EntitySelector(), func(_ traversal.Progress, n datamodel.Node) error {
		fmt.Println(n.Kind())
		return nil
	})
	if err != nil {
		panic(err)
	}
	loaded := loads.Load()
	m, err := hamt.Load(context.Background(), lsys, root)
	if err != nil {
		panic(err)
	}
	stats, err := m.Stats(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(loaded == stats.Blocks)
	// Output:
	// map
	// true
}

// One level deep in the values: what they link to is loaded as well.
func ExampleEntriesAndLinksSelector() {
	lsys := newLinkSystem()
	portrait, err := lsys.Store(linking.LinkContext{}, cidlink.LinkPrototype{Prefix: cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)}, basicnode.NewString("a portrait"))
	if err != nil {
		panic(err)
	}
	rabbit, err := qp.BuildMap(basicnode.Prototype.Any, 1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "portrait", qp.Link(portrait))
	})
	if err != nil {
		panic(err)
	}
	root := exampleMap(lsys, map[string]datamodel.Node{"Rabbit": rabbit})
	hamt.Register(lsys)
	err = exampleWalk(lsys, root, hamt.EntriesAndLinksSelector(), func(p traversal.Progress, n datamodel.Node) error {
		fmt.Println(p.Path, n.Kind())
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// Rabbit map
	// Rabbit/portrait string
}

// A traversal that could not look into a block ends as if there was nothing in
// it. Whoever has to know captures the errors.
func ExampleCaptureErrors() {
	lsys := newLinkSystem()
	entries := map[string]datamodel.Node{}
	for i := range 1000 {
		entries[fmt.Sprint("key ", i)] = basicnode.NewInt(int64(i))
	}
	root := exampleMap(lsys, entries)
	hamt.Register(lsys)
	open := lsys.StorageReadOpener
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		if link != root { // all others are lost
			return nil, errors.New("not found")
		}
		return open(lctx, link)
	}

	lsys, errs := hamt.CaptureErrors(lsys)
	matches := 0
	err := exampleWalk(lsys, root, hamt.KeySelector("key 7"), func(traversal.Progress, datamodel.Node) error {
		matches++
		return nil
	})
	fmt.Println(matches, err)
	fmt.Println(errors.Is(errs.Err(), fault.ErrMissing), len(errs.Links()))
	// Output:
	// 0 <nil>
	// true 1
}

// With PrototypeChooser, FocusedTransform edits a map behind a link: what the
// link then leads to is the block that a fresh build makes.
func ExamplePrototypeChooser() {
	lsys := newLinkSystem()
	inner := exampleMap(lsys, map[string]datamodel.Node{"color": basicnode.NewString("white")})
	outer := exampleMap(lsys, map[string]datamodel.Node{"rabbit": basicnode.NewLink(inner)})

	m, err := hamt.Load(context.Background(), lsys, outer)
	if err != nil {
		panic(err)
	}
	progress := traversal.Progress{Cfg: &traversal.Config{
		LinkSystem:                     *lsys,
		LinkTargetNodePrototypeChooser: hamt.PrototypeChooser(lsys),
	}}
	changed, err := progress.FocusedTransform(m, datamodel.ParsePath("rabbit/color"),
		func(traversal.Progress, datamodel.Node) (datamodel.Node, error) {
			return basicnode.NewString("pink"), nil
		}, false)
	if err != nil {
		panic(err)
	}

	link, err := changed.LookupByString("rabbit")
	if err != nil {
		panic(err)
	}
	root, err := link.AsLink()
	if err != nil {
		panic(err)
	}
	fmt.Println(root == exampleMap(lsys, map[string]datamodel.Node{"color": basicnode.NewString("pink")}))
	// Output: true
}

// Reifier is Reify with options: here for a map in a Filecoin layout, whose
// blocks do not say what its parameters are.
func ExampleReifier() {
	ctx, lsys := context.Background(), newLinkSystem()
	txn, err := builder.Prototype{LinkSystem: lsys, Params: params.Filecoin()}.NewTxn()
	if err != nil {
		panic(err)
	}
	if err := txn.SetString("a", basicnode.NewInt(1)); err != nil {
		panic(err)
	}
	_, root, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}

	substrate, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}
	reify := hamt.Reifier(hamt.WithParams(params.Filecoin()))
	m, err := reify(linking.LinkContext{Ctx: ctx}, substrate, lsys)
	if err != nil {
		panic(err)
	}
	fmt.Println(substrate.Kind(), m.Kind(), m.Length())
	// Output: list map 1
}

// RootsReifier is ReifyRoots with options: over a LinkSystem that is known to be
// safe for concurrent use, maps that a traversal meets may load ahead.
func ExampleRootsReifier() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1)})

	lsys.NodeReifier = hamt.RootsReifier(hamt.WithReadAhead(16), hamt.WithCacheBytes(1<<20))
	m, err := lsys.Load(linking.LinkContext{}, root, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}
	fmt.Println(m.(*adl.Node).ReadAhead())
	// Output: 16
}

// With RootsOr two ADLs share a LinkSystem: what is no HAMT is the other's to
// look at. Beside UnixFS that is hamt.RootsOr(unixfsnode.Reify).
func ExampleRootsOr() {
	lsys := newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1)})
	secret, err := lsys.Store(linking.LinkContext{}, root.Prototype(), basicnode.NewString("Enoovg"))
	if err != nil {
		panic(err)
	}

	lsys.NodeReifier = hamt.RootsOr(func(_ linking.LinkContext, n datamodel.Node, _ *linking.LinkSystem) (datamodel.Node, error) {
		if n.Kind() != datamodel.Kind_String {
			return n, nil
		}
		return rot13adl.Reify(n)
	})
	for _, link := range []datamodel.Link{root, secret} {
		node, err := lsys.Load(linking.LinkContext{}, link, basicnode.Prototype.Any)
		if err != nil {
			panic(err)
		}
		text, err := ipld.Encode(node, dagjson.Encode)
		fmt.Println(string(text), err)
	}
	// Output:
	// {"a":1} <nil>
	// "Rabbit" <nil>
}

// Without a cache every lookup loads the blocks on its way, and memory stays
// that of the root.
func ExampleWithCacheBytes() {
	ctx, lsys := context.Background(), newLinkSystem()
	entries := map[string]datamodel.Node{}
	for i := range 1000 {
		entries[fmt.Sprint("key ", i)] = basicnode.NewInt(int64(i))
	}
	root := exampleMap(lsys, entries)
	for _, limit := range []int64{1 << 20, 0} {
		m, err := hamt.Load(ctx, lsys, root, hamt.WithCacheBytes(limit))
		if err != nil {
			panic(err)
		}
		if _, err := m.GetString(ctx, "key 7"); err != nil {
			panic(err)
		}
		fmt.Println(m.CacheStats().Nodes)
	}
	// Output:
	// 1
	// 0
}

// A slow store that allows it is asked for more blocks at the same time.
func ExampleWithReadAhead() {
	ctx, lsys := context.Background(), newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewInt(1)})
	m, err := hamt.Load(ctx, lsys, root, hamt.WithReadAhead(256))
	if err != nil {
		panic(err)
	}
	fmt.Println(m.ReadAhead())
	// Output: 256
}

// Blocks from strangers are refused beyond a size.
func ExampleWithMaxBlockBytes() {
	ctx, lsys := context.Background(), newLinkSystem()
	root := exampleMap(lsys, map[string]datamodel.Node{"a": basicnode.NewBytes(make([]byte, 10_000))})
	_, err := hamt.Load(ctx, lsys, root, hamt.WithMaxBlockBytes(4096))
	fmt.Println(errors.Is(err, fault.ErrTooLarge))
	// Output: true
}
