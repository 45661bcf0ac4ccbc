package hamttest

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"
)

// PyHAMT is what py-hamt 3 wrote: see spec-fixtures/README.md.
type PyHAMT struct {
	Store   *Store
	Root    datamodel.Link
	Content Model             // every value is a link
	Values  map[string][]byte // the bytes behind it
	// Bare is the id of the root where ids are byte strings, in place of CIDs.
	Bare string
}

// PyHAMTSample reads a document of spec-fixtures/py-hamt-3. A tree whose ids are
// byte strings, as they are in memory only, gets CIDs in their place.
func PyHAMTSample(t testing.TB, name string) PyHAMT {
	t.Helper()
	text, err := os.ReadFile(fixturePath(t, "py-hamt-3/"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Root    string
		Keys    []string
		Entries map[string]string // in hex
		Blocks  map[string]string // in hex
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	p := PyHAMT{Store: NewStore(), Content: Model{}, Values: map[string][]byte{}}
	blocks := map[string][]byte{}
	for id, block := range document.Blocks {
		blocks[id] = Must(hex.DecodeString(block))
	}
	if document.Entries == nil {
		p.Root = LinkTo(t, document.Root)
		for id, block := range blocks {
			p.Store.Put(cid.MustParse(id), block)
		}
		p.read(t, Must(ipld.Decode(blocks[document.Root], dagcbor.Decode)))
		if len(p.Content) != len(document.Keys) {
			t.Fatalf("%d keys, and py-hamt lists %d", len(p.Content), len(document.Keys))
		}
		for _, key := range document.Keys {
			if p.Content[key] == nil {
				t.Fatalf("key %q is missing", key)
			}
		}
		return p
	}
	p.Bare = document.Root
	p.Root = p.named(t, blocks, document.Root)
	for key, value := range document.Entries {
		p.Values[key] = Must(hex.DecodeString(value))
		p.Content[key] = basicnode.NewLink(PyHAMTLink(multicodec.Raw, p.Values[key]))
	}
	return p
}

// PyHAMTLink names a block as py-hamt 3 does unless told otherwise.
func PyHAMTLink(codec multicodec.Code, block []byte) datamodel.Link {
	return cidlink.Link{Cid: Must(cid.NewPrefixV1(uint64(codec), multihash.BLAKE3).Sum(block))}
}

// read collects the entries below a node, by go-ipld-prime alone.
func (p PyHAMT) read(t testing.TB, node datamodel.Node) {
	t.Helper()
	for it := node.ListIterator(); !it.Done(); {
		_, item, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if item.Kind() == datamodel.Kind_List {
			link := Must(Must(item.LookupByIndex(0)).AsLink())
			p.read(t, Must(ipld.Decode(p.Store.Block(link), dagcbor.Decode)))
			continue
		}
		for entries := item.MapIterator(); !entries.Done(); {
			key, value, err := entries.Next()
			if err != nil {
				t.Fatal(err)
			}
			p.Content[Must(key.AsString())] = value
			p.Values[Must(key.AsString())] = p.Store.Block(Must(value.AsLink()))
		}
	}
}

// named puts the tree below an id, with CIDs in place of ids.
func (p PyHAMT) named(t testing.TB, blocks map[string][]byte, id string) datamodel.Link {
	t.Helper()
	block := PyHAMTWithIDs(t, blocks[id], func(isNode bool, id datamodel.Node) datamodel.Node {
		name := hex.EncodeToString(Must(id.AsBytes()))
		if isNode {
			return basicnode.NewLink(p.named(t, blocks, name))
		}
		link := PyHAMTLink(multicodec.Raw, blocks[name])
		p.Store.Put(link.(cidlink.Link).Cid, blocks[name])
		return basicnode.NewLink(link)
	})
	link := PyHAMTLink(multicodec.DagCbor, block)
	p.Store.Put(link.(cidlink.Link).Cid, block)
	return link
}

// PyHAMTWithIDs returns a node with others in place of its ids, by go-ipld-prime
// alone.
func PyHAMTWithIDs(t testing.TB, block []byte, replace func(isNode bool, id datamodel.Node) datamodel.Node) []byte {
	t.Helper()
	nb := basicnode.Prototype.List.NewBuilder()
	list := Must(nb.BeginList(256))
	assign := func(to datamodel.NodeAssembler, value datamodel.Node) {
		if err := to.AssignNode(value); err != nil {
			t.Fatal(err)
		}
	}
	for it := Must(ipld.Decode(block, dagcbor.Decode)).ListIterator(); !it.Done(); {
		_, item, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if item.Kind() == datamodel.Kind_List {
			child := Must(list.AssembleValue().BeginList(1))
			assign(child.AssembleValue(), replace(true, Must(item.LookupByIndex(0))))
			if err := child.Finish(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		bucket := Must(list.AssembleValue().BeginMap(item.Length()))
		for entries := item.MapIterator(); !entries.Done(); {
			key, value, err := entries.Next()
			if err != nil {
				t.Fatal(err)
			}
			assign(bucket.AssembleKey(), key)
			assign(bucket.AssembleValue(), replace(false, value))
		}
		if err := bucket.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.Finish(); err != nil {
		t.Fatal(err)
	}
	return Must(ipld.Encode(nb.Build(), dagcbor.Encode))
}
