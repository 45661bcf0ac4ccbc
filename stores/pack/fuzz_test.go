package pack_test

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// FuzzPack reads a file that may be anything. Whatever it is, a block that is
// returned is the one that was asked for, and no more is allocated than the file's
// length justifies.
func FuzzPack(f *testing.F) {
	blocks := someBlocks(f, 21)[1:] // the first is large
	for _, n := range []int{0, 1, 20} {
		file, _ := write(f, blocks[:n], blocks[0].cid)
		f.Add([]byte(file))
		f.Add([]byte(file[:len(file)*2/3]))
		torn := slices.Clone(file)
		torn[len(torn)/2] ^= 1
		f.Add([]byte(torn))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readAll(t, file, blocks)
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(64<<20+100*len(file)); got > most {
			t.Errorf("%d bytes allocated for a file of %d", got, len(file))
		}
	})
}

// readAll reads a pack in all ways, and checks what it finds.
func readAll(t *testing.T, file memory, blocks []block) {
	p, err := pack.Open(file, int64(len(file)))
	if err != nil {
		return // it says that it is none
	}
	for _, b := range blocks {
		if got, ok, err := p.Get(b.cid); ok && err == nil && !bytes.Equal(got, b.data) {
			t.Fatalf("Get(%s) returns another block", b.cid)
		}
		_, _ = p.Has(b.cid)
		p.Following(b.cid)
	}
	var found []cid.Cid
	for section, err := range p.Sections(t.Context()) {
		if err != nil {
			continue // it says what is damaged
		}
		decoded, err := multihash.Decode(section.CID.Hash())
		if err != nil {
			t.Fatalf("a section of %x", section.CID.Bytes())
		}
		sum, err := multihash.Sum(section.Block, decoded.Code, decoded.Length)
		if err == nil && !bytes.Equal(sum, section.CID.Hash()) {
			t.Fatalf("the section of %s holds another block", section.CID)
		}
		found = append(found, section.CID)
	}
	damaged := 0
	for range p.Check(t.Context()) {
		damaged++
	}
	for _, c := range found {
		if _, ok, err := p.Get(c); damaged == 0 && (err != nil || !ok) {
			t.Fatalf("%s is in a section, and Get returns %v, %v, though nothing is said to be damaged", c, ok, err)
		}
	}
	_, _ = p.Roots()
}
