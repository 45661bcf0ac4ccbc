package flatfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-ds-flatfs"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// repository makes a directory as Kubo does, by the same code, with n blocks in
// it.
func repository(t *testing.T, sharding *flatfs.ShardIdV1, n int) (dir string, written []blocks.Block) {
	t.Helper()
	dir = t.TempDir()
	d, err := flatfs.CreateOrOpen(filepath.Join(dir, "blocks"), sharding, false)
	if err != nil {
		t.Fatal(err)
	}
	bs := blockstore.NewBlockstore(d, blockstore.NoPrefix())
	for i := range n {
		b := block(t, i)
		if err := bs.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		written = append(written, b)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, written
}

func block(t *testing.T, n int) blocks.Block {
	t.Helper()
	data := bytes.Repeat(fmt.Appendf(nil, "block %d;", n), n) // the first is empty
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	b, err := blocks.NewBlockWithCid(data, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestBlocks reads what go-ds-flatfs wrote, by all its functions, from the
// repository and from its blocks directory, and changes nothing.
func TestBlocks(t *testing.T) {
	for _, sharding := range []*flatfs.ShardIdV1{
		flatfs.IPFS_DEF_SHARD, flatfs.Prefix(5), flatfs.Suffix(3), flatfs.NextToLast(1), flatfs.Prefix(80),
	} {
		t.Run(strings.TrimPrefix(sharding.String(), flatfs.PREFIX), func(t *testing.T) {
			dir, written := repository(t, sharding, 60)
			before := listing(t, dir)
			for _, dir := range []string{dir, filepath.Join(dir, "blocks")} {
				s := open(t, dir)
				if s.LinkSystem().StorageWriteOpener != nil {
					t.Error("it can be written to")
				}
				var readers sync.WaitGroup
				for range 4 {
					readers.Go(func() { check(t, s, written) })
				}
				readers.Wait()
			}
			if after := listing(t, dir); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
		})
	}
}

func check(t *testing.T, s *Store, written []blocks.Block) {
	for _, b := range written {
		v0 := cid.NewCidV0(b.Cid().Hash()) // another name for the same bytes
		for _, c := range []cid.Cid{b.Cid(), v0} {
			if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, b.RawData()) {
				t.Errorf("%s: %q, %v", c, got, err)
			}
			if has, err := s.Has(t.Context(), c); !has || err != nil {
				t.Errorf("%s: %v, %v", c, has, err)
			}
		}
		if got, err := load(t, s, b.Cid()); err != nil || !bytes.Equal(got, b.RawData()) {
			t.Errorf("%s: %q, %v", b.Cid(), got, err)
		}
	}
	absent := block(t, 5000).Cid()
	if _, err := s.Get(t.Context(), absent); !stores.IsNotFound(err) {
		t.Errorf("absent block: %v", err)
	}
	if _, err := load(t, s, absent); !stores.IsNotFound(err) {
		t.Errorf("absent block: %v", err)
	}
	if has, err := s.Has(t.Context(), absent); has || err != nil {
		t.Errorf("absent block: %v, %v", has, err)
	}
	inlined := cid.NewCidV1(cid.Raw, append([]byte{multihash.IDENTITY, 4}, "here"...))
	if got, err := s.Get(t.Context(), inlined); err != nil || string(got) != "here" {
		t.Errorf("a block in its CID: %q, %v", got, err)
	}
	if has, err := s.Has(t.Context(), inlined); !has || err != nil {
		t.Errorf("a block in its CID: %v, %v", has, err)
	}
}

func load(t *testing.T, s *Store, c cid.Cid) ([]byte, error) {
	return s.LinkSystem().LoadRaw(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: c})
}

// listing tells all there is about the files of a directory, but what is in
// them.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(&out, path, info.Mode(), info.Size(), info.ModTime())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestWhileWritten reads while the directory's owner writes and deletes.
func TestWhileWritten(t *testing.T) {
	dir, written := repository(t, flatfs.IPFS_DEF_SHARD, 20)
	d, err := flatfs.Open(filepath.Join(dir, "blocks"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	bs := blockstore.NewBlockstore(d, blockstore.NoPrefix())
	s := open(t, dir)
	check(t, s, written)
	added := block(t, 1000)
	if err := bs.Put(t.Context(), added); err != nil {
		t.Fatal(err)
	}
	check(t, s, append(written, added))
	if err := bs.DeleteBlock(t.Context(), added.Cid()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), added.Cid()); !stores.IsNotFound(err) {
		t.Errorf("a block that was deleted: %v", err)
	}
}

func TestDamagedBlock(t *testing.T) {
	dir, written := repository(t, flatfs.IPFS_DEF_SHARD, 3)
	s := open(t, dir)
	c := written[2].Cid()
	for _, damaged := range []string{"", "block", string(written[1].RawData())} {
		if err := os.WriteFile(s.path(c), []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := load(t, s, c); !errors.As(err, new(linking.ErrHashMismatch)) {
			t.Errorf("%q is taken: %v", damaged, err)
		}
	}
	if err := os.Truncate(s.path(c), 1<<40); err != nil {
		t.Skipf("no file of a TiB: %v", err)
	}
	if _, err := s.Get(t.Context(), c); err == nil || !strings.Contains(err.Error(), s.path(c)) {
		t.Errorf("a block of a TiB: %v", err)
	}
	if err := os.Remove(s.path(c)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path(c), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), c); err == nil || stores.IsNotFound(err) || !strings.Contains(err.Error(), s.path(c)) {
		t.Errorf("a directory where a block should be: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	empty := t.TempDir()
	for _, dir := range []string{empty, filepath.Join(empty, "absent")} {
		if _, err := Open(dir); !errors.Is(err, stores.ErrNoStore) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	dir, _ := repository(t, flatfs.IPFS_DEF_SHARD, 1)
	path := filepath.Join(dir, "blocks", flatfs.SHARDING_FN)
	for _, text := range []string{
		"", "\n", "next-to-last/2",
		"/repo/flatfs/shard/v1/next-to-last",
		"/repo/flatfs/shard/v1/next-to-last/",
		"/repo/flatfs/shard/v1/next-to-last/two",
		"/repo/flatfs/shard/v1/next-to-last/-1",
		"/repo/flatfs/shard/v1/prefix/-1",
		"/repo/flatfs/shard/v1/suffix/1000000000000000000",
		"/repo/flatfs/shard/v1/suffix/1000000000000000000000000000",
		"/repo/flatfs/shard/v2/next-to-last/2",
		"/repo/flatfs/shard/v1/sideways/2",
		strings.Repeat(" ", 2<<10) + "/repo/flatfs/shard/v1/next-to-last/2",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q is taken: %v", text, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, stores.ErrNoStore) {
		t.Errorf("without its file: %v", err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || errors.Is(err, stores.ErrNoStore) || !strings.Contains(err.Error(), path) {
		t.Errorf("a directory for a file: %v", err)
	}
}
