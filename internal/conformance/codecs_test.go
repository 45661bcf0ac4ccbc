package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"math"
	"runtime"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestBlockCodecsAndHashes builds, loads, edits and verifies maps whose blocks
// are in other codecs, or named by other hashes. All blocks are named alike,
// and go-ipld-prime finds them under these names.
func TestBlockCodecsAndHashes(t *testing.T) {
	for _, lp := range []cidlink.LinkPrototype{
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, -1),
		hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, 32),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Blake3, 32),
		hamttest.LinkPrototype(multicodec.DagJson, multicodec.Blake3, -1),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_512, 20),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha2_256, 20),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Sha3_384, -1),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Blake2b256, 32),
		hamttest.LinkPrototype(multicodec.DagCbor, multicodec.Identity, -1),
	} {
		t.Run(fmt.Sprintf("%v/%v/%d", multicodec.Code(lp.Codec), multicodec.Code(lp.MhType), lp.MhLength), func(t *testing.T) {
			p, n := hamttest.ManyLevels(), 60
			if lp.MhType == uint64(multicodec.Identity) {
				n = 4 // CIDs hold blocks there, which hold CIDs, and may hold 128 bytes
			}
			s := hamttest.NewStore()
			prototype := builder.Prototype{Params: p, LinkSystem: s.LinkSystem(), LinkPrototype: lp}
			built := hamttest.Build(t, prototype, hamttest.Numbered(n))
			read := hamttest.Load(t, s, hamttest.RootOf(t, built))
			hamttest.ExpectContent(t, read, hamttest.Numbered(n))
			hamttest.ExpectVerified(t, read)
			for link := range hamttest.Links(t, read) {
				link := hamttest.LinkTo(t, link)
				prefix := link.(cidlink.Link).Prefix()
				if prefix.Codec != lp.Codec || prefix.MhType != lp.MhType {
					t.Fatalf("block %s", link)
				}
				if _, err := s.LinkSystem().Load(linking.LinkContext{}, link, basicnode.Prototype.Any); err != nil {
					t.Fatalf("go-ipld-prime: %v", err)
				}
			}
			txn := hamttest.Must(builder.NewTxn(read))
			hamttest.Must(txn.Delete(t.Context(), []byte("key-3")))
			if err := txn.SetString("another", datamodel.Null); err != nil {
				t.Fatal(err)
			}
			edited, link, err := txn.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := hamttest.Numbered(n)
			delete(want, "key-3")
			want["another"] = datamodel.Null
			hamttest.ExpectContent(t, edited, want)
			if fresh := hamttest.RootOf(t, hamttest.Build(t, prototype, want)); link != fresh {
				t.Errorf("root %s, want %s", link, fresh)
			}
		})
	}
}

// TestDagJSONBlocks: blocks are what the codec writes for the substrate.
func TestDagJSONBlocks(t *testing.T) {
	s := hamttest.NewStore()
	n := hamttest.Build(t, builder.Prototype{LinkSystem: s.LinkSystem(), LinkPrototype: hamttest.LinkPrototype(multicodec.DagJson, multicodec.Sha2_256, 32)}, hamttest.Numbered(2))
	if want := hamttest.Must(ipld.Encode(n.Substrate(), dagjson.Encode)); !bytes.Equal(s.Block(hamttest.RootOf(t, n)), want) {
		t.Errorf("the block is %s, want %s", s.Block(hamttest.RootOf(t, n)), want)
	}
	stats := hamttest.Must(hamttest.Load(t, s, hamttest.RootOf(t, n)).Stats(t.Context()))
	if stats.Bytes != s.Bytes() {
		t.Errorf("Stats says %d bytes, and %d are stored", stats.Bytes, s.Bytes())
	}
}

