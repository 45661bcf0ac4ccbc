package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	blockPrefix = 'b' // then the binary CID; the value is the place of the block's record in the pack
	namePrefix  = 'n' // then the name; the value is the binary CID of its root
)

var (
	// formatKey is where the version of this arrangement stands.
	formatKey = []byte("mformat")
	// endKey is where it says up to which byte the pack is known.
	endKey = []byte("mend")
)

const formatVersion = "2"

const (
	flushBytes    = 16 << 20 // of records that are written, and synced, at once
	memTableBytes = 32 << 20 // the larger, the less often places are written again
	// cacheBytes are for what is read of the engine's tables. What it keeps for
	// writing it takes from the same room: the tables in memory, of which there
	// may be two.
	cacheBytes = 64<<20 + 2*memTableBytes
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

// Store is the store in a directory. It is safe for concurrent use.
type Store struct {
	dir  string
	db   *pebble.DB
	pack *pack
	lsys *linking.LinkSystem

	mu      sync.RWMutex
	waiting *waiting // blocks that are not in the pack yet
	logged  int      // bytes that went into the engine

	fresh bool      // there was no block when it was opened
	reads gate.Gate // those under way: whoever reads ahead does not wait for them

	closing  sync.Once
	closeErr error
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
	s := &Store{dir: dir, waiting: newWaiting(0, 0)}
	db, err := openWaiting(ctx, dir, engineOptions(o.Write, quiet{o.Warn, o.Die}), o.Wait)
	if err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return nil, fmt.Errorf("%w in %s: what is there was never finished", stores.ErrNoStore, dir)
		}
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	s.db = db
	err = s.checkFormat(o.Write)
	if err == nil {
		err = s.openPack(o.Write)
	}
	if err != nil {
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
		FS:                 writing{locking{vfs.Default, true}, log.Fatalf},
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
		options.FS = locking{vfs.Default, false}
	}
	return options
}

