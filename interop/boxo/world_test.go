package boxo_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/sync"
	unixfs "github.com/ipfs/go-unixfsnode/data/builder"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// What the tests and the Example read:
//
//	root (a HAMT of some blocks)
//	├── dir      link ── UnixFS directory
//	│                    └── hello.txt
//	├── inner    link ── HAMT of some blocks
//	│                    ├── dir ── the same directory
//	│                    ├── deep      {"a": [7]}
//	│                    └── key 0 …
//	├── plain    link ── {"inner": the inner HAMT}
//	├── Rabbit           [{"column": 22, "line": 1}]
//	└── key 0, key 1 …
//
// many is how many keys with a number are in each of the two: so many that no
// value is in a root block.
const many = 2000

const hello = "Hello, Alice!\n"

func newStore() blockstore.Blockstore {
	return blockstore.NewBlockstore(sync.MutexWrap(datastore.NewMapDatastore()))
}

// linkSystem returns a LinkSystem over a Blockstore.
func linkSystem(store blockstore.Blockstore) *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageReadOpener = func(lctx linking.LinkContext, link datamodel.Link) (io.Reader, error) {
		block, err := store.Get(contextOf(lctx), link.(cidlink.Link).Cid)
		if err != nil {
			return nil, err
		}
		return bytes.NewReader(block.RawData()), nil
	}
	lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		var buffer bytes.Buffer
		return &buffer, func(link datamodel.Link) error {
			block, err := blocks.NewBlockWithCid(buffer.Bytes(), link.(cidlink.Link).Cid)
			if err != nil {
				return err
			}
			return store.Put(contextOf(lctx), block)
		}, nil
	}
	return &lsys
}

func contextOf(lctx linking.LinkContext) context.Context {
	if lctx.Ctx == nil {
		return context.Background()
	}
	return lctx.Ctx
}

// buildExample writes the above and returns the root.
func buildExample(ctx context.Context, store blockstore.Blockstore) cid.Cid {
	lsys := linkSystem(store)
	file, size, err := unixfs.BuildUnixFSFile(strings.NewReader(hello), "", lsys)
	must(err)
	entry, err := unixfs.BuildUnixFSDirectoryEntry("hello.txt", int64(size), file)
	must(err)
	dir, _, err := unixfs.BuildUnixFSDirectory([]dagpb.PBLink{entry}, lsys)
	must(err)

	deep, err := qp.BuildMap(basicnode.Prototype.Any, 1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "a", qp.List(1, func(la datamodel.ListAssembler) { qp.ListEntry(la, qp.Int(7)) }))
	})
	must(err)
	inner := buildMap(ctx, lsys, map[string]datamodel.Node{"dir": basicnode.NewLink(dir), "deep": deep})

	nested, err := qp.BuildMap(basicnode.Prototype.Any, 1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "inner", qp.Link(inner))
	})
	must(err)
	plain, err := lsys.Store(linking.LinkContext{Ctx: ctx}, inner.Prototype(), nested)
	must(err)

	positions, err := qp.BuildList(basicnode.Prototype.Any, 1, func(la datamodel.ListAssembler) {
		qp.ListEntry(la, qp.Map(2, func(ma datamodel.MapAssembler) {
			qp.MapEntry(ma, "line", qp.Int(1))
			qp.MapEntry(ma, "column", qp.Int(22))
		}))
	})
	must(err)
	root := buildMap(ctx, lsys, map[string]datamodel.Node{
		"dir":    basicnode.NewLink(dir),
		"inner":  basicnode.NewLink(inner),
		"plain":  basicnode.NewLink(plain),
		"Rabbit": positions,
	})
	return root.(cidlink.Link).Cid
}

// buildMap writes a map of entries and of many keys.
func buildMap(ctx context.Context, lsys *linking.LinkSystem, entries map[string]datamodel.Node) datamodel.Link {
	txn, err := builder.Prototype{LinkSystem: lsys}.NewTxn()
	must(err)
	for i := range many {
		must(txn.SetString(fmt.Sprintf("key %d", i), basicnode.NewInt(int64(i))))
	}
	for key, value := range entries {
		must(txn.SetString(key, value))
	}
	_, link, err := txn.Commit(ctx)
	must(err)
	return link
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