// TestCodecKeepsValues: what goes into blocks of any codec comes out again, or
// is refused; it must not come out as something else.
func TestCodecKeepsValues(t *testing.T) {
	for _, codec := range []multicodec.Code{multicodec.DagCbor, multicodec.DagJson} {
		for name, value := range map[string]datamodel.Node{
			"null": datamodel.Null, "whole float": basicnode.NewFloat(1), "large float": basicnode.NewFloat(1e300),
			"negative zero": basicnode.NewFloat(math.Copysign(0, -1)), "small float": basicnode.NewFloat(math.SmallestNonzeroFloat64),
			"int": basicnode.NewInt(math.MinInt64), "uint": basicnode.NewUint(math.MaxUint64),
			"bytes": basicnode.NewBytes([]byte{0, 255}), "string": basicnode.NewString("ü\x00\u2028"),
			"string not UTF-8": basicnode.NewString("\xff\xfe"), "link": basicnode.NewLink(hamttest.BlockOf(nil).Link),
			"map like a link":  hamttest.Must(ipld.Decode([]byte("\xa1\x61/\x63abc"), dagcbor.Decode)),
			"map like bytes":   hamttest.Must(ipld.Decode([]byte("\xa1\x61/\xa1\x65bytes\x63abc"), dagcbor.Decode)),
			"map not UTF-8":    hamttest.Must(ipld.Decode([]byte("\xa1\x61\xff\x01"), dagcbor.Decode)),
			"map with a slash": hamttest.Must(ipld.Decode([]byte("\xa2\x61/\x01\x61a\x01"), dagcbor.Decode)),
		} {
			t.Run(fmt.Sprint(codec, "/", name), func(t *testing.T) {
				s := hamttest.NewStore()
				prototype := builder.Prototype{LinkSystem: s.LinkSystem(), LinkPrototype: hamttest.LinkPrototype(codec, multicodec.Sha2_256, 32)}
				n, err := hamttest.ByAssembler(t.Context(), prototype, hamttest.Model{"key": value})
				if codec != multicodec.DagCbor && errors.Is(err, fault.ErrValue) {
					if s.Len() > 0 {
						t.Error("it is refused, and written")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := hamttest.Load(t, s, hamttest.RootOf(t, n)).LookupByString("key")
				if err != nil || got.Kind() != value.Kind() || !hamttest.Equal(t, got, value) {
					t.Errorf("it comes out as %v, %v", got, err)
				}
			})
		}
	}
}

// TestKeyHashes: maps under all sorts of hashes, short ones and long ones.
func TestKeyHashes(t *testing.T) {
	for _, code := range []multicodec.Code{
		multicodec.Identity, multicodec.Sha2_256, multicodec.Sha2_512, multicodec.Sha1, multicodec.DblSha2_256,
		multicodec.Sha3_224, multicodec.Sha3_512, multicodec.Keccak256, multicodec.Shake128, multicodec.Blake2b8 + 63,
		multicodec.Blake2s256, multicodec.Blake3, multicodec.Murmur3X64_64, fnvHashCode,
	} {
		t.Run(code.String(), func(t *testing.T) {
			content := hamttest.Model{}
			for i := range 200 {
				content[fmt.Sprintf("%04d", i)] = basicnode.NewInt(int64(i))
			}
			s := hamttest.NewStore()
			prototype := builder.Prototype{Params: params.Params{BitWidth: 3, BucketSize: 8}.WithHashAlg(code), LinkSystem: s.LinkSystem()}
			n := hamttest.Build(t, prototype, content)
			read := hamttest.Load(t, s, hamttest.RootOf(t, n))
			if read.Params().HashAlg != code {
				t.Errorf("hash %v", read.Params().HashAlg)
			}
			hamttest.ExpectContent(t, read, content)
			hamttest.ExpectVerified(t, read)
			expectOtherWays(t, prototype, content, hamttest.RootOf(t, n).String())
		})
	}
}

const fnvHashCode = 0x300003

func init() {
	if err := hamt.RegisterHash(fnvHashCode, func() hash.Hash { return fnv.New128a() }); err != nil {
		panic(err)
	}
}

// TestRegisterHash: what makes no sense is refused, and maps that are open keep
// the function they have.
func TestRegisterHash(t *testing.T) {
	if err := hamt.RegisterHash(0x300004, nil); err == nil {
		t.Error("nothing was registered")
	}
	if err := hamt.RegisterHash(0x300004, func() hash.Hash { return noHash{} }); err == nil {
		t.Error("a hash of no bytes was registered")
	}
	const code = 0x300005
	first := func() hash.Hash { return crc32.NewIEEE() }
	if err := hamt.RegisterHash(code, first); err != nil {
		t.Fatal(err)
	}
	s := hamttest.NewStore()
	n := hamttest.Build(t, builder.Prototype{Params: params.Params{HashAlg: code, BitWidth: 5, BucketSize: 3}, LinkSystem: s.LinkSystem()}, hamttest.Numbered(100))
	if err := hamt.RegisterHash(code, func() hash.Hash { return fnv.New32a() }); err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, n, hamttest.Numbered(100))
	lost := 0
	for key := range hamttest.Numbered(100) {
		if ok, err := hamttest.Load(t, s, hamttest.RootOf(t, n)).HasString(t.Context(), key); err == nil && !ok {
			lost++
		}
	}
	if lost < 50 {
		t.Errorf("under the new function %d keys are not found", lost)
	}
}

type noHash struct{ hamttest.ConstantHash }

func (noHash) Size() int { return 0 }

// TestNoBlockLimit: the largest number there is means no limit.
func TestNoBlockLimit(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(20))
	n, err := hamt.Load(t.Context(), s.LinkSystem(), root, hamt.WithMaxBlockBytes(math.MaxInt64))
	if err != nil {
		t.Fatal(err)
	}
	hamttest.ExpectContent(t, n, hamttest.Numbered(20))
}

