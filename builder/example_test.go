package builder_test

import (
	"context"
	"fmt"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func newLinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys
}

// A Prototype is a datamodel.NodePrototype: its builder makes a HAMT as any
// other makes a map. The blocks are written by Finish.
func ExamplePrototype() {
	p := params.Default()
	p.BitWidth = 5
	nb := builder.Prototype{LinkSystem: newLinkSystem(), Params: p}.NewBuilder()
	ma, err := nb.BeginMap(1)
	if err != nil {
		panic(err)
	}
	va, err := ma.AssembleEntry("Alice")
	if err != nil {
		panic(err)
	}
	if err := va.AssignInt(1); err != nil {
		panic(err)
	}
	if err := ma.Finish(); err != nil {
		panic(err)
	}
	fmt.Println(nb.Build().Length())
	// Output: 1
}

// A transaction collects changes; Commit writes the nodes that they change.
func ExampleNewTxn() {
	ctx := context.Background()
	empty, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	if err := empty.SetString("Alice", basicnode.NewInt(1)); err != nil {
		panic(err)
	}
	first, _, err := empty.Commit(ctx)
	if err != nil {
		panic(err)
	}

	txn, err := builder.NewTxn(first)
	if err != nil {
		panic(err)
	}
	fmt.Println(txn.SetStringIfAbsent(ctx, "Alice", basicnode.NewInt(2)))
	fmt.Println(txn.SetStringIfAbsent(ctx, "Rabbit", basicnode.NewInt(3)))
	fmt.Println(txn.DeleteString(ctx, "Alice"))
	fmt.Println(txn.HasString(ctx, "Alice")) // a transaction sees its own changes
	if _, err := txn.GetString(ctx, "Rabbit"); err != nil {
		panic(err)
	}
	second, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(first.HasString(ctx, "Alice"))
	fmt.Println(second.HasString(ctx, "Alice"))
	// Output:
	// false <nil>
	// true <nil>
	// true <nil>
	// false <nil>
	// true <nil>
	// false <nil>
}

// A map of any size is built from a stream of entries; what does not fit into
// the memory it is given is sorted and spilled to disk.
func ExamplePrototype_NewBulk() {
	ctx := context.Background()
	bulk, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewBulk(builder.BulkOptions{MemoryBytes: 64 << 20})
	if err != nil {
		panic(err)
	}
	defer bulk.Close()
	for i := range 1000 {
		if err := bulk.SetString(fmt.Sprint("key ", i), basicnode.NewInt(int64(i))); err != nil {
			panic(err)
		}
	}
	m, _, err := bulk.Finish(ctx)
	if err != nil {
		panic(err)
	}
	value, err := m.GetString(ctx, "key 7")
	if err != nil {
		panic(err)
	}
	fmt.Println(value.AsInt())
	fmt.Println(m.Count(ctx))
	// Output:
	// 7 <nil>
	// 1000 <nil>
}

// Rebuild also changes parameters: the new map holds the same entries.
func ExampleRebuild() {
	ctx := context.Background()
	txn, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	if err := txn.SetString("Alice", basicnode.NewInt(1)); err != nil {
		panic(err)
	}
	m, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	wider := builder.PrototypeOf(m)
	wider.Params.BitWidth = 10
	rebuilt, _, err := builder.Rebuild(ctx, m, wider, builder.BulkOptions{})
	if err != nil {
		panic(err)
	}
	fmt.Println(rebuilt.Params())
	// Output: sha2-256, bit width 10, bucket size 3
}

// Edit changes a map with limits of one's own: here, values above 100 bytes
// become blocks of their own.
func ExamplePrototype_Edit() {
	ctx := context.Background()
	txn, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	m, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	p := builder.PrototypeOf(m)
	p.InlineBytes = 100
	if txn, err = p.Edit(m); err != nil {
		panic(err)
	}
	if err := txn.SetString("large", basicnode.NewBytes(make([]byte, 1000))); err != nil {
		panic(err)
	}
	if m, _, err = txn.Commit(ctx); err != nil {
		panic(err)
	}
	value, err := m.GetString(ctx, "large")
	if err != nil {
		panic(err)
	}
	fmt.Println(value.Kind())
	// Output: link
}

// PrototypeOf builds maps like another one.
func ExamplePrototypeOf() {
	p := params.Default()
	p.BitWidth = 5
	txn, err := builder.Prototype{LinkSystem: newLinkSystem(), Params: p}.NewTxn()
	if err != nil {
		panic(err)
	}
	m, _, err := txn.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(builder.PrototypeOf(m).Params)
	// Output: sha2-256, bit width 5, bucket size 3
}

// ReadWith says how the maps that are built are read afterwards.
func ExamplePrototype_ReadWith() {
	p := builder.Prototype{LinkSystem: newLinkSystem()}.ReadWith(adl.WithReadAhead(16), adl.WithCacheBytes(1<<20))
	txn, err := p.NewTxn()
	if err != nil {
		panic(err)
	}
	m, _, err := txn.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(m.ReadAhead())
	// Output: 16
}

// Code that knows nothing but go-ipld-prime's interfaces changes a map by
// amending it: the entries that are not assembled stay.
func ExamplePrototype_AmendingBuilder() {
	base, err := qp.BuildMap(builder.Prototype{LinkSystem: newLinkSystem()}, 2, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "Alice", qp.Int(1))
		qp.MapEntry(ma, "Rabbit", qp.String("late"))
	})
	if err != nil {
		panic(err)
	}

	nb := base.Prototype().(datamodel.NodePrototypeSupportingAmend).AmendingBuilder(base)
	ma, err := nb.BeginMap(1)
	if err != nil {
		panic(err)
	}
	qp.MapEntry(ma, "Rabbit", qp.String("in time"))
	if err := ma.Finish(); err != nil {
		panic(err)
	}
	text, err := ipld.Encode(nb.Build(), dagjson.Encode)
	fmt.Println(string(text), err)
	// Output: {"Alice":1,"Rabbit":"in time"} <nil>
}
