package pack_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	blockformat "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/blockstore"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// memory is a file.
type memory []byte

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if grow := int(at) + len(p) - len(*m); grow > 0 {
		*m = append(*m, make([]byte, grow)...)
	}
	return copy((*m)[at:], p), nil
}

func (m memory) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(m).ReadAt(p, at) }

type block struct {
	cid  cid.Cid
	data []byte
}

func newBlock(t testing.TB, codec multicodec.Code, hash uint64, data []byte) block {
	t.Helper()
	c, err := cid.Prefix{Version: 1, Codec: uint64(codec), MhType: hash, MhLength: -1}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return block{c, data}
}

// someBlocks returns blocks of all kinds that differ in how they are found: two
// hash functions of one length, one of another, CIDs of both versions, and sizes
// around those that are read at once.
func someBlocks(t testing.TB, n int) (all []block) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		size := random.IntN(400)
		if i%100 == 0 {
			size = random.IntN(1 << 18)
		}
		data := binary.BigEndian.AppendUint64(nil, uint64(i))
		for range size / 8 {
			data = binary.BigEndian.AppendUint64(data, random.Uint64())
		}
		b := newBlock(t, multicodec.DagCbor, multihash.SHA2_256, data)
		switch i % 10 {
		case 1:
			b = newBlock(t, multicodec.Raw, multihash.SHA3_256, data)
		case 2:
			b = newBlock(t, multicodec.Raw, multihash.SHA2_512, data)
		case 3:
			b.cid = cid.NewCidV0(b.cid.Hash())
		}
		all = append(all, b)
	}
	return all
}

func write(t testing.TB, blocks []block, roots ...cid.Cid) (memory, pack.Info) {
	t.Helper()
	var file memory
	w := pack.NewWriter(&file, len(roots))
	var sections []byte
	for i, b := range blocks {
		sections = pack.AppendSection(sections, b.cid, b.data)
		if i%7 == 0 {
			if _, err := w.Write(sections); err != nil {
				t.Fatal(err)
			}
			sections = nil
		}
	}
	if _, err := w.Write(sections); err != nil {
		t.Fatal(err)
	}
	info, err := w.Finish(roots...)
	if err != nil {
		t.Fatal(err)
	}
	if info.Bytes != int64(len(file)) {
		t.Errorf("Finish says %d bytes, and there are %d", info.Bytes, len(file))
	}
	return file, info
}

