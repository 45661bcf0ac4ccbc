package cache

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/boxo/datastore/dshelp"
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

const (
	shards      = 256 // directories, by the last byte of the hash
	sampled     = 16  // of them are looked at together when room is made
	page        = 4 << 10
	resolution  = time.Hour
	unfinished  = "tmp-" // what the names of temporary files begin with
	staleBefore = time.Hour
)

// files are the blocks in a directory.
type files string

// room is what a file of some bytes counts for.
func room(size int64) int64 { return max(1, (size+page-1)/page) * page }

func (f files) shard(n byte) string { return filepath.Join(string(f), hex.EncodeToString([]byte{n})) }

func (f files) path(c cid.Cid) string {
	hash := c.Hash()
	return filepath.Join(f.shard(hash[len(hash)-1]), dshelp.MultihashToDsKey(hash).BaseNamespace())
}

// read returns a block as it is there, and notes that it was used; it calls failed
// with the error where that cannot be noted.
func (f files) read(c cid.Cid, failed func(error)) ([]byte, error) {
	path := f.path(c)
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // read only
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if now := time.Now(); now.Sub(info.ModTime()).Abs() > resolution {
		if err := os.Chtimes(path, now, now); !errors.Is(err, fs.ErrNotExist) { // somebody dropped it
			failed(err)
		}
	}
	return stores.ReadBlock(file, info.Size())
}

func (f files) has(c cid.Cid) (bool, error) {
	_, err := os.Stat(f.path(c))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// write puts a block under its name, whole.
func (f files) write(c cid.Cid, block []byte) (err error) {
	path := f.path(c)
	file, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		file, err = os.CreateTemp(filepath.Dir(path), unfinished)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(block)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// remove removes a block and returns how much room that makes.
func (f files) remove(c cid.Cid) (int64, error) { return removeFile(f.path(c)) }

func removeFile(path string) (int64, error) {
	info, err := os.Stat(path)
	if err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // somebody else was quicker
	}
	if err != nil {
		return 0, err
	}
	return room(info.Size()), nil
}

// entry is a block that could go.
type entry struct {
	path string
	room int64
	used time.Time
}

// list finds the blocks of a shard, and removes temporary files that somebody
// left there. Files of other names are not ours.
func (f files) list(n byte) ([]entry, error) {
	found, err := os.ReadDir(f.shard(n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, item := range found {
		info, err := item.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e := entry{filepath.Join(f.shard(n), item.Name()), room(info.Size()), info.ModTime()}
		switch {
		case strings.HasPrefix(item.Name(), unfinished):
			if time.Since(e.used) > staleBefore {
				if _, err := removeFile(e.path); err != nil {
					return nil, err
				}
			}
		case isBlock(item):
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func isBlock(item fs.DirEntry) bool {
	if !item.Type().IsRegular() {
		return false
	}
	const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	return strings.Trim(item.Name(), base32) == ""
}

// count adds up all blocks.
func (f files) count() (total int64, err error) {
	for n := range shards {
		entries, err := f.list(byte(n))
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			total += e.room
		}
	}
	return total, nil
}

// evict makes room of at least need bytes, of about total that are there, if it
// can. It begins with the shard after the last it looked at.
func (f files) evict(hand *byte, total, need int64) (freed int64, err error) {
	for range shards / sampled {
		var sample []entry
		var bytes int64
		for range sampled {
			*hand++
			entries, err := f.list(*hand)
			if err != nil {
				return freed, err
			}
			sample = append(sample, entries...)
		}
		for _, e := range sample {
			bytes += e.room
		}
		slices.SortFunc(sample, func(a, b entry) int {
			return cmp.Or(a.used.Compare(b.used), strings.Compare(a.path, b.path))
		})
		share := max(0.25, float64(need)/float64(total))
		for quota := int64(share * float64(bytes)); len(sample) > 0 && quota > 0; sample = sample[1:] {
			n, err := removeFile(sample[0].path)
			if err != nil {
				return freed, fmt.Errorf("cannot make room: %w", err)
			}
			freed += n
			quota -= sample[0].room
			if freed >= need {
				return freed, nil
			}
		}
	}
	return freed, nil
}
