package pack_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// counting counts the bytes that are read of a file.
type counting struct {
	io.ReaderAt
	read int
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	c.read += len(p)
	return c.ReaderAt.ReadAt(p, at)
}

// TestOpenIndexed: what is found by the index alone is found, and what is not is not
// looked for.
func TestOpenIndexed(t *testing.T) {
	blocks := someBlocks(t, 2000)
	file, _ := write(t, blocks)
	p, err := pack.OpenIndexed(file, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if got, ok, err := p.Get(b.cid); err != nil || !ok || !bytes.Equal(got, b.data) {
			t.Fatalf("%s: %v, %v", b.cid, ok, err)
		}
	}
	for at := len(file) - 1000; at < len(file); at++ { // the end of the index
		file[at] ^= 1
	}
	in := &counting{ReaderAt: file}
	if p, err = pack.OpenIndexed(in, int64(len(file))); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, b := range blocks {
		_, err := p.Has(b.cid) // which no block read before spares the index
		if errors.As(err, new(*pack.PageError)) {
			damaged++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if damaged == 0 || damaged == len(blocks) {
		t.Errorf("of %d blocks, %d are on a damaged page", len(blocks), damaged)
	}
	in.read = 0
	for _, b := range blocks[:10] {
		if _, err := p.Has(b.cid); err != nil && !errors.As(err, new(*pack.PageError)) {
			t.Error(err)
		}
	}
	if in.read > 10*16<<10 {
		t.Errorf("%d bytes were read of %d", in.read, len(file))
	}
	if _, err := pack.OpenIndexed(file[:len(file)/2], int64(len(file)/2)); !errors.Is(err, pack.ErrNoIndex) {
		t.Errorf("half a pack: %v", err)
	}
	if _, err := pack.OpenIndexed(memory("something else, of some length, which is no pack at all at all"), 61); !errors.Is(err, pack.ErrFormat) {
		t.Errorf("no pack: %v", err)
	}
}

// zeros is a file of zeros, but for what is in it.
type zeros struct {
	parts map[int64][]byte
}

func (z zeros) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	for from, part := range z.parts {
		if from >= at && from < at+int64(len(p)) {
			copy(p[from-at:], part)
		}
	}
	return len(p), nil
}

// TestTableTooLong: a length that is wrong costs no memory.
func TestTableTooLong(t *testing.T) {
	blocks := someBlocks(t, 2)
	file, _ := write(t, blocks)
	const index = 8 << 30
	head := bytes.Clone(file[:11+40])
	binary.LittleEndian.PutUint64(head[11+32:], index)
	trailer := append(binary.LittleEndian.AppendUint32(make([]byte, 4), 1<<32-1), "hamtpage"...)
	in := zeros{map[int64][]byte{0: head, index - int64(len(trailer)): trailer}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := pack.OpenIndexed(in, 9<<30)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, pack.ErrNoIndex) || took > 1<<20 {
		t.Errorf("%v, and it took %d bytes", err, took)
	}
}