func open(t testing.TB, file memory) *pack.Pack {
	t.Helper()
	p, err := pack.Open(file, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// want checks that a pack has blocks, in an order of chance and in that in which
// they were written.
func want(t testing.TB, p *pack.Pack, blocks []block) {
	t.Helper()
	for _, i := range append(rand.Perm(len(blocks)), rand.Perm(len(blocks))...) {
		wantBlock(t, p, blocks[i])
	}
	for _, b := range blocks {
		wantBlock(t, p, b)
	}
}

func wantBlock(t testing.TB, p *pack.Pack, b block) {
	t.Helper()
	if has, err := p.Has(b.cid); !has || err != nil {
		t.Fatalf("Has(%s) = %v, %v", b.cid, has, err)
	}
	data, ok, err := p.Get(b.cid)
	if err != nil || !ok || !bytes.Equal(data, b.data) {
		t.Fatalf("Get(%s) = %d bytes, %v, %v, want %d", b.cid, len(data), ok, err, len(b.data))
	}
}

func TestGet(t *testing.T) {
	blocks := someBlocks(t, 8000)
	file, info := write(t, blocks, blocks[0].cid, blocks[1].cid)
	if info.Blocks != len(blocks) {
		t.Errorf("%d blocks, want %d", info.Blocks, len(blocks))
	}
	p := open(t, file)
	want(t, p, blocks)
	absent := newBlock(t, multicodec.Raw, multihash.SHA2_256, []byte("absent"))
	for _, hash := range []uint64{multihash.SHA2_256, multihash.SHA3_256, multihash.SHA2_512, multihash.BLAKE3} {
		c := cid.NewCidV1(uint64(multicodec.Raw), must(multihash.Encode(absent.cid.Hash()[2:], hash)))
		if _, ok, err := p.Get(c); ok || err != nil {
			t.Errorf("Get(absent) = %v, %v", ok, err)
		}
		if ok, err := p.Has(c); ok || err != nil {
			t.Errorf("Has(absent) = %v, %v", ok, err)
		}
	}
	roots, err := p.Roots()
	if err != nil || fmt.Sprint(roots) != fmt.Sprint([]cid.Cid{blocks[0].cid, blocks[1].cid}) {
		t.Errorf("roots %v, %v", roots, err)
	}
	n := 0
	for section, err := range p.Sections(t.Context()) {
		if err != nil || section.CID != blocks[n].cid || !bytes.Equal(section.Block, blocks[n].data) {
			t.Fatalf("section %d: %s, %v", n, section.CID, err)
		}
		n++
	}
	if n != len(blocks) {
		t.Errorf("%d sections, want %d", n, len(blocks))
	}
	for err := range p.Check(t.Context()) {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestOtherSoftware has go-car read what is written: sections by its reader, and
// blocks by its index.
func TestOtherSoftware(t *testing.T) {
	blocks := someBlocks(t, 1000)
	file, _ := write(t, blocks, blocks[3].cid)
	reader, err := carv2.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := reader.Inspect(true)
	if err != nil {
		t.Fatal(err)
	}
	if stats.BlockCount != uint64(len(blocks)) || stats.IndexCodec != multicodec.CarMultihashIndexSorted || !stats.RootsPresent {
		t.Errorf("go-car sees %+v", stats)
	}
	store, err := blockstore.NewReadOnly(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		got, err := store.Get(t.Context(), b.cid)
		if err != nil || !bytes.Equal(got.RawData(), b.data) {
			t.Fatalf("go-car gets %s: %v", b.cid, err)
		}
	}
}

// TestForeign reads a CARv2 that go-car wrote, which has no page table.
func TestForeign(t *testing.T) {
	blocks := someBlocks(t, 300)
	path := filepath.Join(t.TempDir(), "foreign.car")
	store, err := blockstore.OpenReadWrite(path, []cid.Cid{blocks[0].cid})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if err := store.Put(t.Context(), must(blockformat.NewBlockWithCid(b.data, b.cid))); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Finalize(); err != nil {
		t.Fatal(err)
	}
	p := open(t, must(os.ReadFile(path)))
	want(t, p, blocks)
	if roots, err := p.Roots(); err != nil || len(roots) != 1 || roots[0] != blocks[0].cid {
		t.Errorf("roots %v, %v", roots, err)
	}
}

// TestOpenRefuses opens what is no pack.
func TestOpenRefuses(t *testing.T) {
	for _, file := range []memory{nil, make(memory, 51), make(memory, 9000), memory(strings.Repeat("not a pack ", 100))} {
		if _, err := pack.Open(file, int64(len(file))); !errors.Is(err, pack.ErrFormat) {
			t.Errorf("%d bytes: %v", len(file), err)
		}
	}
}

// TestSameBlock writes a block twice, and one under two codecs.
func TestSameBlock(t *testing.T) {
	b := someBlocks(t, 1)[0]
	other := block{cid.NewCidV1(uint64(multicodec.Raw), b.cid.Hash()), b.data}
	file, info := write(t, []block{b, other, b})
	if info.Blocks != 1 {
		t.Errorf("%d blocks, want 1", info.Blocks)
	}
	want(t, open(t, file), []block{b, other})
}

// TestWriteRefuses writes what would not be found again.
func TestWriteRefuses(t *testing.T) {
	var file memory
	w := pack.NewWriter(&file, 1)
	b := someBlocks(t, 1)[0]
	whole := pack.AppendSection(nil, b.cid, b.data)
	for _, sections := range [][]byte{
		whole[:len(whole)-1],
		append(bytes.Clone(whole), 0),
		pack.AppendSection(nil, b.cid, make([]byte, pack.MaxBlockBytes+1000)),
	} {
		if _, err := w.Write(sections); err == nil {
			t.Errorf("%d bytes were written", len(sections))
		}
	}
	if _, err := w.Finish(slices.Repeat([]cid.Cid{b.cid}, 1000)...); err == nil {
		t.Error("1,000 roots where there is room for one")
	}
	info, err := w.Finish(b.cid)
	if err != nil || info.Blocks != 0 {
		t.Errorf("Finish = %v, %v", info, err)
	}
	if _, ok, err := open(t, file).Get(b.cid); ok || err != nil {
		t.Errorf("Get = %v, %v", ok, err)
	}
}

// TestDamage flips every bit of a pack, one at a time, cuts it short everywhere,
// and zeroes it up to everywhere: what is read is right or an error, every block
// whose own bytes are not damaged is read, and Check says that there is damage.
func TestDamage(t *testing.T) {
	blocks := someBlocks(t, 12)[1:]
	for i := range blocks {
		blocks[i] = newBlock(t, multicodec.DagCbor, multihash.SHA2_256, blocks[i].data[:min(20, len(blocks[i].data))])
	}
	file, _ := write(t, blocks, blocks[0].cid)
	// What stands between the header and the roots, and the codecs of CIDs, say
	// nothing about where a block is.
	idle := map[int]bool{}
	for at := 51; file[at] == 0; at++ {
		idle[at] = true
	}
	var begin []int // of the blocks' sections
	for section, err := range open(t, file).Sections(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		begin = append(begin, int(section.Offset))
		idle[int(section.Offset)+2] = true // behind a length and a version
	}
	end := begin[len(begin)-1] + len(pack.AppendSection(nil, blocks[len(blocks)-1].cid, blocks[len(blocks)-1].data))
	check := func(broken memory, from, to int, what string) {
		hit := map[cid.Cid]bool{}
		for i, b := range blocks {
			next := end
			if i+1 < len(begin) {
				next = begin[i+1]
			}
			hit[b.cid] = begin[i] < to && from < next
		}
		if !checkDamaged(t, broken, blocks, hit, what) && !(idle[from] && to == from+1) {
			t.Errorf("%s: nobody sees it", what)
		}
	}
	for at := range file {
		broken := bytes.Clone(file)
		broken[at] ^= 1 << (at % 8)
		check(broken, at, at+1, fmt.Sprintf("byte %d flipped", at))
	}
	for length := range file {
		check(bytes.Clone(file[:length]), length, len(file), fmt.Sprintf("cut to %d bytes", length))
	}
	for length := 1; length <= len(file); length += 7 {
		broken := bytes.Clone(file)
		clear(broken[:length])
		check(broken, 0, length, fmt.Sprintf("zeroed to %d bytes", length))
	}
}

// checkDamaged reports whether damage is seen. Some blocks were hit.
func checkDamaged(t *testing.T, file memory, blocks []block, hit map[cid.Cid]bool, what string) (seen bool) {
	p, err := pack.Open(file, int64(len(file)))
	if errors.Is(err, pack.ErrFormat) {
		p = pack.Salvage(file, int64(len(file)))
	} else if err != nil {
		t.Fatal(err)
	}
	for section, err := range p.Sections(t.Context()) {
		var damage *pack.DamageError
		if err != nil && (!errors.As(err, &damage) || damage.Offset != section.Offset) {
			t.Errorf("%s: at %d: %v", what, section.Offset, err)
		}
		if err != nil {
			continue
		}
		e, ok, err := p.Find(section.CID)
		if err != nil || !ok || section.Number >= 0 && e.Number != section.Number {
			t.Errorf("%s: %d is entry %d, and Find = %v, %v, %v", what, section.Offset, section.Number, e, ok, err)
		}
		again, err := p.Section(e.Number)
		if err != nil || again.CID != section.CID || !bytes.Equal(again.Block, section.Block) {
			t.Errorf("%s: entry %d is %s, want %s: %v", what, e.Number, again.CID, section.CID, err)
		}
	}
	for _, b := range blocks {
		data, ok, err := p.Get(b.cid)
		right := ok && err == nil && bytes.Equal(data, b.data)
		if !right {
			seen = true
		}
		if !right && !hit[b.cid] {
			t.Errorf("%s: %s is not damaged, and Get = %x, %v, %v", what, b.cid, data, ok, err)
		}
		var damage *pack.DamageError
		if err != nil && (!errors.As(err, &damage) || damage.CID != b.cid) {
			t.Errorf("%s: Get(%s): %v", what, b.cid, err)
		}
	}
	for range p.Check(t.Context()) {
		seen = true
	}
	return seen
}

// TestDamageNamed wants the CID of a damaged block with its codec where the head
// of its section can be read, and else with the codec raw.
func TestDamageNamed(t *testing.T) {
	blocks := someBlocks(t, 12)[1:]
	file, _ := write(t, blocks)
	want := blocks[3].cid
	begin := bytes.Index(file, []byte(want.KeyString()))
	raw := cid.NewCidV1(cid.Raw, want.Hash())
	for what, test := range map[string]struct {
		at   int
		want cid.Cid
	}{"its last byte": {begin + want.ByteLen() + len(blocks[3].data) - 1, want}, "its hash": {begin + 20, raw}} {
		broken := bytes.Clone(file)
		broken[test.at] ^= 1
		var damage *pack.DamageError
		found := slices.Collect(open(t, broken).Check(t.Context()))
		if len(found) != 1 || !errors.As(found[0], &damage) || damage.CID != test.want {
			t.Errorf("%s: %v, want %s", what, found, test.want)
		}
	}
}

// TestUnreadable reads a pack on a disk of which a part cannot be read.
func TestUnreadable(t *testing.T) {
	blocks := someBlocks(t, 200)
	file, _ := write(t, blocks)
	bad := badDisk{file, 20000, 21000}
	p, err := pack.Open(bad, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, b := range blocks {
		begin := bytes.Index(file, []byte(b.cid.KeyString())) - 3
		hit := begin < bad.to && begin+3+b.cid.ByteLen()+len(b.data) > bad.from
		data, ok, err := p.Get(b.cid)
		switch {
		case ok && bytes.Equal(data, b.data):
		case hit && errors.Is(err, errBad):
			lost++
		default:
			t.Errorf("Get(%s) = %v, %v", b.cid, ok, err)
		}
	}
	if lost == 0 {
		t.Error("nothing was hit")
	}
	found := 0
	for _, err := range p.Sections(t.Context()) {
		if err == nil {
			found++
		}
	}
	if found < len(blocks)-lost {
		t.Errorf("%d sections, and %d of %d blocks are lost", found, lost, len(blocks))
	}
}

var errBad = errors.New("bad sector")

// badDisk cannot read some bytes.
type badDisk struct {
	memory
	from, to int
}

func (b badDisk) ReadAt(p []byte, at int64) (int, error) {
	if int(at) < b.to && int(at)+len(p) > b.from {
		n, _ := b.memory.ReadAt(p[:max(0, b.from-int(at))], at)
		return n, errBad
	}
	return b.memory.ReadAt(p, at)
}
