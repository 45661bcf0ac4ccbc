// Package flatfs reads the blocks directory of a Kubo repository in place: a
// file for each block, named by its hash.
//
// Nothing is created, written or locked, so a daemon may use the repository
// meanwhile: it renames files into place, whole. Blocks that it collects as
// garbage are gone here too. (go-ds-flatfs, which wrote the directory, cannot
// be used for that: as it opens it removes and remakes the directory where a
// daemon may be writing its temporary files, and it writes a file of statistics
// as it closes.)
package flatfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-ds-flatfs"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// Store is a blocks directory. It is read-only, and safe for concurrent use.
//
// Blocks are found by their hash alone, whatever the version and codec of the
// CID.
type Store struct {
	stores.Base
	dir   string
	shard flatfs.ShardFunc
}

var _ stores.Store = (*Store)(nil)

// Open opens the blocks directory dir, or that of the repository dir;
// stores.ErrNoStore where it is neither. A repository whose blocks are not in
// flatfs (the profiles pebbleds and badgerds) is neither.
func Open(dir string) (*Store, error) {
	for _, blocks := range []string{dir, filepath.Join(dir, "blocks")} {
		shard, err := readSharding(filepath.Join(blocks, flatfs.SHARDING_FN))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s := &Store{dir: blocks, shard: shard}
		s.Base = stores.NewBase(stores.Blocks{Get: s.get, Has: s.has})
		return s, nil
	}
	return nil, fmt.Errorf("%w of flatfs in %s: neither there nor in its directory blocks is a file %s",
		stores.ErrNoStore, dir, flatfs.SHARDING_FN)
}

// readSharding reads which directory a block is in.
func readSharding(path string) (flatfs.ShardFunc, error) {
	const longest = 1 << 10
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, longest))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	function := strings.TrimSpace(string(text))
	if err := checkWidth(function); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	shard, err := flatfs.ParseShardFunc(function)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return shard.Func(), nil
}

// checkWidth refuses the numbers of characters that the parser would make
// padding of regardless: it panics where they are negative, or too many for
// the memory.
func checkWidth(function string) error {
	const most = 255 // in a name
	text := function[strings.LastIndex(function, "/")+1:]
	if width, err := strconv.Atoi(text); err == nil && (width < 0 || width > most) {
		return fmt.Errorf("directories named by %d characters of the key", width)
	}
	return nil
}

// path is where a block is.
func (s *Store) path(c cid.Cid) string {
	key := dshelp.MultihashToDsKey(c.Hash()).BaseNamespace()
	return filepath.Join(s.dir, s.shard(key), key+".data")
}

func (s *Store) get(_ context.Context, c cid.Cid) ([]byte, error) {
	block, err := readBlock(s.path(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, stores.NotFound{CID: c}
	}
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", c, err)
	}
	return block, nil
}

func readBlock(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // to open a pipe takes until somebody writes to it
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // read only
	block, err := stores.ReadBlock(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return block, nil
}

func (s *Store) has(_ context.Context, c cid.Cid) (bool, error) {
	_, err := os.Stat(s.path(c))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("block %s: %w", c, err)
	}
	return true, nil
}

// Close does nothing: no file is kept open.
func (s *Store) Close() error { return nil }
