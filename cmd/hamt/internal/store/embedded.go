package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
)

// What the keys in the engine begin with.
const (
	blockPrefix = 'b' // then the binary CID; the value is the block
	namePrefix  = 'n' // then the name; the value is the binary CID of its root
)

// formatKey is where the version of this arrangement stands.
var formatKey = []byte("mformat")

const formatVersion = "1"

const (
	flushBytes    = 4 << 20  // of blocks that wait for being written in one batch
	memTableBytes = 64 << 20 // the larger, the less often blocks are written again
	cacheBytes    = 64 << 20
	// quickOpenBytes is how much may be left in the log on closing. Every
	// process that reads has to go through it when it opens the store.
	quickOpenBytes = 1 << 20
)

// Embedded is the store in a directory, over Pebble. It is safe for concurrent
// use.
type Embedded struct {
	dir  string
	db   *pebble.DB
	lsys *linking.LinkSystem

	mu      sync.RWMutex
	waiting map[string][]byte // blocks that are not in the engine yet
	bytes   int               // of them
	logged  int               // bytes that went into the engine
}

var _ Store = (*Embedded)(nil)

func openEmbedded(ctx context.Context, dir string, write bool, o Options) (*Embedded, error) {
	if !write {
		if err := CheckExists(dir); err != nil {
			return nil, err
		}
	}
	e := &Embedded{dir: dir, waiting: map[string][]byte{}}
	db, err := openWaiting(ctx, dir, engineOptions(write, quiet{o.Warn, o.Die}), o.Wait)
	if err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return nil, fmt.Errorf("%w in %s: what is there was never finished", ErrNoStore, dir)
		}
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	e.db = db
	if err := e.checkFormat(write); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.lsys = newLinkSystem(e.read)
	if write {
		writable(e.lsys, e.put)
	}
	return e, nil
}

func engineOptions(write bool, log quiet) *pebble.Options {
	options := &pebble.Options{
		FS:                 writing{vfs.Default, log.Fatalf},
		ReadOnly:           !write,
		FormatMajorVersion: pebble.FormatWALSyncChunks,
		CacheSize:          cacheBytes,
		MemTableSize:       memTableBytes,
		Logger:             log,
		EventListener:      log.listener(write),
	}
	// Blocks are looked up one by one, and by hash: no order to make use of.
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if !write {
		options.FS = sharedLock{vfs.Default}
	}
	return options
}

