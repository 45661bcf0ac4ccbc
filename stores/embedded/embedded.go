package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/gate"
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
	// A build writes keys that are spread over all that is there. So each
	// compaction writes again most of the level that it goes to: few and large
	// ones are cheaper than many, as long as reading has not to look into too
	// many tables.
	compactAt      = 20        // overlapping tables, counted twice, before any are merged
	stopAt         = 40        // before writing waits for that
	baseLevelBytes = 512 << 20 // below that, all that is merged is one level
	tableBytes     = 16 << 20  // the larger, the fewer to know of on opening
	// quickOpenBytes is how much may be left in the log on closing. Every
	// process that reads has to go through it when it opens the store.
	quickOpenBytes = 1 << 20
)

// Store is the store in a directory, over Pebble. It is safe for concurrent
// use.
type Store struct {
	dir  string
	db   *pebble.DB
	lsys *linking.LinkSystem

	mu      sync.RWMutex
	waiting map[string][]byte // blocks that are not in the engine yet
	bytes   int               // of them
	logged  int               // bytes that went into the engine

	reads gate.Gate // those under way: whoever reads ahead does not wait for them
}

var (
	_ stores.Writable = (*Store)(nil)
	_ stores.Named    = (*Store)(nil)
)

// Options say how a store is opened.
type Options struct {
	// Write opens the store for writing too, and makes it where there is
	// nothing. One process at a time may do so, and none may read meanwhile.
	Write bool
	// Wait is how long to wait for another process that has the store open;
	// after that it is stores.ErrLocked.
	Wait time.Duration
	// Warn is told what goes wrong in the background.
	Warn func(message string)
	// Die ends the process, since the engine cannot go on: it failed to write
	// its log. nil means a line to stderr and exit status 3.
	Die func(message string)
}

// Open opens the store in a directory; stores.ErrNoStore where there is none to
// be read, or something else in the way of one to be written.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	check := CheckExists
	if o.Write {
		check = CheckWritable
	}
	if err := check(dir); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, waiting: map[string][]byte{}}
	db, err := openWaiting(ctx, dir, engineOptions(o.Write, quiet{o.Warn, o.Die}), o.Wait)
	if err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return nil, fmt.Errorf("%w in %s: what is there was never finished", stores.ErrNoStore, dir)
		}
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	s.db = db
	if err := s.checkFormat(o.Write); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.lsys = stores.Reading(s.open)
	if o.Write {
		stores.Writing(s.lsys, s.Put)
	}
	return s, nil
}

// CheckWritable says early, without opening anything, what Open for writing
// would stumble over.
func CheckWritable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	// The engine would spread its files among those that are there.
	if len(entries) > 0 && !looksEmbedded(dir) {
		return fmt.Errorf("%s: the directory is not empty, and no store: %w", dir, stores.ErrNoStore)
	}
	return nil
}

// CheckExists says whether there is a store in a directory.
func CheckExists(dir string) error {
	if looksEmbedded(dir) {
		return nil
	}
	return fmt.Errorf("%w in %s: build or import a map first, or name another with --store", stores.ErrNoStore, dir)
}

