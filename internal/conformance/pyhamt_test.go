package conformance_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/internal/unixfs"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// pyHAMTSamples are what py-hamt 3 wrote, with the bucket size it was told.
var pyHAMTSamples = map[string]struct {
	bucketSize int
	hash       multicodec.Code // of blocks
}{
	"empty":             {4, multicodec.Blake3},
	"tiny":              {4, multicodec.Blake3},
	"hundred":           {4, multicodec.Blake3},
	"hundred_bucket1":   {1, multicodec.Blake3},
	"kept100_fresh":     {4, multicodec.Blake3},
	"zarr3_grid":        {4, multicodec.Blake3},
	"zarr3_grid_sha256": {4, multicodec.Sha2_256},
}

func loadPyHAMT(t *testing.T, s *hamttest.Store, root datamodel.Link, options ...hamt.Option) *adl.Node {
	t.Helper()
	return hamttest.Load(t, s, root, append([]hamt.Option{hamt.WithParams(params.PyHAMT())}, options...)...)
}

// TestPyHAMTSamples reads, verifies and builds what py-hamt wrote, in every way,
// block by block.
func TestPyHAMTSamples(t *testing.T) {
	for name, sample := range pyHAMTSamples {
		t.Run(name, func(t *testing.T) {
			want := hamttest.PyHAMTSample(t, name)
			p := params.PyHAMT()
			p.BucketSize = sample.bucketSize
			node := hamttest.Load(t, want.Store, want.Root, hamt.WithParams(p))
			hamttest.ExpectContent(t, node, want.Content)
			hamttest.ExpectVerified(t, node)
			for key, value := range want.Values {
				link := hamttest.Must(hamttest.Must(node.GetString(t.Context(), key)).AsLink())
				if string(want.Store.Block(link)) != string(value) {
					t.Errorf("the bytes of %q", key)
				}
			}
			for way, make := range hamttest.Makers {
				s := hamttest.NewStore()
				prototype := builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}
				if sample.hash != multicodec.Blake3 {
					prototype.LinkPrototype = hamttest.LinkPrototype(multicodec.DagCbor, sample.hash, -1)
				}
				built := hamttest.Must(make(t.Context(), prototype, want.Content))
				if link := hamttest.RootOf(t, built); link != want.Root {
					t.Errorf("root %s by %s, want %s", link, way, want.Root)
				}
				for link := range hamttest.Links(t, built) {
					if l := hamttest.LinkTo(t, link); string(s.Block(l)) != string(want.Store.Block(l)) {
						t.Errorf("block %s by %s is another", l, way)
					}
				}
				if want.Bare != "" {
					if id := bareID(t, s, want.Root); id != want.Bare {
						t.Errorf("id %s by %s, want %s", id, way, want.Bare)
					}
				}
			}
		})
	}
}

// bareID returns the id that py-hamt's InMemoryCAS gives a tree: the multihash of a
// block in which the ids are byte strings.
func bareID(t *testing.T, s *hamttest.Store, root datamodel.Link) string {
	t.Helper()
	block := hamttest.PyHAMTWithIDs(t, s.Block(root), func(isNode bool, id datamodel.Node) datamodel.Node {
		link := hamttest.Must(id.AsLink())
		if isNode {
			return basicnode.NewBytes(hamttest.Must(hex.DecodeString(bareID(t, s, link))))
		}
		return basicnode.NewBytes(link.(cidlink.Link).Hash())
	})
	return hex.EncodeToString(hamttest.PyHAMTLink(multicodec.DagCbor, block).(cidlink.Link).Hash())
}