// openWaiting opens the engine, and tries again while another process has it.
func openWaiting(ctx context.Context, dir string, options *pebble.Options, wait time.Duration) (*pebble.DB, error) {
	const pause = 50 * time.Millisecond
	for deadline := time.Now().Add(wait); ; {
		db, err := pebble.Open(dir, options)
		if err == nil || !isLocked(err) {
			return db, err
		}
		if time.Now().Add(pause).After(deadline) {
			return nil, ErrLocked
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// checkFormat makes sure that a later arrangement of keys is not misread.
func (e *Embedded) checkFormat(write bool) error {
	value, found, err := e.get(formatKey)
	switch {
	case err != nil:
		return err
	case found && string(value) != formatVersion:
		return fmt.Errorf("store %s has format %q, and this command knows %q", e.dir, value, formatVersion)
	case found || !write:
		return nil // a store that was made and never written to has none
	}
	if err := e.db.Set(formatKey, []byte(formatVersion), pebble.Sync); err != nil {
		return e.cannotWrite(err)
	}
	return nil
}

// LinkSystem gives access to the blocks.
func (e *Embedded) LinkSystem() *linking.LinkSystem { return e.lsys }

// DefaultRoot is none.
func (e *Embedded) DefaultRoot() (cid.Cid, bool) { return cid.Undef, false }

func blockKey(c cid.Cid) []byte { return append([]byte{blockPrefix}, c.KeyString()...) }

// read gives a block where it lies in the engine's memory.
func (e *Embedded) read(_ context.Context, c cid.Cid) (io.Reader, error) {
	e.mu.RLock()
	block, ok := e.waiting[c.KeyString()]
	e.mu.RUnlock()
	if ok {
		return bytes.NewReader(block), nil
	}
	value, closer, err := e.db.Get(blockKey(c))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, NotFound{c}
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", e.dir, err)
	}
	return &borrowed{*bytes.NewReader(value), closer}, nil
}

// borrowed reads from the engine's memory until it is closed.
type borrowed struct {
	bytes.Reader
	closer io.Closer
}

func (b *borrowed) Close() error { return b.closer.Close() }

// Has says whether a block is there.
func (e *Embedded) Has(c cid.Cid) (bool, error) {
	e.mu.RLock()
	_, ok := e.waiting[c.KeyString()]
	e.mu.RUnlock()
	if ok {
		return true, nil
	}
	_, found, err := e.get(blockKey(c))
	return found, err
}

// Put stores a block, which it keeps. It is on the disk after the next Sync.
func (e *Embedded) Put(c cid.Cid, block []byte) error { return e.put(c, block) }

func (e *Embedded) put(c cid.Cid, block []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.waiting[c.KeyString()]; ok {
		return nil
	}
	e.waiting[c.KeyString()] = block
	e.bytes += len(block)
	if e.bytes < flushBytes {
		return nil
	}
	return e.flush()
}

// flush hands the waiting blocks to the engine. e.mu is locked.
func (e *Embedded) flush() error {
	if len(e.waiting) == 0 {
		return nil
	}
	const overhead = 64 // of an entry in a batch, with its key
	batch := e.db.NewBatchWithSize(e.bytes + overhead*len(e.waiting))
	defer batch.Close()
	for key, block := range e.waiting {
		if err := batch.Set(append([]byte{blockPrefix}, key...), block, nil); err != nil {
			return e.cannotWrite(err)
		}
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return e.cannotWrite(err)
	}
	e.logged += e.bytes
	e.waiting, e.bytes = map[string][]byte{}, 0
	return nil
}

func (e *Embedded) cannotWrite(err error) error {
	return fmt.Errorf("store %s: cannot write: %w", e.dir, err)
}

// Sync returns when all blocks that were put are on the disk.
func (e *Embedded) Sync() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.flush(); err != nil {
		return err
	}
	// A record that is on the disk has all before it there, too.
	if err := e.db.LogData([]byte("sync"), pebble.Sync); err != nil {
		return e.cannotWrite(err)
	}
	return nil
}

// Close releases the store, without syncing.
func (e *Embedded) Close() error {
	e.mu.Lock()
	logged := e.logged
	e.mu.Unlock()
	var err error
	if logged > quickOpenBytes {
		err = e.db.Flush()
	}
	if err = errors.Join(err, e.db.Close()); err != nil {
		return fmt.Errorf("store %s: closing: %w", e.dir, err)
	}
	return nil
}

// get copies a value out of the engine.
func (e *Embedded) get(key []byte) (value []byte, found bool, err error) {
	value, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store %s: %w", e.dir, err)
	}
	value = bytes.Clone(value)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("store %s: %w", e.dir, err)
	}
	return value, true, nil
}

// quiet keeps the engine's talk to itself.
type quiet struct{ warn, die func(message string) }

func (quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) {
	if q.warn != nil {
		q.warn("store: " + fmt.Sprintf(format, args...))
	}
}

// listener ends the process of a writer when the engine cannot bring to disk
// what is in memory, because something there is damaged, say. The engine itself
// would try again without end, and make the writer wait for it. What was synced
// is in the log.
func (q quiet) listener(write bool) *pebble.EventListener {
	return &pebble.EventListener{BackgroundError: func(err error) {
		if write {
			q.Fatalf("cannot write to disk: %v", err)
		}
		q.Errorf("%v", err)
	}}
}

// Fatalf must not return. The engine calls it where going on would lose data.
func (q quiet) Fatalf(format string, args ...any) {
	message := "store: " + fmt.Sprintf(format, args...)
	if q.die != nil {
		q.die(message)
	}
	fmt.Fprintln(os.Stderr, message)
	os.Exit(3)
}
