package carfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
)

func closeFile(t *testing.T, f *File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// load reads a block through a file's LinkSystem, which checks the hash.
func load(f *File, c cid.Cid) ([]byte, error) {
	return f.LinkSystem().LoadRaw(linking.LinkContext{Ctx: context.Background()}, cidlink.Link{Cid: c})
}

func writeCAR(t *testing.T, path string, blocks int, roots ...cid.Cid) {
	t.Helper()
	err := WriteFile(path, func(w io.Writer) error {
		out, err := NewWriter(w, roots...)
		if err != nil {
			return err
		}
		for n := range blocks {
			b := block(t, n)
			if err := out.Put(context.Background(), b.CID, b.Data); err != nil {
				return err
			}
		}
		return out.Finish()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCAR(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	root := block(t, 2).CID
	writeCAR(t, path, 50, root)
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	if got, ok := s.DefaultRoot(); !ok || !got.Equals(root) {
		t.Errorf("default root %s", got)
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for n := range 50 {
				want := block(t, n)
				if got, err := load(s, want.CID); err != nil || !bytes.Equal(got, want.Data) {
					t.Errorf("block %d: %q, %v", n, got, err)
				}
			}
		})
	}
	readers.Wait()
	absent := block(t, 50).CID
	var notFound interface{ NotFound() bool }
	if _, err := load(s, absent); !errors.As(err, &notFound) {
		t.Errorf("absent block: %v", err)
	}
}

// TestCARv2: read as a CARv1 is, and whatever its index says.
func TestCARv2(t *testing.T) {
	dir := t.TempDir()
	v1, v2 := filepath.Join(dir, "v1.car"), filepath.Join(dir, "v2.car")
	const blocks = 50
	root := block(t, 2).CID
	writeCAR(t, v1, blocks, root)
	if err := carv2.WrapV1File(v1, v2); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(v2)
	if err != nil {
		t.Fatal(err)
	}
	var header carv2.Header
	if _, err := header.ReadFrom(bytes.NewReader(whole[carv2.PragmaSize:])); err != nil {
		t.Fatal(err)
	}
	index := whole[header.IndexOffset:]
	// A codec, how many hash functions, which, how many lengths, which, and then
	// how many bytes of entries: as many as there are numbers.
	huge := bytes.Clone(index)
	copy(huge[2+4+8+4+4:], "\xff\xff\xff\xff\xff\xff\xff\x7f")
	wrong := bytes.Clone(index)
	clear(wrong[len(wrong)/2:])
	for what, index := range map[string][]byte{"right": index, "wrong": wrong, "huge": huge, "none": nil} {
		if err := os.WriteFile(v2, append(whole[:header.IndexOffset:header.IndexOffset], index...), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Open(v2)
		if err != nil {
			t.Fatalf("index %s: %v", what, err)
		}
		if got, ok := s.DefaultRoot(); !ok || !got.Equals(root) {
			t.Errorf("index %s: default root %s", what, got)
		}
		for n := range blocks {
			want := block(t, n)
			if got, err := load(s, want.CID); err != nil || !bytes.Equal(got, want.Data) {
				t.Errorf("index %s: block %d: %q, %v", what, n, got, err)
			}
		}
		closeFile(t, s)
	}
}

func TestCARWithoutRoots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	writeCAR(t, path, 1)
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(t, s)
	if root, ok := s.DefaultRoot(); ok {
		t.Errorf("default root %s", root)
	}
}

func TestDamagedCAR(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.car")
	root := block(t, 0)
	writeCAR(t, path, 1, root.CID)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Replace(whole, root.Data, []byte("BLOCK 0"), 1)
	for n := range len(whole) {
		check(t, path, whole[:n], root.CID)
	}
	check(t, path, flipped, root.CID)
	check(t, path, []byte("no CAR at all, but text"), root.CID)
}

// check wants that a damaged CAR gives an error that names it, on opening or on
// loading the block.
func check(t *testing.T, path string, damaged []byte, root cid.Cid) {
	t.Helper()
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err == nil {
		_, err = load(s, root)
		closeFile(t, s)
		if err == nil {
			t.Fatalf("%d bytes of the file are taken", len(damaged))
		}
		return
	}
	if !strings.Contains(err.Error(), path) {
		t.Fatalf("%d bytes: %v does not name the file", len(damaged), err)
	}
}
