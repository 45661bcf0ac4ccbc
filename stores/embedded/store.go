package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/gate"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// Store is the store in a directory. It is safe for concurrent use.
type Store struct {
	dir  string
	fs   filesystem
	warn func(message string)
	stores.Base

	reads gate.Gate // those under way: whoever reads ahead does not wait for them

	// packs are read from while files is locked for reading, and closed while it
	// is locked.
	files sync.RWMutex
	packs []*openPack // the newest first
	last  atomic.Pointer[openPack]

	// changes is held by who changes the store, for as long as that takes; mu, too,
	// while that is done which others see.
	changes  sync.Mutex
	mu       sync.RWMutex
	state    state
	logFound []error  // what was damaged of the log when the store was opened
	waiting  *waiting // blocks that are in no pack yet
	*writing          // nil in a store that is read only
}

// openPack is a pack that is read.
type openPack struct {
	packLine
	*pack.Pack       // nil where nothing of it can be read
	lost       error // why not
	file       file  // nil where there is none

	// Whoever reads for long holds the pack open. Both are guarded by Store.files.
	holders int
	dropped bool // from the store, and to be closed by the last of them
}

// path returns where the pack is in the store's directory.
func (p *openPack) path() string { return packsDir + "/" + p.Name }

var (
	_ stores.Writable    = (*Store)(nil)
	_ stores.Logged      = (*Store)(nil)
	_ stores.Remembering = (*Store)(nil)
	_ stores.Syncer      = (*Store)(nil)
)

// Options say how a store is opened.
type Options struct {
	// Write opens the store for writing too, and makes it where there is
	// nothing. One process at a time may do so, and any number may read
	// meanwhile: they see what was there when they opened it.
	Write bool
	// Repair opens a store whose log is damaged with all that is found: the names
	// that can be read, and every pack that is there. With Write the log then says
	// so. A store whose log is not damaged is opened as ever.
	Repair bool
	// Wait is how long to wait for another process that writes; after that it is
	// stores.ErrLocked.
	Wait time.Duration
	// By is what History says of who moves names now.
	By string
	// Warn is told what goes wrong and does no harm: merging packs, say.
	Warn func(message string)

	fs  filesystem       // nil for the disk
	now func() time.Time // nil for the clock
}

// Open opens the store in a directory. The error is stores.ErrNoStore where
// there is none to be read, or something else in the way of one to be written; a
// *FormatError where there is one of another format; a *LogError where the log is
// damaged and the store would be written to.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	if o.fs == nil {
		o.fs = disk{}
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	s := &Store{dir: dir, fs: o.fs, warn: o.Warn, waiting: newWaiting(0, 0)}
	var err error
	if o.Write {
		err = s.openWriting(ctx, o)
	} else {
		err = s.openReading(o.Repair)
	}
	if err != nil {
		if !errors.Is(err, stores.ErrNoStore) && !errors.As(err, new(*LogError)) && !errors.As(err, new(*FormatError)) { // which name it
			err = fmt.Errorf("store %s: %w", dir, err)
		}
		return nil, errors.Join(err, s.release())
	}
	s.Base = stores.NewBase(stores.Blocks{Get: s.find, Has: s.has, Checked: true})
	s.LinkSystem().TrustedStorage = true // find has checked what it returns
	if o.Write {
		stores.Writing(s.LinkSystem(), s.Put)
	}
	return s, nil
}

// openReading opens the packs of the log's last state. They may be merged while
// it does.
func (s *Store) openReading(repair bool) error {
	if err := checkReadable(s.fs, s.dir); err != nil {
		return err
	}
	before := 0 // the last step when a pack was not there
	for attempt := 0; ; attempt++ {
		read, err := readLog(s.fs, s.dir)
		if err != nil {
			return err
		}
		if read.last == 0 || read.gap != nil && repair {
			packs, err := s.fs.List(filepath.Join(s.dir, packsDir))
			if err != nil {
				return err
			}
			switch {
			case read.last == 0 && len(packs) == 0:
				return fmt.Errorf("%w: what is there was never finished", stores.ErrNoStore)
			case !repair:
				return &LogError{s.dir, errLogLost}
			}
			if err := s.adoptFiles(&read.state, packs); err != nil {
				return err
			}
		}
		if read.gap != nil {
			s.warn((&LogError{s.dir, read.gap}).Error() + "; names may be missing")
		}
		s.state, s.logFound = read.state, read.faults()
		const attempts = 100
		if err := s.openPacks(read.last == before); !errors.Is(err, os.ErrNotExist) || attempt == attempts {
			return err
		}
		before = read.last
	}
}

var errLogLost = errors.New("both copies of the log are lost")

// openPacks opens the packs of the state that are not open. One that is no pack
// any more, or is absent for good, is not there for whoever asks for a block, and
// named when a block is missing.
func (s *Store) openPacks(forGood bool) error {
	s.files.Lock()
	defer s.files.Unlock()
	known := map[string]*openPack{}
	for _, p := range s.packs {
		known[p.Name] = p
	}
	packs := make([]*openPack, 0, len(s.state.Packs))
	for i := len(s.state.Packs) - 1; i >= 0; i-- {
		line := s.state.Packs[i]
		p := known[line.Name]
		if p == nil {
			var err error
			if p, err = s.openPack(line); errors.Is(err, os.ErrNotExist) && forGood {
				p, err = &openPack{packLine: line, lost: fmt.Errorf("it is absent: %w", os.ErrNotExist)}, nil
			}
			if err != nil {
				return errors.Join(err, closePacks(packs, known))
			}
		}
		packs = append(packs, p)
	}
	inUse := map[string]*openPack{}
	for _, p := range packs {
		inUse[p.Name] = p
	}
	err := closePacks(s.packs, inUse)
	s.packs = packs
	s.last.Store(nil)
	return err
}

