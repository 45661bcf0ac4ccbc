package hamttest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// BrokenTree is a map whose node at depth 2, on the way to a key, is somehow
// broken.
type BrokenTree struct {
	Store *Store
	Root  datamodel.Link
	Key   string // leads through the node
	Link  datamodel.Link
	Path  fault.Path
}

func NewBrokenTree(t *testing.T) BrokenTree {
	t.Helper()
	s, root := Stored(t, ManyLevels(), Numbered(200))
	for i := range 200 {
		key := fmt.Sprint("key-", i)
		path := PathOf(key, 2)
		if link := LinkAt(t, s, root, path); link != nil {
			return BrokenTree{s, root, key, link, path}
		}
	}
	t.Fatal("no node at depth 2")
	return BrokenTree{}
}

// Answer lets the store give something else for the node.
func (b BrokenTree) Answer(change func(raw []byte) []byte) {
	b.Store.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
		if link == b.Link {
			return change(raw), nil
		}
		return raw, nil
	}
}

// CyclicTree is a root and a node, of bit width 3 and under the identity hash,
// with eight links each; no block has their hash, so a store that lies may
// answer with these again.
func CyclicTree() [][]byte {
	link := append([]byte{0xd8, 0x2a, 0x58, 0x25, 0x00}, BlockOf(nil).Link.Binary()...)
	node := append([]byte{0x82, 0x41, 0xff, 0x88}, bytes.Repeat(link, 8)...)
	root := append([]byte("\xa3\x64hamt"), node...)
	root = append(root, "\x67hashAlg\x00\x6abucketSize\x01"...)
	return [][]byte{root, node}
}

// PathOf is where the sha2-256 hash of a key leads at bit width 3: the first
// levels of it.
func PathOf(key string, levels int) (path fault.Path) {
	digest := sha256.Sum256([]byte(key))
	for level := range levels {
		index := 0
		for bit := 3 * level; bit < 3*level+3; bit++ {
			index = index<<1 | int(digest[bit/8]>>(7-bit%8)&1)
		}
		path = append(path, index)
	}
	return path
}

// LinkAt returns the link of the node at a path, from the blocks alone; nil where
// there is none.
func LinkAt(t testing.TB, s *Store, root datamodel.Link, path fault.Path) datamodel.Link {
	t.Helper()
	n, p, err := block.ParseRoot(s.Block(root), params.Params{})
	for i, index := range path {
		if err != nil {
			t.Fatal(err)
		}
		position, ok := n.Find(index)
		if !ok || !n.IsLink(position) {
			return nil
		}
		link := Must(blockio.Link(n.Link(position)))
		if i == len(path)-1 {
			return link
		}
		n, err = block.Parse(s.Block(link), p)
	}
	return root
}

// Handmade puts nodes together byte by byte, as no builder would. The maps have
// the identity hash, bit width 8 and bucket size 3, so a key's bytes are its
// indexes.
type Handmade struct{ Store *Store }

func (h Handmade) Put(raw []byte) datamodel.Link {
	b := BlockOf(raw)
	h.Store.Put(b.Link.(cidlink.Link).Cid, raw)
	return b.Link
}

// Node encodes a node of elements by their indexes, which must ascend.
func (h Handmade) Node(indexes string, elements ...[]byte) []byte {
	bitmap := make([]byte, 32)
	for _, index := range []byte(indexes) {
		bitmap[index/8] |= 1 << (index % 8)
	}
	raw := append([]byte("\x82\x58\x20"), bitmap...)
	return append(append(raw, 0x80|byte(len(elements))), bytes.Join(elements, nil)...)
}

func (h Handmade) Root(indexes string, elements ...[]byte) datamodel.Link {
	raw := append([]byte("\xa3\x64hamt"), h.Node(indexes, elements...)...)
	return h.Put(append(raw, "\x67hashAlg\x00\x6abucketSize\x03"...))
}

func (Handmade) Bucket(key string, value byte) []byte {
	return append(append([]byte{0x81, 0x82, 0x40 | byte(len(key))}, key...), value)
}

func (Handmade) Link(to datamodel.Link) []byte {
	return Must(ipld.Encode(basicnode.NewLink(to), dagcbor.Encode))
}

type Block struct {
	Link  datamodel.Link
	Bytes []byte
}

// BlockOf names bytes as the default link prototype does.
func BlockOf(raw []byte) Block {
	prefix := cid.Prefix{Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(multicodec.Sha2_256), MhLength: -1}
	return Block{cidlink.Link{Cid: Must(prefix.Sum(raw))}, raw}
}

func Links(t *testing.T, n *adl.Node) map[string]bool {
	t.Helper()
	links := map[string]bool{}
	for link, err := range n.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		links[link.String()] = true
	}
	return links
}

// LinkPrototype names blocks by codec and hash.
func LinkPrototype(codec, hash multicodec.Code, length int) cidlink.LinkPrototype {
	lp := BlockOf(nil).Link.Prototype().(cidlink.LinkPrototype)
	lp.Codec, lp.MhType, lp.MhLength = uint64(codec), uint64(hash), length
	return lp
}

// Names returns the links as text.
func Names(links []datamodel.Link) (list []string) {
	for _, link := range links {
		list = append(list, link.String())
	}
	return list
}

// NonCanonicalRoots are roots that can be read and are not canonical: one entry with
// a key of two zero bytes under the identity hash, at index 0, and next to it
// one at index 4. What is not canonical is in the first value, or around it.
func NonCanonicalRoots() map[string][]byte {
	root := func(value string) []byte {
		return []byte("\xa3\x64hamt\x82\x41\x11\x82\x81\x82\x42\x00\x00" + value + "\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00\x6abucketSize\x02")
	}
	return map[string][]byte{
		"float of 16 bits":    root("\xf9\x3c\x00"),
		"float of 32 bits":    root("\xfa\x3f\x80\x00\x00"),
		"undefined":           root("\xf7"),
		"keys out of order":   root("\xa2\x61b\x01\x61a\x02"),
		"within a list":       root("\x82\x01\xa1\x61k\xf7"),
		"fields out of order": []byte("\xa3\x6abucketSize\x02\x64hamt\x82\x41\x11\x82\x81\x82\x42\x00\x00\x01\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00"),
		"empty bucket":        []byte("\xa3\x64hamt\x82\x41\x13\x83\x81\x82\x42\x00\x00\x01\x80\x81\x82\x42\x80\x00\xf4\x67hashAlg\x00\x6abucketSize\x02"),
	}
}