// TestLargeEdit changes so much in a stored map that the merge goes over
// several goroutines, with one core and with two.
func TestLargeEdit(t *testing.T) {
	for _, cores := range []int{1, 2} {
		for _, p := range []params.Params{params.Default(), hamttest.ManyLevels(), {IdentityHash: true, BitWidth: 4, BucketSize: 2}} {
			t.Run(fmt.Sprintf("%d/%v", cores, p), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
				content := hamttest.Model{}
				for i := range 6000 {
					content[fmt.Sprintf("%08d", i)] = basicnode.NewInt(int64(i))
				}
				s := hamttest.NewStore()
				prototype := builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}
				base := hamttest.Build(t, prototype, content)
				txn := hamttest.Must(builder.NewTxn(hamttest.Load(t, s, hamttest.RootOf(t, base))))
				for i := range 6000 {
					key := fmt.Sprintf("%08d", 2*i)
					if _, there := content[key]; there && i%3 == 0 {
						hamttest.Must(txn.Delete(t.Context(), []byte(key)))
						delete(content, key)
						continue
					}
					content[key] = basicnode.NewInt(int64(-i))
					if err := txn.SetString(key, content[key]); err != nil {
						t.Fatal(err)
					}
				}
				s.TakeWrites()
				next, link, err := txn.Commit(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				old, now := hamttest.Links(t, base), hamttest.Links(t, next)
				for _, write := range s.TakeWrites() {
					if old[write] || !now[write] {
						t.Fatalf("block %s was written, and is not new", write)
					}
				}
				hamttest.ExpectContent(t, next, content)
				hamttest.ExpectVerified(t, next)
				if want := hamttest.RootOf(t, hamttest.Build(t, prototype, content)); link != want {
					t.Errorf("root %s, want %s", link, want)
				}
			})
		}
	}
}

// TestMixedEncodings makes a root in DAG-JSON over children in DAG-CBOR: it can
// be read, and no implementation would write it, so Verify says so of each
// child; and no transaction makes such a tree.
func TestMixedEncodings(t *testing.T) {
	s, cborRoot := hamttest.Stored(t, params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 1}, hamttest.Numbered(30))
	dagJSON := cidlink.LinkPrototype{Prefix: cid.NewPrefixV1(uint64(multicodec.DagJson), uint64(multicodec.Sha2_256))}
	m := hamttest.Load(t, s, cborRoot)
	root, err := s.LinkSystem().Store(linking.LinkContext{}, dagJSON, m.Substrate())
	if err != nil {
		t.Fatal(err)
	}
	mixed := hamttest.Load(t, s, root)
	hamttest.ExpectContent(t, mixed, hamttest.Numbered(30))
	stats, err := mixed.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	named := int64(0)
	for err := range mixed.Verify(t.Context()) {
		if !errors.Is(err, fault.ErrNotCanonical) {
			t.Fatal(err)
		}
		named++
	}
	if named != stats.Blocks-1 {
		t.Errorf("Verify names %d blocks, want all but the root of %d", named, stats.Blocks)
	}
	if _, err := (builder.Prototype{LinkPrototype: dagJSON}).Edit(m); err == nil {
		t.Error("a map in DAG-CBOR can be edited into DAG-JSON")
	}
}
