package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// What is in the database of a store of format 2: the places of blocks and the roots
// of names, each behind one byte; and what the store says of itself.
const (
	blockPrefix = 'b' // then the binary CID; the value is the place of its record
	namePrefix  = 'n' // then the name; the value is the binary CID of its root
	formatKey   = "mformat"
	format      = "2"
)

// blocksName is the file of the blocks' records: the length of the CID, the CID, the
// length of the block, the block.
const blocksName = "blocks"

// old is a store of format 2 that is read. Nobody else may have it open.
type old struct {
	db   *pebble.DB
	file *os.File
	size int64
}

// errNotOld reports that a directory has no store of format 2.
var errNotOld = errors.New("it is no store of format 2")

// openOld opens a store without changing anything of it.
func openOld(dir string) (*old, error) {
	if _, err := os.Stat(filepath.Join(dir, blocksName)); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotOld, err)
	}
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, FS: vfs.Default, Logger: silent{}})
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return nil, errNotOld
	}
	if err != nil {
		return nil, err
	}
	o := &old{db: db}
	if err := o.open(dir); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *old) open(dir string) (err error) {
	value, closer, err := o.db.Get([]byte(formatKey))
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%w: what it says of itself is missing", errNotOld)
	}
	if err != nil {
		return err
	}
	found := string(value)
	if err := closer.Close(); err != nil {
		return err
	}
	if found != format {
		return fmt.Errorf("%w: it says that it has format %.20q", errNotOld, found)
	}
	if o.file, err = os.Open(filepath.Join(dir, blocksName)); err != nil {
		return err
	}
	info, err := o.file.Stat()
	if err != nil {
		return err
	}
	o.size = info.Size()
	return nil
}

func (o *old) close() error {
	err := o.db.Close()
	if o.file != nil {
		err = errors.Join(err, o.file.Close())
	}
	return err
}

// record is where a block is.
type record struct {
	cid    cid.Cid
	at     int64
	length int
}

// records returns all blocks in the order in which they are in the file, which is that
// of a walk. They take some 80 bytes of memory each.
func (o *old) records() (all []record, err error) {
	err = o.each(blockPrefix, func(key, value []byte) error {
		c, err := cid.Cast(key)
		if err != nil {
			return fmt.Errorf("block %x: %w", key, err)
		}
		at, width := binary.Uvarint(value)
		length, rest := binary.Uvarint(value[max(width, 0):])
		if width <= 0 || rest <= 0 || at > math.MaxInt64/2 || length > math.MaxInt32 {
			return fmt.Errorf("block %s: %x is no place in the file of blocks", c, value)
		}
		all = append(all, record{c, int64(at), int(length)})
		return nil
	})
	slices.SortFunc(all, func(a, b record) int { return cmp.Compare(a.at, b.at) })
	return all, err
}

// block reads a block and checks it by its hash.
func (o *old) block(r record) ([]byte, error) {
	damaged := func(err error) error {
		return fmt.Errorf("block %s in %s at byte %d: %w", r.cid, blocksName, r.at, err)
	}
	if r.at+int64(r.length) > o.size || r.length > stores.MaxBlockBytes+maxHead {
		return nil, damaged(io.ErrUnexpectedEOF)
	}
	data := make([]byte, r.length)
	if _, err := o.file.ReadAt(data, r.at); err != nil {
		return nil, damaged(err)
	}
	c, rest, ok := cut(data)
	if !ok || string(c) != r.cid.KeyString() {
		return nil, damaged(errors.New("another block is there"))
	}
	block, rest, ok := cut(rest)
	if !ok || len(rest) > 0 {
		return nil, damaged(errors.New("it has another length"))
	}
	if err := stores.Check(r.cid, block); err != nil {
		return nil, damaged(err)
	}
	return block, nil
}

// maxHead is more than stands before a block in its record.
const maxHead = 1 << 10

// cut cuts bytes off, which stand behind their length.
func cut(data []byte) (part, rest []byte, ok bool) {
	length, width := binary.Uvarint(data)
	if width <= 0 || length > uint64(len(data)-width) {
		return nil, nil, false
	}
	return data[width : width+int(length)], data[width+int(length):], true
}

// names returns all names, in their order.
func (o *old) names() (all []stores.Name, err error) {
	err = o.each(namePrefix, func(key, value []byte) error {
		root, err := cid.Cast(value)
		if err != nil {
			return fmt.Errorf("name %q: %w", key, err)
		}
		all = append(all, stores.Name{Name: string(key), Root: root})
		return nil
	})
	return all, err
}

// each visits what the database has behind a prefix.
func (o *old) each(prefix byte, visit func(key, value []byte) error) error {
	it, err := o.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := visit(it.Key()[1:], it.Value()); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// silent is a logger for what the engine tells about itself.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// Fatalf is called where the engine cannot go on, and may not return.
func (silent) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