// TestPyHAMTSetsAndDeletes comes to the samples by changes: values that become
// blocks of their own, and deletes that collapse nodes as py-hamt 3.5 does.
func TestPyHAMTSetsAndDeletes(t *testing.T) {
	want := hamttest.PyHAMTSample(t, "kept100_fresh")
	s := hamttest.NewStore()
	txn := hamttest.Must(builder.Prototype{Params: params.PyHAMT(), LinkSystem: s.LinkSystem()}.NewTxn())
	var others []string
	for i := range 2900 {
		others = append(others, fmt.Sprint("another/c/", i))
	}
	for key, value := range want.Values {
		if err := txn.SetString(key, basicnode.NewBytes(value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range others {
		if err := txn.SetString(key, basicnode.NewString(key)); err != nil {
			t.Fatal(err)
		}
	}
	large, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats := hamttest.Must(large.Stats(t.Context())); stats.Blocks < 50 || stats.Entries != 3000 {
		t.Errorf("%+v", stats)
	}
	for _, value := range want.Values {
		if link := hamttest.PyHAMTLink(multicodec.Raw, value); string(s.Block(link)) != string(value) {
			t.Fatalf("there is no block %s for %q", link, value)
		}
	}
	for batch := range slices.Chunk(others, 700) {
		for _, key := range batch {
			if existed, err := txn.DeleteString(t.Context(), key); err != nil || !existed {
				t.Fatal(existed, err)
			}
		}
		if _, _, err := txn.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if link := hamttest.RootOf(t, txn.Base()); link != want.Root {
		t.Errorf("root %s, want %s", link, want.Root)
	}
}

// TestPyHAMTLeftovers: what py-hamt 3.4.1 leaves behind when it deletes is read
// as what it means, named by Verify, and gone after an edit of all of it.
func TestPyHAMTLeftovers(t *testing.T) {
	left, fresh := hamttest.PyHAMTSample(t, "kept100_deletes_forward"), hamttest.PyHAMTSample(t, "kept100_fresh")
	node := loadPyHAMT(t, left.Store, left.Root)
	hamttest.ExpectContent(t, node, left.Content)
	if !maps.EqualFunc(left.Content, fresh.Content, func(a, b datamodel.Node) bool { return hamttest.Equal(t, a, b) }) {
		t.Fatal("the samples have not the same entries")
	}
	faults := 0
	for err := range node.Verify(t.Context()) {
		if !errors.Is(err, fault.ErrNotCollapsed) {
			t.Error(err)
		}
		faults++
	}
	if blocks := hamttest.Must(node.Stats(t.Context())).Blocks; int64(faults) != blocks-1 {
		t.Errorf("%d faults in %d blocks", faults, blocks)
	}
	_, root, err := builder.Rebuild(t.Context(), node, builder.PrototypeOf(node), builder.BulkOptions{})
	if err != nil || root != fresh.Root {
		t.Errorf("rebuilt %v, %v; want %s", root, err, fresh.Root)
	}
	txn := hamttest.Must(builder.NewTxn(node))
	for key, value := range left.Content {
		if err := txn.SetString(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, root, err := txn.Commit(t.Context()); err != nil || root != fresh.Root {
		t.Errorf("edited %v, %v; want %s", root, err, fresh.Root)
	}
}

// TestPyHAMTOtherBucketSize: a tree that was made with another bucket size than
// the one given can be read. Verify names what is another with it, and an edit
// goes by it.
func TestPyHAMTOtherBucketSize(t *testing.T) {
	content := hamttest.Model{}
	for i := range 2000 {
		content[fmt.Sprint("precip/c/", i)] = basicnode.NewLink(hamttest.PyHAMTLink(multicodec.Raw, fmt.Append(nil, i)))
	}
	wide := params.PyHAMT()
	wide.BucketSize = 9
	s, root := hamttest.Stored(t, wide, content)
	node := loadPyHAMT(t, s, root)
	hamttest.ExpectContent(t, node, content)
	overfull := 0
	for err := range node.Verify(t.Context()) {
		if errors.Is(err, fault.ErrBucketOverfull) {
			overfull++
		} else if !errors.Is(err, fault.ErrNotCollapsed) {
			t.Error(err)
		}
	}
	if overfull < 100 {
		t.Errorf("%d overfull buckets", overfull)
	}
	_, want := hamttest.Stored(t, params.PyHAMT(), content)
	if _, rebuilt, err := builder.Rebuild(t.Context(), node, builder.PrototypeOf(node), builder.BulkOptions{}); err != nil || rebuilt != want {
		t.Errorf("rebuilt %v, %v; want %s", rebuilt, err, want)
	}
	// One key changes the root, whose buckets have to be spread then, and nodes that
	// the key does not lead into stay.
	txn := hamttest.Must(builder.NewTxn(node))
	if err := txn.SetString("precip/c/7", content["precip/c/8"]); err != nil {
		t.Fatal(err)
	}
	edited, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content["precip/c/7"] = content["precip/c/8"]
	hamttest.ExpectContent(t, edited, content)
	for err := range edited.Verify(t.Context()) {
		var f *fault.Error
		if !errors.As(err, &f) || len(f.Path) == 0 && errors.Is(err, fault.ErrBucketOverfull) {
			t.Errorf("the root after an edit: %v", err)
		}
	}
}

// TestPyHAMTRefuses what its nodes cannot hold, whichever way it comes, and leaves
// nothing behind.
func TestPyHAMTRefuses(t *testing.T) {
	for way, make := range hamttest.Makers {
		s := hamttest.NewStore()
		prototype := builder.Prototype{Params: params.PyHAMT(), LinkSystem: s.LinkSystem()}
		_, err := make(t.Context(), prototype, hamttest.Model{"\xff\x00": datamodel.Null})
		var f *fault.Error
		if !errors.Is(err, fault.ErrKey) || !errors.As(err, &f) || string(f.Key) != "\xff\x00" || s.Len() > 0 {
			t.Errorf("%s: %v", way, err)
		}
		prototype.MaxBlockBytes = 1000
		if _, err := make(t.Context(), prototype, hamttest.Model{"k": basicnode.NewBytes(bytesOfLength(1001))}); !errors.Is(err, fault.ErrTooLarge) {
			t.Errorf("%s: a large value: %v", way, err)
		}
	}
	for width := range 17 {
		if err := (params.Params{Layout: params.PyHAMT3, BitWidth: width}).Validate(); (err == nil) != (width == 0 || width == 8) {
			t.Errorf("bit width %d: %v", width, err)
		}
	}
}

func bytesOfLength(n int) []byte { return make([]byte, n) }

// TestPyHAMTValues: what is no link becomes a block of its own. Of bytes it has
// those, of anything else the DAG-CBOR.
func TestPyHAMTValues(t *testing.T) {
	content := hamttest.Model{
		"bytes": basicnode.NewBytes([]byte("chunk")), "none": basicnode.NewBytes(nil),
		"text": basicnode.NewString("chunk"), "null": datamodel.Null,
		"list": hamttest.DecodeJSON(t, `[1,{"a":2}]`), "link": basicnode.NewLink(hamttest.BlockOf(nil).Link),
	}
	want := map[string]string{"bytes": "chunk", "none": "", "text": "\x65chunk", "null": "\xf6", "list": "\x82\x01\xa1\x61a\x02"}
	for way, make := range hamttest.Makers {
		s := hamttest.NewStore()
		node := hamttest.Must(make(t.Context(), builder.Prototype{Params: params.PyHAMT(), LinkSystem: s.LinkSystem()}, content))
		for key, block := range want {
			link := hamttest.Must(hamttest.Must(node.LookupByString(key)).AsLink())
			if link != hamttest.PyHAMTLink(multicodec.Raw, []byte(block)) || string(s.Block(link)) != block {
				t.Errorf("%s: %q is %q", way, key, s.Block(link))
			}
		}
		if !hamttest.Equal(t, hamttest.Must(node.LookupByString("link")), content["link"]) {
			t.Errorf("%s: the link is another", way)
		}
	}
}

// TestPyHAMTFiles: py-hamt 3.0 to 3.5 with sha2-256 has CIDv0s, of UnixFS files
// with nodes and values in them. They are read and written so.
func TestPyHAMTFiles(t *testing.T) {
	v0 := cidlink.LinkPrototype{Prefix: cid.Prefix{Version: 0, Codec: cid.DagProtobuf, MhType: multihash.SHA2_256, MhLength: 32}}
	plain, files := hamttest.NewStore(), hamttest.NewStore()
	content := hamttest.Model{}
	for i := range 3000 {
		content[fmt.Sprint("precip/c/", i)] = basicnode.NewBytes(fmt.Append(nil, "chunk ", i))
	}
	prototype := builder.Prototype{Params: params.PyHAMT(), LinkSystem: files.LinkSystem(), LinkPrototype: v0}
	node := hamttest.Must(hamttest.ByBulk(t.Context(), prototype, content))
	root := hamttest.RootOf(t, node)
	if root.String()[:2] != "Qm" {
		t.Errorf("root %s", root)
	}
	// The content of each file is the node as it is elsewhere, but for the links.
	for link := range hamttest.Links(t, node) {
		f := hamttest.Must(unixfs.Parse(files.Block(hamttest.LinkTo(t, link))))
		if len(f.Links) > 0 || len(f.Data) < 256 || string(f.Data[:3]) != "\x99\x01\x00" {
			t.Errorf("%s: %x", link, f.Data)
		}
	}
	loaded := loadPyHAMT(t, files, root)
	hamttest.ExpectVerified(t, loaded)
	if n := hamttest.Must(loaded.Count(t.Context())); n != int64(len(content)) {
		t.Errorf("%d entries", n)
	}
	values := 0
	for key, value := range content {
		link := hamttest.Must(hamttest.Must(loaded.GetString(t.Context(), key)).AsLink())
		if f := hamttest.Must(unixfs.Parse(files.Block(link))); string(f.Data) == string(hamttest.Must(value.AsBytes())) && link.String()[:2] == "Qm" {
			values++
		}
	}
	if values != len(content) {
		t.Errorf("%d values of %d", values, len(content))
	}
	// An edit writes nodes like those that are there.
	txn := hamttest.Must(builder.NewTxn(loaded))
	for _, key := range []string{"precip/c/1", "precip/c/2"} {
		if _, err := txn.DeleteString(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		delete(content, key)
	}
	_, edited, err := txn.Commit(t.Context())
	if want := hamttest.RootOf(t, hamttest.Must(hamttest.ByBulk(t.Context(), prototype, content))); err != nil || edited != want {
		t.Errorf("edited %v, %v; want %s", edited, err, want)
	}
	// All of its blocks are there, and make a map again.
	copied := hamttest.NewStore()
	for b, err := range loaded.RawBlocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		copied.Put(b.Link.(cidlink.Link).Cid, b.Bytes)
	}
	hamttest.ExpectVerified(t, loadPyHAMT(t, copied, root))
	// Under a root in DAG-CBOR, as 3.6 writes it, they are read, and are not canonical.
	rootNode := hamttest.Must(unixfs.Parse(files.Block(root))).Data
	mixedRoot := hamttest.BlockOf(rootNode).Link
	files.Put(mixedRoot.(cidlink.Link).Cid, rootNode)
	mixed := loadPyHAMT(t, files, mixedRoot)
	odd := 0
	for err := range mixed.Verify(t.Context()) {
		if odd++; !errors.Is(err, fault.ErrNotCanonical) {
			t.Error(err)
		}
	}
	stats := hamttest.Must(mixed.Stats(t.Context()))
	if int64(odd) != stats.Blocks-1 || odd < 50 || stats.Entries != 3000 {
		t.Errorf("%d nodes are not canonical: %+v", odd, stats)
	}
	// In other layouts there are none.
	_, err = hamttest.ByAssembler(t.Context(), builder.Prototype{LinkSystem: plain.LinkSystem(), LinkPrototype: v0}, content)
	if err == nil || plain.Len() > 0 {
		t.Errorf("a map of the specification in files: %v", err)
	}
}

// splitNode replaces the block of a node by a file of several, and returns its link.
func splitNode(s *hamttest.Store, node []byte, size int) datamodel.Link {
	var links, sizes []byte
	for piece := range slices.Chunk(node, size) {
		c := hamttest.Must(cid.NewPrefixV1(cid.Raw, multihash.BLAKE3).Sum(piece))
		s.Put(c, piece)
		link := append([]byte{0x0a, byte(c.ByteLen())}, c.Bytes()...)
		links = append(append(links, 0x12, byte(len(link))), link...)
		sizes = append(sizes, 0x20, byte(len(piece)))
	}
	data := append([]byte{0x08, 0x02, 0x18, 0x01}, sizes...)
	block := append(append(links, 0x0a, byte(len(data))), data...)
	c := hamttest.Must(cid.NewPrefixV1(cid.DagProtobuf, multihash.BLAKE3).Sum(block))
	s.Put(c, block)
	return cidlink.Link{Cid: c}
}

// TestPyHAMTNodeInSeveralBlocks: a node that was too large for one block is read
// from its parts, which are blocks of the map.
func TestPyHAMTNodeInSeveralBlocks(t *testing.T) {
	sample := hamttest.PyHAMTSample(t, "hundred_bucket1")
	p := params.PyHAMT()
	p.BucketSize = 1
	load := func(s *hamttest.Store, root datamodel.Link, ahead int) *adl.Node {
		return hamttest.Load(t, s, root, hamt.WithParams(p), hamt.WithReadAhead(ahead))
	}
	s := sample.Store
	// The largest node below the root, in parts of 120 bytes.
	var child datamodel.Link
	for link := range hamttest.Links(t, load(s, sample.Root, 1)) {
		if l := hamttest.LinkTo(t, link); l != sample.Root && (child == nil || len(s.Block(l)) > len(s.Block(child))) {
			child = l
		}
	}
	if child == nil {
		t.Fatal("the sample has but one node")
	}
	parts := splitNode(s, s.Block(child), 120)
	block := hamttest.PyHAMTWithIDs(t, s.Block(sample.Root), func(isNode bool, id datamodel.Node) datamodel.Node {
		if isNode && hamttest.Must(id.AsLink()) == child {
			return basicnode.NewLink(parts)
		}
		return id
	})
	root := hamttest.PyHAMTLink(multicodec.DagCbor, block)
	s.Put(root.(cidlink.Link).Cid, block)
	for _, ahead := range []int{1, 16} {
		node := load(s, root, ahead)
		hamttest.ExpectContent(t, node, sample.Content)
		hamttest.ExpectVerified(t, node)
		copied := hamttest.NewStore()
		for b, err := range node.RawBlocks(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			copied.Put(b.Link.(cidlink.Link).Cid, b.Bytes)
		}
		for link := range hamttest.Links(t, node) {
			if copied.Block(hamttest.LinkTo(t, link)) == nil {
				t.Errorf("block %s is not among RawBlocks", link)
			}
		}
		hamttest.ExpectVerified(t, load(copied, root, ahead))
	}
	// Parts are new blocks as others are.
	empty := hamttest.Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, hamttest.Model{})
	sent := hamttest.NewStore()
	for b, err := range diff.NewBlocks(t.Context(), empty, load(s, root, 1)) {
		if err != nil {
			t.Fatal(err)
		}
		sent.Put(b.Link.(cidlink.Link).Cid, b.Bytes)
	}
	hamttest.ExpectVerified(t, load(sent, root, 1))
	// A part that is missing, or another, is a fault of the node.
	lost := cid.Undef
	for link := range hamttest.Links(t, load(s, root, 1)) {
		if c := cid.MustParse(link); c.Prefix().Codec == cid.Raw {
			lost = c
		}
	}
	for kind, answer := range map[error]func([]byte) ([]byte, error){
		fault.ErrMissing:      func([]byte) ([]byte, error) { return nil, hamttest.ErrStore },
		fault.ErrHashMismatch: func(raw []byte) ([]byte, error) { return raw[1:], nil },
	} {
		s.OnRead = func(link datamodel.Link, raw []byte) ([]byte, error) {
			if link.(cidlink.Link).Cid == lost {
				return answer(raw)
			}
			return raw, nil
		}
		_, err := load(s, root, 1).Count(t.Context())
		var f *fault.Error
		if !errors.Is(err, kind) || !errors.As(err, &f) || f.Link != parts || len(f.Path) != 1 {
			t.Errorf("want %v: %v", kind, err)
		}
	}
}

// TestPyHAMTReify: a reifier that is told of the layout sees the decoded root as
// the map; without, the error says which layout it looks like.
func TestPyHAMTReify(t *testing.T) {
	sample := hamttest.PyHAMTSample(t, "hundred")
	lsys := sample.Store.LinkSystem()
	plain, err := lsys.Load(linking.LinkContext{Ctx: t.Context()}, sample.Root, basicnode.Prototype.Any)
	if err != nil {
		t.Fatal(err)
	}
	node, err := hamt.Reifier(hamt.WithParams(params.PyHAMT()))(linking.LinkContext{Ctx: t.Context()}, plain, lsys)
	if err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, node.(*adl.Node), sample.Content)
	if link := hamttest.RootOf(t, node.(*adl.Node)); link != sample.Root {
		t.Errorf("root %s, want %s", link, sample.Root)
	}
	var other *fault.OtherLayout
	if _, err := hamt.Load(t.Context(), lsys, sample.Root); !errors.Is(err, fault.ErrNotHAMT) || !errors.As(err, &other) || other.Layout != params.PyHAMT3 {
		t.Errorf("without the layout: %v", err)
	}
}

// TestPyHAMTLocate follows the path to each key as code does that knows nothing of
// HAMTs.
func TestPyHAMTLocate(t *testing.T) {
	sample := hamttest.PyHAMTSample(t, "hundred_bucket1")
	node, lsys := loadPyHAMT(t, sample.Store, sample.Root), sample.Store.LinkSystem()
	start := hamttest.LoadAny(t, lsys, sample.Root)
	deepest := 0
	for key, want := range sample.Content {
		l, err := node.LocateString(t.Context(), key)
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		sample.Store.TakeLoads()
		bucket, err := hamttest.Progress(t, lsys).Get(start, l.Path.Pop())
		if err != nil {
			t.Fatalf("%q at %s: %v", key, l.Path, err)
		}
		blocks := append([]string{sample.Root.String()}, sample.Store.TakeLoads()...)
		if got := hamttest.Must(bucket.LookupBySegment(l.Path.Last())); !hamttest.Equal(t, got, want) || !slices.Equal(blocks, hamttest.Names(l.Blocks)) {
			t.Fatalf("%q at %s, through %v", key, l.Path, l.Blocks)
		}
		deepest = max(deepest, len(l.Blocks))
	}
	if deepest < 2 {
		t.Error("no key is below the root")
	}
	l, err := node.LocateString(t.Context(), "absent")
	if !errors.As(err, new(datamodel.ErrNotExists)) || l.Blocks[0] != sample.Root {
		t.Errorf("absent: %v, %v", l, err)
	}
}

// TestPyHAMTDiff compares maps whose buckets are in another order than that of
// bytes, and which have values and deletes in every bucket.
func TestPyHAMTDiff(t *testing.T) {
	s, content := hamttest.NewStore(), hamttest.Model{}
	for i := range 2000 {
		content[fmt.Sprint("precip/c/", i)] = basicnode.NewInt(int64(i))
	}
	prototype := builder.Prototype{Params: params.PyHAMT(), LinkSystem: s.LinkSystem()}
	before := hamttest.Must(hamttest.ByBulk(t.Context(), prototype, content))
	want := map[string]diff.Kind{"precip/c/2001": diff.Added, "b": diff.Added, "precip/c/100": diff.Removed, "precip/c/9": diff.Changed}
	txn := hamttest.Must(builder.NewTxn(before))
	for key, kind := range want {
		var err error
		if kind == diff.Removed {
			_, err = txn.DeleteString(t.Context(), key)
		} else {
			err = txn.SetString(key, datamodel.Null)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	after, _, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]diff.Kind{}
	for c, err := range diff.Changes(t.Context(), before, after) {
		if err != nil {
			t.Fatal(err)
		}
		got[string(c.Key)] = c.Kind
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
