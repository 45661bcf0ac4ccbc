package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// accountName is the file that makes a directory a cache. It holds the bytes
// that are there, or may be there before the next line is written, and when
// they were counted.
const (
	accountName   = "CACHE"
	accountFormat = "hamt block cache 1: %020d bytes, counted %020d\n"
	recountAfter  = time.Hour
)

// errNoRoom says that nothing more can be made to go.
var errNoRoom = errors.New("no room can be made in the cache")

// account knows how much is in the directory, for all processes that use
// it. Each Cache takes from it in advance: what it has taken and not used is
// its credit.
type account struct {
	files files
	limit int64
	file  *os.File
	lock  *flock.Flock

	mu      sync.Mutex
	hand    byte  // the shard that was looked at last
	credit  int64 // taken, and free to be claimed
	claimed int64 // by blocks that are being written
}

// state is what the file holds.
type state struct {
	total   int64
	counted time.Time // when that was last the sum of all files
}

// openAccount makes the directory a cache, unless it is one, or holds something
// else; and makes sure that it is within its limit.
func openAccount(dir string, limit int64) (*account, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, accountName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 && entries[0].Name() != accountName { // unless another process was quicker
			return nil, errors.New("the directory is not empty, and no cache")
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	a := &account{files: files(dir), limit: limit, file: file, lock: newLock(dir), hand: byte(rand.Uint32())}
	if err := a.take(0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return a, nil
}

// claim takes room for a block that is to be written.
func (a *account) claim(bytes int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.credit < bytes {
		const least, most = page, 1 << 20
		portion := min(max(least, a.limit/64), most)
		if err := a.take(max(bytes-a.credit, portion)); err != nil {
			return err
		}
	}
	a.credit -= bytes
	a.claimed += bytes
	return nil
}

// settle ends a claim: the block was written, or the room is free again.
func (a *account) settle(bytes int64, written bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimed -= bytes
	if !written {
		a.credit += bytes
	}
}

// give puts room back into the account: a block is gone.
func (a *account) give(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.credit += bytes
}

// take adds to the credit, and makes room where there is too little. a.mu is
// locked, but for openAccount.
func (a *account) take(bytes int64) error {
	return a.change(func(s *state) error {
		if s.total+bytes > a.limit && time.Since(s.counted).Abs() > recountAfter {
			if err := a.recount(s); err != nil {
				return err
			}
		}
		if s.total+bytes > a.limit {
			// Some more, so that not every block has to make room.
			freed, err := a.files.evict(&a.hand, s.total, s.total+bytes-a.limit+a.limit/32)
			s.total -= freed
			if err != nil {
				return err
			}
		}
		if s.total+bytes > a.limit { // all is gone that can: the account is wrong
			if err := a.recount(s); err != nil {
				return err
			}
		}
		if s.total+bytes > a.limit {
			return errNoRoom
		}
		s.total += bytes
		a.credit += bytes
		return nil
	})
}

// recount sets the account right: by what is there, and by what may come of our
// own. What others have taken is forgotten.
func (a *account) recount(s *state) error {
	total, err := a.files.count()
	if err != nil {
		return err
	}
	*s = state{total + a.credit + a.claimed, time.Now()}
	return nil
}

// change changes the account under its lock. What has become of it is written
// also where there is an error.
func (a *account) change(f func(s *state) error) (err error) {
	if err := lock(a.lock); err != nil {
		return fmt.Errorf("cannot lock %s: %w", a.lock.Path(), err)
	}
	defer func() { err = errors.Join(err, a.lock.Unlock()) }()
	s, err := a.load()
	if err != nil {
		return err
	}
	err = f(&s)
	_, writeErr := a.file.WriteAt(fmt.Appendf(nil, accountFormat, max(0, s.total), s.counted.Unix()), 0)
	return errors.Join(err, writeErr)
}

// load reads the account. One that the machine lost with its power is made up
// again.
func (a *account) load() (state, error) {
	const longest = 1 << 10
	text, err := io.ReadAll(io.NewSectionReader(a.file, 0, longest))
	if err != nil {
		return state{}, err
	}
	var s state
	if strings.Trim(string(text), "\x00") == "" {
		return s, a.recount(&s)
	}
	var counted int64
	if n, _ := fmt.Sscanf(string(text), accountFormat, &s.total, &counted); n != 2 {
		return s, fmt.Errorf("%s is not of a cache, or of one of another version", a.file.Name())
	}
	s.counted = time.Unix(counted, 0)
	return s, nil
}

// bytes are the bytes of all blocks, as far as the account knows.
func (a *account) bytes() (int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.load()
	return s.total - a.credit, err
}

// close returns to the account what was not used.
func (a *account) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.change(func(s *state) error {
		s.total -= a.credit
		return nil
	})
	a.credit = 0
	return errors.Join(err, a.file.Close())
}