// openWaiting opens the engine, and tries again while another process has it.
func openWaiting(ctx context.Context, dir string, options *pebble.Options, wait time.Duration) (*pebble.DB, error) {
	const pause = 50 * time.Millisecond
	for deadline := time.Now().Add(wait); ; {
		db, err := pebble.Open(dir, options)
		if err == nil || !errors.Is(err, errLocked) {
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

// openPack opens the file of blocks, up to where the engine knows it.
func (s *Store) openPack(write bool) error {
	value, found, err := s.get(endKey)
	if err != nil {
		return err
	}
	var end uint64
	if found {
		var width int
		// What is behind the end will be cut off, so nothing else will do.
		if end, width = binary.Uvarint(value); width <= 0 || width != len(value) {
			return fmt.Errorf("store %s: damaged: %q is no length of the file of blocks", s.dir, value)
		}
	}
	s.fresh = end == 0
	if s.pack, err = openPack(s.dir, int64(end), write); err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	return nil
}

// LinkSystem gives access to the blocks.
func (s *Store) LinkSystem() *linking.LinkSystem { return s.lsys }

// DefaultRoot is none.
func (s *Store) DefaultRoot() (cid.Cid, bool) { return cid.Undef, false }

func blockKey(c cid.Cid) []byte { return append([]byte{blockPrefix}, c.KeyString()...) }

// open gives a block where it lies in memory.
func (s *Store) open(_ context.Context, c cid.Cid) (io.Reader, error) {
	block, err := s.find(c)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(block), nil
}

// Get gives a copy of a block.
func (s *Store) Get(_ context.Context, c cid.Cid) ([]byte, error) {
	if block, ok := stores.Inlined(c); ok {
		return block, nil
	}
	block, err := s.find(c)
	return bytes.Clone(block), err
}

// find finds a block, which is not to be changed.
func (s *Store) find(c cid.Cid) ([]byte, error) {
	if block, ok := s.unwritten(c); ok {
		return block, nil
	}
	if !s.reads.Enter() {
		return nil, s.closed()
	}
	defer s.reads.Leave()
	if block, ok := s.pack.following(c.KeyString()); ok {
		return block, nil
	}
	at, found, err := s.place(c)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, stores.NotFound{CID: c}
	}
	block, err := s.pack.read(c.KeyString(), at)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", s.dir, err)
	}
	return block, nil
}

// unwritten gives a block that is not in the pack yet.
func (s *Store) unwritten(c cid.Cid) (block []byte, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.waiting.block(c.KeyString())
}

// place looks up where a block is in the pack. Whoever calls it has entered.
func (s *Store) place(c cid.Cid) (at place, found bool, err error) {
	value, closer, err := s.db.Get(blockKey(c))
	if errors.Is(err, pebble.ErrNotFound) {
		return at, false, nil
	}
	if err == nil {
		at, err = parsePlace(value)
		err = errors.Join(err, closer.Close())
	}
	if err != nil {
		return at, false, fmt.Errorf("store %s: block %s: %w", s.dir, c, err)
	}
	return at, true, nil
}

// Has says whether a block is there.
func (s *Store) Has(_ context.Context, c cid.Cid) (bool, error) {
	if _, ok := stores.Inlined(c); ok {
		return true, nil
	}
	if _, ok := s.unwritten(c); ok {
		return true, nil
	}
	if !s.reads.Enter() {
		return false, s.closed()
	}
	defer s.reads.Leave()
	_, found, err := s.place(c)
	return found, err
}

func (s *Store) closed() error { return fmt.Errorf("store %s: %w", s.dir, os.ErrClosed) }

// Put stores a copy of a block. It is on the disk after the next Sync.
func (s *Store) Put(_ context.Context, c cid.Cid, block []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.add(c.KeyString(), block)
	if len(s.waiting.bytes) < flushBytes {
		return nil
	}
	return s.flush()
}

// Publish is Sync: the store knows roots by their names alone.
func (s *Store) Publish(context.Context, cid.Cid) error { return s.Sync() }

// flush writes the waiting blocks into the pack, and then, when they are on the
// disk, their places into the engine: whatever happens to the process or the
// machine, a place that is found is the place of a block. s.mu is locked.
func (s *Store) flush() error {
	if len(s.waiting.records) == 0 {
		return nil
	}
	sorted := s.waiting.sorted()
	if err := s.dropKnown(sorted); err != nil {
		return err
	}
	records, places := s.waiting.arrange()
	begin, err := s.pack.write(records)
	if err != nil {
		return s.cannotWrite(err)
	}
	const size = 64 // of an entry in a batch, about
	batch := s.db.NewBatchWithSize(size * len(sorted))
	defer batch.Close()
	// In order, each finds its place in the engine's memory beside the last.
	var key, value []byte
	for _, i := range sorted {
		if s.waiting.records[i].known {
			continue
		}
		at := places[i]
		at.at += begin
		key, value = append(append(key[:0], blockPrefix), s.waiting.records[i].cid...), at.append(value[:0])
		if err := batch.Set(key, value, nil); err != nil {
			return s.cannotWrite(err)
		}
	}
	end := binary.AppendUvarint(nil, uint64(begin)+uint64(len(records)))
	if err := batch.Set(endKey, end, nil); err != nil {
		return s.cannotWrite(err)
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return s.cannotWrite(err)
	}
	s.logged += batch.Len()
	s.waiting = newWaiting(cap(s.waiting.bytes), len(sorted)) // readers may have parts of the old
	return nil
}

// dropKnown marks those of the waiting blocks that are there already, so that
// they take no more room. Where nothing was there it does not look: who builds
// a map puts no block twice. In order of CID it is quick.
func (s *Store) dropKnown(sorted []int32) error {
	if s.fresh {
		return nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	var key []byte
	for _, i := range sorted {
		r := &s.waiting.records[i]
		key = append(append(key[:0], blockPrefix), r.cid...)
		r.known = it.SeekPrefixGE(key) // of that key alone
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
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
// way; later reads are os.ErrClosed. Closing again returns what the first Close
// returned.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.reads.Close()
	s.mu.Lock()
	logged := s.logged
	s.mu.Unlock()
	var err error
	if logged > quickOpenBytes {
		err = s.db.Flush()
	}
	if err = errors.Join(err, s.pack.close(), s.db.Close()); err != nil {
		return fmt.Errorf("store %s: closing: %w", s.dir, err)
	}
	return nil
}

// get copies a value out of the engine.
func (s *Store) get(key []byte) (value []byte, found bool, err error) {
	if !s.reads.Enter() {
		return nil, false, s.closed()
	}
	defer s.reads.Leave()
	borrowed, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store %s: %w", s.dir, err)
	}
	value = bytes.Clone(borrowed)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("store %s: %w", s.dir, err)
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
