package unixfs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ipfs/go-cid"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// numbers is what the files are that testdata/make makes.
type numbers struct {
	next int
	rest []byte
}

func (n *numbers) Read(p []byte) (int, error) {
	for len(n.rest) < len(p) {
		n.next++
		n.rest = append(strconv.AppendInt(n.rest, int64(n.next), 10), '\n')
	}
	n.rest = n.rest[copy(p, n.rest):]
	return len(p), nil
}

func begin(length int64) io.Reader { return io.LimitReader(&numbers{}, length) }

func content(t testing.TB, length int64) []byte {
	t.Helper()
	data, err := io.ReadAll(begin(length))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func newStore() (*linking.LinkSystem, *memstore.Store) {
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys := cidlink.DefaultLinkSystem()
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys, store
}

// read reads a file to the end.
func read(lsys *linking.LinkSystem, root cid.Cid) ([]byte, error) {
	ctx := context.Background()
	f, err := Open(ctx, lsys, root)
	if err != nil {
		return nil, err
	}
	all := []byte{}
	for chunk, err := range f.Chunks(ctx) {
		if err != nil {
			return all, err
		}
		data, err := f.Load(ctx, chunk)
		if err != nil {
			return all, err
		}
		all = append(all, data...)
	}
	if uint64(len(all)) != f.Size() {
		return all, fmt.Errorf("%d bytes, and it is said to have %d", len(all), f.Size())
	}
	return all, nil
}

// TestKubo wants the roots that Kubo gives the same bytes, and the bytes back.
func TestKubo(t *testing.T) {
	table, err := os.Open("testdata/kubo.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	files := 0
	for lines := bufio.NewScanner(table); lines.Scan(); {
		var chunk int
		var length int64
		var want string
		if _, err := fmt.Sscan(lines.Text(), &chunk, &length, &want); err != nil {
			continue // a comment
		}
		files++
		lsys, _ := newStore()
		root, err := write(t.Context(), lsys, iotest.HalfReader(begin(length)), chunk)
		if err != nil || root.String() != want {
			t.Errorf("%d bytes in chunks of %d: %s, %v, want %s", length, chunk, root, err, want)
			continue
		}
		if got, err := read(lsys, root); err != nil || !bytes.Equal(got, content(t, length)) {
			t.Errorf("%d bytes in chunks of %d: %d bytes back, %v", length, chunk, len(got), err)
		}
	}
	if files < 10 {
		t.Errorf("only %d files", files)
	}
	lsys, _ := newStore()
	if root, err := Write(t.Context(), lsys, begin(1_000_000)); err != nil || root.String() != "bafybeicvxn6zsly6tbdfwfkve4fu23mkrihmykb4ggox4rwjjgcr5onrya" {
		t.Errorf("with Kubo's own chunks: %s, %v", root, err)
	}
}

// TestOtherLayouts reads what Kubo writes with other options.
func TestOtherLayouts(t *testing.T) {
	lengths := map[string]int64{"empty-v0": 0, "small-v0": 100, "blake3": 2000}
	names, err := filepath.Glob("testdata/*.car")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d CARs, %v", len(names), err)
	}
	for _, name := range names {
		in, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		lsys, store := newStore()
		car, err := carfile.NewReader(in, name)
		if err != nil {
			t.Fatal(err)
		}
		for block, err := range car.Blocks() {
			if err != nil {
				t.Fatal(err)
			}
			store.Bag[block.CID.KeyString()] = block.Data
		}
		length, ok := lengths[strings.TrimSuffix(filepath.Base(name), ".car")]
		if !ok {
			length = 5000
		}
		root := car.Roots()[0]
		got, err := read(lsys, root)
		if err != nil || !bytes.Equal(got, content(t, length)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		// Each block counts, and what is cut off is no end.
		tried := 0
		for key := range store.Bag { // in random order
			if tried++; tried > 10 {
				break
			}
			block := store.Bag[key]
			delete(store.Bag, key)
			if got, err := read(lsys, root); err == nil || !bytes.HasPrefix(content(t, length), got) || !errors.As(err, new(*Error)) {
				t.Errorf("%s without a block: %d bytes, %v", name, len(got), err)
			}
			store.Bag[key] = block
		}
	}
}

// pb stores a dag-pb block.
func pb(t *testing.T, lsys *linking.LinkSystem, data []byte, links ...cid.Cid) cid.Cid {
	t.Helper()
	node, err := qp.BuildMap(dagpb.Type.PBNode, 2, func(node datamodel.MapAssembler) {
		qp.MapEntry(node, "Links", qp.List(-1, func(list datamodel.ListAssembler) {
			for _, link := range links {
				qp.ListEntry(list, qp.Map(1, func(entry datamodel.MapAssembler) {
					qp.MapEntry(entry, "Hash", qp.Link(cidlink.Link{Cid: link}))
				}))
			}
		}))
		if data != nil {
			qp.MapEntry(node, "Data", qp.Bytes(data))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return stored(t, lsys, 0x70, node)
}

func stored(t *testing.T, lsys *linking.LinkSystem, codec uint64, node datamodel.Node) cid.Cid {
	t.Helper()
	link, err := lsys.Store(linking.LinkContext{}, cidlink.LinkPrototype{Prefix: cid.Prefix{Version: 1, Codec: codec, MhType: 0x12, MhLength: 32}}, node)
	if err != nil {
		t.Fatal(err)
	}
	return link.(cidlink.Link).Cid
}

func TestMalformed(t *testing.T) {
	lsys, _ := newStore()
	abc := stored(t, lsys, 0x55, basicnode.NewBytes([]byte("abc")))
	cbor := stored(t, lsys, 0x71, basicnode.NewBytes([]byte("abc")))
	deep := pb(t, lsys, []byte("\x08\x02\x12\x01x\x18\x01"))
	for range maxDepth + 1 {
		deep = pb(t, lsys, []byte("\x08\x02\x18\x01\x20\x01"), deep)
	}
	for name, c := range map[string]struct {
		root  cid.Cid
		where cid.Cid // undefined for the root
		no    bool    // file at all
		says  string
	}{
		"CBOR":                        {root: cbor, no: true},
		"no data":                     {root: pb(t, lsys, nil), no: true},
		"a directory":                 {root: pb(t, lsys, []byte("\x08\x01")), no: true},
		"no type":                     {root: pb(t, lsys, []byte("\x18\x00")), no: true},
		"no protobuf":                 {root: pb(t, lsys, []byte("\x08")), no: true},
		"a type that is bytes":        {root: pb(t, lsys, []byte("\x0a\x00")), no: true},
		"a group":                     {root: pb(t, lsys, []byte("\x08\x02\x2b")), no: true},
		"data that is cut off":        {root: pb(t, lsys, []byte("\x08\x02\x12\x05abc")), no: true},
		"sizes for no links":          {root: pb(t, lsys, []byte("\x08\x02\x18\x03\x20\x03")), says: "0 parts, and the lengths of 1"},
		"links of no sizes":           {root: pb(t, lsys, []byte("\x08\x02\x18\x03"), abc), says: "1 parts, and the lengths of 0"},
		"an empty part":               {root: pb(t, lsys, []byte("\x08\x02\x18\x00\x20\x00"), abc), says: "add up"},
		"more than it says":           {root: pb(t, lsys, []byte("\x08\x02\x18\x02\x20\x03"), abc), says: "add up"},
		"less than it says":           {root: pb(t, lsys, []byte("\x08\x02\x18\x04\x20\x03"), abc), says: "add up"},
		"less than its data":          {root: pb(t, lsys, []byte("\x08\x02\x12\x02ab\x18\x01")), says: "add up"},
		"a part that is shorter":      {root: pb(t, lsys, []byte("\x08\x02\x18\x04\x20\x04"), abc), where: abc, says: "it has 3 bytes of the file, and is said to have 4"},
		"a part in CBOR":              {root: pb(t, lsys, []byte("\x08\x02\x18\x03\x20\x03"), cbor), where: cbor, says: "a part in the codec 0x71"},
		"a node with another length":  {root: pb(t, lsys, []byte("\x08\x02\x18\x04\x20\x04"), pb(t, lsys, []byte("\x08\x02\x12\x03abc\x18\x03"))), says: "it has 3 bytes of the file, and is said to have 4"},
		"blocks without end":          {root: deep, says: "more than 64 blocks below each other"},
		"sizes that overflow":         {root: pb(t, lsys, []byte("\x08\x02\x18\x02\x20\x03\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), abc, abc), says: "add up"},
		"a packed field that is none": {root: pb(t, lsys, []byte("\x08\x02\x22\x01\xff")), no: true},
	} {
		got, err := read(lsys, c.root)
		var bad *Error
		if !errors.As(err, &bad) || errors.Is(err, ErrNotFile) != (c.no || c.says == "a part in the codec 0x71") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v", name, got, err)
		} else if want := c.where; want.Defined() && bad.CID != want || !want.Defined() && c.no && bad.CID != c.root {
			t.Errorf("%s: it names %s", name, bad.CID)
		}
	}
	// What one may leave out, or write otherwise.
	for name, root := range map[string]cid.Cid{
		"no length":            pb(t, lsys, []byte("\x08\x00\x12\x03abc")),
		"packed":               pb(t, lsys, []byte("\x08\x02\x18\x03\x22\x01\x03"), abc),
		"other fields":         pb(t, lsys, []byte("\x08\x02\x12\x03abc\x18\x03\x38\x01\x41abcdefgh\x4dabcd\x52\x01x")),
		"data before its part": pb(t, lsys, []byte("\x08\x02\x12\x01a\x18\x03\x20\x02"), stored(t, lsys, 0x55, basicnode.NewBytes([]byte("bc")))),
		"a part of a part":     pb(t, lsys, []byte("\x08\x02\x18\x03\x20\x03"), pb(t, lsys, []byte("\x08\x02\x18\x03\x20\x03"), abc)),
	} {
		if got, err := read(lsys, root); err != nil || string(got) != "abc" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestFails: what a reader or a store says is passed on.
func TestFails(t *testing.T) {
	broken := errors.New("broken")
	lsys, store := newStore()
	if _, err := Write(t.Context(), lsys, io.MultiReader(begin(300_000), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
	for after := range 3 {
		n := 0
		lsys.StorageWriteOpener = func(lctx linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
			if n++; n > after {
				return nil, nil, broken
			}
			var block bytes.Buffer
			return &block, func(link datamodel.Link) error { return store.Put(context.Background(), link.Binary(), block.Bytes()) }, nil
		}
		if _, err := Write(t.Context(), lsys, begin(300_000)); !errors.Is(err, broken) {
			t.Errorf("after %d blocks: %v", after, err)
		}
	}
}

// FuzzNode reads any dag-pb block as a file: it is an error, or adds up.
func FuzzNode(f *testing.F) {
	f.Add([]byte("\x0a\x07\x08\x02\x12\x03abc"))
	f.Add([]byte("\x12\x26\x0a\x24\x01\x55\x12\x20abcdefghijklmnopqrstuvwxyz012345\x0a\x06\x08\x02\x18\x03\x20\x03"))
	f.Fuzz(func(t *testing.T, block []byte) {
		builder := dagpb.Type.PBNode.NewBuilder()
		if dagpb.DecodeBytes(builder, block) != nil {
			return
		}
		n, err := parseNode(builder.Build())
		if err != nil {
			return
		}
		sum := uint64(len(n.data))
		for _, size := range n.sizes {
			sum += size
		}
		if sum != n.size || len(n.sizes) != len(n.links) {
			t.Errorf("%d bytes in %d parts of %d, with %d links", n.size, sum, len(n.sizes), len(n.links))
		}
	})
}
