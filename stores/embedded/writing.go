package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

const (
	flushBytes = 16 << 20 // of blocks that are arranged, and written, at once
	// A pack is finished when it has so many bytes or blocks: what is kept in
	// memory for its index is about 60 bytes a block.
	maxPackBytes  = 1 << 30
	maxPackBlocks = 2 << 20
	// syncBytes are written before they are brought to the disk in the
	// background, so that there is little to wait for at the end.
	syncBytes = 64 << 20
)

// writing is what a store has that is written to. It is guarded by Store.mu.
type writing struct {
	lock     io.Closer
	log      *log
	now      func() time.Time
	by       string
	current  *newPack   // that blocks are written to; nil where there is none
	finished []*newPack // and not in the log yet
	next     int        // number of a pack that never was
	unmerged bool       // packs could not be merged
	closed   bool
}

// newPack is a pack that is not in the log.
type newPack struct {
	name   string
	file   file
	writer *pack.Writer
	line   packLine   // when it is finished
	read   *pack.Pack // when it is finished
	synced int64      // bytes that were, or are being, brought to the disk
	sync   chan error // the result of doing so, if that is going on
}

// openWriting makes the store where there is none, and opens it as its writer.
func (s *Store) openWriting(ctx context.Context, o Options) (err error) {
	exists, err := checkWritable(s.fs, s.dir)
	if err != nil {
		return err
	}
	if !exists {
		if err := s.makeDir(s.dir); err != nil {
			return s.cannotWrite(err)
		}
	}
	w := &writing{by: o.By, now: func() time.Time { return logTime(o.now()) }}
	if w.lock, err = s.fs.Lock(ctx, filepath.Join(s.dir, lockName), o.Wait); err != nil {
		return err
	}
	s.writing = w
	if !exists { // or did not before another process had the lock
		if exists, err = checkWritable(s.fs, s.dir); err != nil {
			return err
		}
	}
	if !exists {
		if err := s.create(); err != nil {
			return err
		}
	}
	read, err := readLog(s.fs, s.dir)
	if err != nil {
		return err
	}
	packs, err := s.fs.List(filepath.Join(s.dir, packsDir))
	if err != nil {
		return err
	}
	if read.last == 0 && len(packs) > 0 {
		read.gap = errLogLost
	}
	if read.gap != nil {
		if !o.Repair {
			return &LogError{s.dir, read.gap}
		}
		read.whole = false
		if err := s.adoptFiles(&read.state, packs); err != nil {
			return err
		}
	}
	if len(packs) == 0 { // and perhaps no directory of them
		if err := s.makeDir(filepath.Join(s.dir, packsDir)); err != nil {
			return s.cannotWrite(err)
		}
	}
	if data, err := readMarker(s.fs, s.dir); err != nil || data != marker { // which checkWritable has passed
		if err := s.create(); err != nil {
			return err
		}
	}
	s.state, s.logFound = read.state, read.faults()
	s.state.apply(&step{}) // which makes what is absent empty
	w.next = max(s.state.Next, 1)
	// What a full disk was filled with is given back before anything is written.
	s.removeUnknown(packs)
	if w.log, err = openLog(s.fs, s.dir, read, w.now()); err != nil {
		return s.cannotWrite(err)
	}
	return s.openPacks(true)
}

// create makes a store. The marker comes first: all else without it would be
// somebody else's files.
func (s *Store) create() error {
	if err := replaceFile(s.fs, filepath.Join(s.dir, markerName), []byte(marker)); err != nil {
		return s.cannotWrite(err)
	}
	return nil
}

// adoptFiles makes a state have the packs that are there, and no others.
func (s *Store) adoptFiles(st *state, files []string) error {
	add := &step{}
	for _, name := range files {
		if _, ok := packNumber(name); !ok {
			continue
		}
		p, err := s.openPack(packLine{Name: name})
		if err != nil {
			return err
		}
		line := packLine{Name: name}
		line.Bytes, err = p.file.Size()
		if err == nil && p.Pack != nil {
			line.Blocks, err = p.Pack.Blocks()
		}
		if err = errors.Join(err, p.file.Close()); err != nil {
			return err
		}
		add.Add = append(add.Add, line)
	}
	st.Packs = nil
	st.apply(add)
	return nil
}