// closePacks closes packs but those in a set. s.files is locked.
func closePacks(packs []*openPack, but map[string]*openPack) (err error) {
	for _, p := range packs {
		if but[p.Name] == nil {
			p.dropped = true
			err = errors.Join(err, p.close())
		}
	}
	return err
}

// close closes a pack that was dropped, unless somebody holds it. s.files is
// locked.
func (p *openPack) close() error {
	if !p.dropped || p.holders > 0 || p.file == nil {
		return nil
	}
	return p.file.Close()
}

// hold returns the packs, the newest first, which stay open until they are let go.
func (s *Store) hold() (packs []*openPack, letGo func()) {
	s.files.Lock()
	defer s.files.Unlock()
	packs = s.packs
	for _, p := range packs {
		p.holders++
	}
	return packs, func() {
		s.files.Lock()
		defer s.files.Unlock()
		for _, p := range packs {
			p.holders--
			if err := p.close(); err != nil {
				s.warn(fmt.Sprintf("store %s: %v", s.dir, err))
			}
		}
	}
}

// openPack opens a pack. What is in the file is no reason for an error.
func (s *Store) openPack(line packLine) (*openPack, error) {
	f, err := s.fs.Open(s.packPath(line.Name))
	if err != nil {
		return nil, err
	}
	p := &openPack{packLine: line, file: f}
	size, err := f.Size()
	if err == nil {
		p.Pack, err = pack.Open(f, size)
	}
	if errors.Is(err, pack.ErrFormat) {
		p.Pack, err = pack.Salvage(f, size), nil
	}
	p.lost = err
	return p, nil
}

// DamageError reports that the store should have a block, and cannot read it.
// It is stores.ErrWrongBytes.
type DamageError struct {
	Dir  string  // of the store
	Pack string  // name of the pack
	CID  cid.Cid // undefined where nothing says which block it was
	Err  error   // of the pack
}

func (e *DamageError) Error() string {
	if !e.CID.Defined() {
		return fmt.Sprintf("store %s: a block in %s: %v", e.Dir, e.Pack, e.Err)
	}
	return fmt.Sprintf("store %s: block %s in %s: %v", e.Dir, e.CID, e.Pack, e.Err)
}

// Unwrap returns stores.ErrWrongBytes and the pack's error.
func (e *DamageError) Unwrap() []error { return []error{stores.ErrWrongBytes, e.Err} }

// find returns a block, which has been checked and is not to be changed. The error
// is stores.NotFound where the store has not got it, a *DamageError where it is
// damaged in every pack that has it.
func (s *Store) find(_ context.Context, c cid.Cid) ([]byte, error) {
	if !s.reads.Enter() {
		return nil, s.closed()
	}
	defer s.reads.Leave()
	if block, ok, err := s.unpublished(c); ok || err != nil {
		return block, err
	}
	s.files.RLock()
	defer s.files.RUnlock()
	return s.findPacked(c)
}

// findPacked finds a block in the packs. s.files is locked.
func (s *Store) findPacked(c cid.Cid) ([]byte, error) {
	last := s.last.Load()
	if last != nil {
		if block, ok := last.Following(c); ok {
			return block, nil
		}
	}
	var damage error
	for _, p := range s.packs {
		if p.Pack == nil {
			continue
		}
		block, ok, err := p.Get(c)
		switch {
		case ok:
			if p != last {
				s.last.Store(p)
			}
			return block, nil
		case err != nil && damage == nil:
			damage = &DamageError{s.dir, p.Name, c, err}
		}
	}
	if damage != nil {
		return nil, damage
	}
	for _, p := range s.packs {
		if p.Pack == nil {
			return nil, fmt.Errorf("%w, and %s, which may have had it, cannot be read: %w", stores.NotFound{CID: c}, p.Name, p.lost)
		}
	}
	return nil, stores.NotFound{CID: c}
}

// has reports whether a block is there: its section is found, and not read.
func (s *Store) has(_ context.Context, c cid.Cid) (bool, error) {
	if !s.reads.Enter() {
		return false, s.closed()
	}
	defer s.reads.Leave()
	if _, ok, err := s.unpublished(c); ok || err != nil {
		return ok, err
	}
	s.files.RLock()
	defer s.files.RUnlock()
	for _, p := range s.packs {
		if p.Pack == nil {
			continue
		}
		if ok, err := p.Has(c); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (s *Store) closed() error { return fmt.Errorf("store %s: %w", s.dir, os.ErrClosed) }

// Close releases the store, without syncing. It waits for reads that are under
// way; later reads are os.ErrClosed, and so are writes. One that was written to
// merges small packs first. Closing twice does nothing more.
func (s *Store) Close() error {
	s.reads.Close()
	if err := s.release(); err != nil {
		return fmt.Errorf("store %s: closing: %w", s.dir, err)
	}
	return nil
}

func (s *Store) release() (err error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	if s.writing != nil {
		err = s.closeWriting()
	}
	s.files.Lock()
	defer s.files.Unlock()
	err = errors.Join(err, closePacks(s.packs, nil))
	s.packs = nil
	return err
}