// looksEmbedded says whether the engine has been in a directory. Its lock file
// is the first it makes.
func looksEmbedded(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "LOCK"))
	return err == nil
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

		L0CompactionThreshold: compactAt,
		L0StopWritesThreshold: stopAt,
		LBaseMaxBytes:         baseLevelBytes,
	}
	for i := range options.TargetFileSizes {
		options.TargetFileSizes[i] = tableBytes
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
			return nil, stores.ErrLocked
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// checkFormat makes sure that a later arrangement of keys is not misread.
func (s *Store) checkFormat(write bool) error {
	value, found, err := s.get(formatKey)
	switch {
	case err != nil:
		return err
	case found && string(value) != formatVersion:
		return fmt.Errorf("store %s has format %q, and this command knows %q", s.dir, value, formatVersion)
	case found || !write:
		return nil // a store that was made and never written to has none
	}
	if err := s.db.Set(formatKey, []byte(formatVersion), pebble.Sync); err != nil {
		return s.cannotWrite(err)
	}
	return nil
}

// LinkSystem gives access to the blocks.
func (s *Store) LinkSystem() *linking.LinkSystem { return s.lsys }

// DefaultRoot is none.
func (s *Store) DefaultRoot() (cid.Cid, bool) { return cid.Undef, false }

func blockKey(c cid.Cid) []byte { return append([]byte{blockPrefix}, c.KeyString()...) }

// unwritten gives a block that is not in the engine yet.
func (s *Store) unwritten(c cid.Cid) (block []byte, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	block, ok = s.waiting[c.KeyString()]
	return block, ok
}

// open gives a block where it lies in the engine's memory.
func (s *Store) open(_ context.Context, c cid.Cid) (io.Reader, error) {
	if block, ok := s.unwritten(c); ok {
		return bytes.NewReader(block), nil
	}
	value, err := s.borrow(blockKey(c))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, stores.NotFound{CID: c}
	}
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Get gives a copy of a block.
func (s *Store) Get(_ context.Context, c cid.Cid) ([]byte, error) {
	if block, ok := stores.Inlined(c); ok {
		return block, nil
	}
	if block, ok := s.unwritten(c); ok {
		return block, nil
	}
	block, found, err := s.get(blockKey(c))
	if err == nil && !found {
		err = stores.NotFound{CID: c}
	}
	return block, err
}

// Has says whether a block is there.
func (s *Store) Has(_ context.Context, c cid.Cid) (bool, error) {
	if _, ok := stores.Inlined(c); ok {
		return true, nil
	}
	if _, ok := s.unwritten(c); ok {
		return true, nil
	}
	value, err := s.borrow(blockKey(c))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, value.Close()
}

// Put stores a block, which it keeps. It is on the disk after the next Sync.
func (s *Store) Put(_ context.Context, c cid.Cid, block []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.waiting[c.KeyString()]; ok {
		return nil
	}
	s.waiting[c.KeyString()] = block
	s.bytes += len(block)
	if s.bytes < flushBytes {
		return nil
	}
	return s.flush()
}

// Publish is Sync: the store knows roots by their names alone.
func (s *Store) Publish(context.Context, cid.Cid) error { return s.Sync() }

// flush hands the waiting blocks to the engine. s.mu is locked.
func (s *Store) flush() error {
	if len(s.waiting) == 0 {
		return nil
	}
	const overhead = 64 // of an entry in a batch, with its key
	batch := s.db.NewBatchWithSize(s.bytes + overhead*len(s.waiting))
	defer batch.Close()
	// In order, each finds its place in the engine's memory beside the last.
	for _, key := range slices.Sorted(maps.Keys(s.waiting)) {
		if err := batch.Set(append([]byte{blockPrefix}, key...), s.waiting[key], nil); err != nil {
			return s.cannotWrite(err)
		}
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return s.cannotWrite(err)
	}
	s.logged += s.bytes
	s.waiting, s.bytes = map[string][]byte{}, 0
	return nil
}

func (s *Store) cannotWrite(err error) error {
	return fmt.Errorf("store %s: cannot write: %w", s.dir, err)
}

// Sync returns when all blocks that were put are on the disk.
func (s *Store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.flush(); err != nil {
		return err
	}
	// A record that is on the disk has all before it there, too.
	if err := s.db.LogData([]byte("sync"), pebble.Sync); err != nil {
		return s.cannotWrite(err)
	}
	return nil
}

// Close releases the store, without syncing. It waits for reads that are under
// way, so readers that the LinkSystem gave have to be closed; later reads are
// os.ErrClosed.
func (s *Store) Close() error {
	s.reads.Close()
	s.mu.Lock()
	logged := s.logged
	s.mu.Unlock()
	var err error
	if logged > quickOpenBytes {
		err = s.db.Flush()
	}
	if err = errors.Join(err, s.db.Close()); err != nil {
		return fmt.Errorf("store %s: closing: %w", s.dir, err)
	}
	return nil
}

// borrowed reads a value from the engine's memory until it is closed.
type borrowed struct {
	bytes.Reader
	store  *Store
	closer io.Closer // nil once it was closed
}

// borrow finds a value in the engine; pebble.ErrNotFound where there is none.
func (s *Store) borrow(key []byte) (*borrowed, error) {
	if !s.reads.Enter() {
		return nil, fmt.Errorf("store %s: %w", s.dir, os.ErrClosed)
	}
	value, closer, err := s.db.Get(key)
	if err != nil {
		s.reads.Leave()
		return nil, fmt.Errorf("store %s: %w", s.dir, err)
	}
	return &borrowed{*bytes.NewReader(value), s, closer}, nil
}

func (b *borrowed) Close() error {
	if b.closer == nil {
		return nil
	}
	err := b.closer.Close()
	b.closer = nil
	b.store.reads.Leave()
	if err != nil {
		return fmt.Errorf("store %s: %w", b.store.dir, err)
	}
	return nil
}

// get copies a value out of the engine.
func (s *Store) get(key []byte) (value []byte, found bool, err error) {
	b, err := s.borrow(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value = make([]byte, b.Len())
	_, err = io.ReadFull(b, value)
	return value, true, errors.Join(err, b.Close())
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