// makeDir makes a directory and those above it, and brings their names to the
// disk.
func (s *Store) makeDir(dir string) error {
	parent := filepath.Dir(dir)
	if names, err := s.fs.List(parent); err != nil {
		return err
	} else if len(names) == 0 && parent != dir { // absent, or as good as
		if err := s.makeDir(parent); err != nil {
			return err
		}
	}
	if err := s.fs.MakeDir(dir); err != nil {
		return err
	}
	return s.fs.SyncDir(parent)
}

// removeUnknown removes what was left by a process that was killed: packs that
// are not in the log. What cannot be removed takes room, and nothing else.
func (s *Store) removeUnknown(files []string) {
	known := map[string]bool{}
	for _, p := range s.state.Packs {
		known[p.Name] = true
	}
	for _, name := range files {
		if _, ok := packNumber(name); ok && !known[name] {
			s.removePack(name)
		}
	}
}

func (s *Store) removePack(name string) {
	if err := s.fs.Remove(s.packPath(name)); err != nil {
		s.warn(fmt.Sprintf("store %s: what is not needed any more cannot be removed: %v", s.dir, err))
	}
}

func (s *Store) cannotWrite(err error) error {
	return fmt.Errorf("cannot write: %w", err)
}

// unpublished returns a block that is in no pack that counts.
func (s *Store) unpublished(c cid.Cid) (block []byte, ok bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.writing == nil {
		return nil, false, nil
	}
	if block, ok := s.waiting.block(c); ok {
		return block, true, nil
	}
	if p := s.current; p != nil {
		if block, ok, err := p.writer.Get(c); ok || err != nil {
			return block, ok, s.unreadable(p.name, c, err)
		}
	}
	for _, p := range s.finished {
		if block, ok, err := p.read.Get(c); ok || err != nil {
			return block, ok, s.unreadable(p.name, c, err)
		}
	}
	return nil, false, nil
}

// unreadable returns a pack's error as the store's.
func (s *Store) unreadable(name string, c cid.Cid, err error) error {
	if err == nil {
		return nil
	}
	return &DamageError{s.dir, name, c, err}
}

// Put stores a copy of a block. It is on the disk after the next Sync.
func (s *Store) Put(_ context.Context, c cid.Cid, block []byte) error {
	if err := s.CheckDigest(c); err != nil {
		return err
	}
	if _, ok := stores.Inlined(c); ok {
		return nil
	}
	if len(block) > stores.MaxBlockBytes {
		return fmt.Errorf("store %s: block %s: %w", s.dir, c, stores.ErrTooLarge)
	}
	return s.change(func() error {
		if err := s.canWrite(); err != nil {
			return err
		}
		s.waiting.add(c, block)
		if len(s.waiting.bytes) < flushBytes {
			return nil
		}
		return s.flush()
	})
}

// change has something changed that readers see.
func (s *Store) change(do func() error) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := s.changing(do); err != nil {
		return err
	}
	if len(s.state.Packs) > maxPacks {
		s.mergeSmall(context.Background())
	}
	return nil
}

// changing is change of who has locked s.changes.
func (s *Store) changing(do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return do()
}

// canWrite returns an error if nothing can be written. s.mu is locked.
func (s *Store) canWrite() error {
	switch {
	case s.writing == nil:
		return fmt.Errorf("store %s %w", s.dir, stores.ErrReadOnly)
	case s.writing.closed:
		return s.closed()
	case s.log.failed != nil:
		return fmt.Errorf("store %s: %w", s.dir, s.cannotWrite(s.log.failed))
	}
	return nil
}

// flush writes the waiting blocks that are not there yet to the current pack.
// s.mu is locked. A block that is there and damaged is not there.
func (s *Store) flush() error {
	if len(s.waiting.records) == 0 {
		return nil
	}
	s.files.RLock()
	sections := s.waiting.arrange(s.known)
	s.files.RUnlock()
	if len(sections) > 0 {
		if err := s.write(sections); err != nil {
			return fmt.Errorf("store %s: %w", s.dir, s.cannotWrite(err))
		}
	}
	s.waiting = newWaiting(cap(s.waiting.bytes), len(s.waiting.records)) // readers may have parts of the old
	return nil
}

// known reports whether a pack has a block as it is given. s.files is locked.
func (s *Store) known(c cid.Cid, block []byte) bool {
	if s.current != nil && s.current.writer.Has(c) {
		return true
	}
	for _, p := range s.finished {
		if p.read.Holds(c, block) {
			return true
		}
	}
	for _, p := range s.packs {
		if p.Pack != nil && p.Holds(c, block) {
			return true
		}
	}
	return false
}

// write writes sections to the current pack. s.mu is locked.
func (s *Store) write(sections []byte) error {
	if s.current == nil {
		p, err := s.newPack(1)
		if err != nil {
			return err
		}
		s.current = p
	}
	p := s.current
	if _, err := p.writer.Write(sections); err != nil {
		return err
	}
	if p.writer.Len() < maxPackBytes && p.writer.Blocks() < maxPackBlocks {
		return p.syncBehind()
	}
	return s.finishCurrent()
}

// newPack makes a pack that nobody knows, with room for roots.
func (s *Store) newPack(roots int) (*newPack, error) {
	p := &newPack{name: packName(s.next)}
	f, err := s.fs.Create(s.packPath(p.name))
	if err != nil {
		return nil, err
	}
	s.next++
	p.file, p.writer = f, pack.NewWriter(f, roots)
	return p, nil
}

// syncBehind begins to bring to the disk what is far from being so.
func (p *newPack) syncBehind() error {
	if p.writer.Len()-p.synced < syncBytes {
		return nil
	}
	if err := p.wait(); err != nil {
		return err
	}
	p.begin()
	return nil
}

// begin begins to bring all of the pack to the disk.
func (p *newPack) begin() {
	p.synced = p.writer.Len()
	done := make(chan error, 1)
	p.sync = done
	go func() { done <- p.file.Sync() }()
}

// wait waits for what begin began.
func (p *newPack) wait() error {
	if p.sync == nil {
		return nil
	}
	err := <-p.sync
	p.sync = nil
	return err
}

// finish writes the index of a pack, and begins to bring it to the disk.
func (p *newPack) finish(roots ...cid.Cid) error {
	if err := p.wait(); err != nil {
		return err
	}
	info, err := p.writer.Finish(roots...)
	if err != nil {
		return err
	}
	p.line = packLine{Name: p.name, Bytes: info.Bytes, Blocks: info.Blocks}
	p.begin()
	p.read, err = pack.Open(p.file, info.Bytes)
	p.writer = nil
	return err
}

// finishCurrent finishes the current pack. s.mu is locked.
func (s *Store) finishCurrent(roots ...cid.Cid) error {
	p := s.current
	if p == nil {
		return nil
	}
	// A pack whose writing has failed is not tried again.
	s.current = nil
	if err := p.finish(roots...); err != nil {
		s.discard(p)
		return err
	}
	s.finished = append(s.finished, p)
	return nil
}

// discard closes and removes a pack that is not in the log.
func (s *Store) discard(p *newPack) {
	if err := errors.Join(p.wait(), p.file.Close()); err != nil {
		s.warn(fmt.Sprintf("store %s: %v", s.dir, err))
	}
	s.removePack(p.name)
}

// Publish is Sync, and remembers the root: in the pack that it finishes or, where there
// is none, in the log.
func (s *Store) Publish(_ context.Context, root cid.Cid) error {
	return s.change(func() error { return s.commit(root) })
}

// Sync returns when all blocks that were put are on the disk.
func (s *Store) Sync() error {
	return s.change(func() error { return s.commit(cid.Undef) })
}

// commit brings all that was put to the disk, and lets names stand for roots.
// s.mu is locked.
func (s *Store) commit(root cid.Cid, names ...nameLine) error {
	if err := s.canWrite(); err != nil {
		return err
	}
	if root.Defined() {
		if err := s.CheckDigest(root); err != nil {
			return err
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	var roots []cid.Cid
	step := &step{Names: names}
	if root.Defined() {
		roots = append(roots, root)
		if text := root.String(); s.current == nil && len(names) == 0 && !slices.Contains(s.state.Roots, text) {
			step.Roots = append(step.Roots, text)
		}
	}
	if err := s.finishCurrent(roots...); err != nil {
		return fmt.Errorf("store %s: %w", s.dir, s.cannotWrite(err))
	}
	if err := s.adopt(step); err != nil {
		return fmt.Errorf("store %s: %w", s.dir, s.cannotWrite(err))
	}
	return nil
}

// adopt makes a step in the log, to which it adds the packs that are finished.
// s.mu is locked.
func (s *Store) adopt(step *step) error {
	if len(s.finished) == 0 && len(step.Remove) == 0 && len(step.Names) == 0 && len(step.Roots) == 0 {
		return nil
	}
	if len(s.finished) > 0 {
		synced := make(chan error, 1)
		go func() { synced <- s.fs.SyncDir(filepath.Join(s.dir, packsDir)) }()
		var err error
		for _, p := range s.finished {
			err = errors.Join(err, p.wait())
			step.Add = append(step.Add, p.line)
		}
		if err = errors.Join(err, <-synced); err != nil {
			s.discardFinished()
			return err
		}
	}
	step.Time, step.By = s.now(), s.by
	if err := s.log.append(step); err != nil {
		return err // and nothing is removed: the step may be there
	}
	s.state.apply(step)
	s.files.Lock()
	for _, p := range s.finished {
		s.packs = append([]*openPack{{packLine: p.line, Pack: p.read, file: p.file}}, s.packs...)
	}
	s.files.Unlock()
	s.finished = nil
	if err := s.openPacks(true); err != nil { // and close those that do not count any more
		return err
	}
	for _, name := range step.Remove {
		s.removePack(name)
	}
	if s.log.long() {
		return s.log.rewrite(&s.state, s.now())
	}
	return nil
}

// discardFinished gives up the blocks of packs that could not be brought to the
// disk: nobody knows what of them is there. s.mu is locked.
func (s *Store) discardFinished() {
	for _, p := range s.finished {
		s.discard(p)
	}
	s.finished = nil
}

// closeWriting ends writing, without syncing. s.changes is locked.
func (s *Store) closeWriting() (err error) {
	w := s.writing
	if w.closed {
		return nil
	}
	_ = s.changing(func() error {
		w.closed = true
		if w.current != nil {
			s.discard(w.current)
			w.current = nil
		}
		if w.log == nil || w.log.failed == nil {
			s.discardFinished()
		}
		s.waiting = newWaiting(0, 0)
		return nil
	})
	if w.log != nil {
		if w.log.failed == nil {
			s.mergeSmall(context.Background())
		}
		err = w.log.close()
	}
	return errors.Join(err, w.lock.Close())
}

// Lock locks a file for this process, and for this opening of it.
func (disk) Lock(ctx context.Context, path string, wait time.Duration) (io.Closer, error) {
	const pause = 20 * time.Millisecond
	lock := flock.New(path, flock.SetPermissions(0o666))
	ctx, cancel := context.WithTimeout(ctx, max(wait, 1))
	defer cancel()
	ok, err := lock.TryLock()
	if !ok && err == nil && wait > 0 {
		ok, err = lock.TryLockContext(ctx, pause)
	}
	if errors.Is(err, context.DeadlineExceeded) || !ok && err == nil {
		return nil, stores.ErrLocked
	}
	if err != nil {
		return nil, err
	}
	return lock, nil
}
