package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/flight"
)

// DefaultBytes bounds a cache where Options do not.
const DefaultBytes = 1 << 30

// Options say how a cache is opened.
type Options struct {
	// Bytes bounds the room that blocks take on the disk. 0 means DefaultBytes.
	// Where several processes use a directory with different bounds, each makes
	// room by its own when it writes.
	Bytes int64
	// Warn, if not nil, is called once, with what fails in the cache. Reads go on
	// without it.
	Warn func(message string)
}

// Cache is a store with a cache in front of it. It is a stores.Writable where
// the store below is one, and a stores.Named or a stores.Rooted where that is one.
type Cache interface {
	stores.Store
	// AllowWeakDigests is that of stores.Base, here and in the store below.
	AllowWeakDigests()
	// Stats returns what the cache has done since it was opened, and what it
	// holds.
	Stats() Stats
}

// Stats are what a cache has done and holds.
type Stats struct {
	Hits    int64 // blocks that were in the cache
	Misses  int64 // blocks that the store below was asked for
	Damaged int64 // blocks that were in the cache, and not as they should be
	Bytes   int64 // room that is taken, by all processes
}

// Open opens the cache in a directory, which is made where there is none, in
// front of a store. An error where the directory holds something else, cannot
// be written to, or cannot be brought within the bound. Close closes the store
// below, too.
func Open(dir string, below stores.Store, o Options) (Cache, error) {
	if o.Bytes == 0 {
		o.Bytes = DefaultBytes
	}
	account, err := openAccount(dir, o.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", dir, err)
	}
	c := &cache{dir: dir, below: below, files: files(dir), account: account, warn: o.Warn}
	c.Base = stores.NewBase(stores.Blocks{Get: c.get, Has: c.has, Checked: true})
	writable, canWrite := below.(stores.Writable)
	named, hasNames := below.(stores.Named)
	if !canWrite {
		if hasNames {
			return struct {
				*cache
				stores.Named
			}{c, named}, nil
		}
		if below, ok := below.(stores.Rooted); ok {
			return &rooted{c, below}, nil
		}
		return c, nil
	}
	w := &writing{c, writable}
	stores.Writing(c.LinkSystem(), w.Put)
	if hasNames {
		return struct {
			*writing
			stores.Named
		}{w, named}, nil
	}
	return w, nil
}

// cache is in front of a store that is only read.
type cache struct {
	stores.Base
	dir     string
	below   stores.Store
	files   files
	account *account
	flights flight.Group

	warn   func(message string)
	warned sync.Once

	hits, misses, damaged atomic.Int64
}

// rooted is in front of a store that has roots of its own.
type rooted struct {
	*cache
	below stores.Rooted
}

func (r *rooted) Roots() []cid.Cid { return r.below.Roots() }

// writing is in front of a store that is written to.
type writing struct {
	*cache
	below stores.Writable
}

func (w *writing) Put(ctx context.Context, c cid.Cid, block []byte) error {
	return w.below.Put(ctx, c, block)
}

func (w *writing) Publish(ctx context.Context, root cid.Cid) error { return w.below.Publish(ctx, root) }

// Sync is that of the store below, if it has one.
func (w *writing) Sync() error {
	if below, ok := w.below.(stores.Syncer); ok {
		return below.Sync()
	}
	return nil
}

func (w *writing) Has(ctx context.Context, c cid.Cid) (bool, error) { return w.below.Has(ctx, c) }

// AllowWeakDigests is that of the cache and of the store below.
func (c *cache) AllowWeakDigests() {
	c.Base.AllowWeakDigests()
	if below, ok := c.below.(interface{ AllowWeakDigests() }); ok {
		below.AllowWeakDigests()
	}
}

func (c *cache) DefaultRoot() (cid.Cid, bool) { return c.below.DefaultRoot() }

func (c *cache) has(ctx context.Context, id cid.Cid) (bool, error) {
	has, err := c.files.has(id)
	c.failed(err)
	if has {
		return true, nil
	}
	return c.below.Has(ctx, id)
}

// get returns a block that was checked against its CID. Callers that ask for the
// same block at the same time get the same bytes.
func (c *cache) get(ctx context.Context, id cid.Cid) ([]byte, error) {
	if block, ok := c.cached(id); ok {
		return block, nil
	}
	return c.flights.Do(ctx, id, func() ([]byte, error) { return c.fetch(ctx, id) })
}

// cached returns a block that is in the cache as it should be. One that is not is
// removed.
func (c *cache) cached(id cid.Cid) (block []byte, ok bool) {
	block, err := c.files.read(id, c.failed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	if err != nil && !errors.Is(err, stores.ErrTooLarge) {
		c.failed(err)
		return nil, false
	}
	if err == nil && stores.Check(id, block) == nil {
		c.hits.Add(1)
		return block, true
	}
	c.damaged.Add(1)
	freed, err := c.files.remove(id)
	c.failed(err)
	c.account.give(freed)
	return nil, false
}

// fetch returns a block of the store below, checked, and keeps it.
func (c *cache) fetch(ctx context.Context, id cid.Cid) ([]byte, error) {
	// Whoever fetched it may have been done just before this flight began.
	if block, ok := c.cached(id); ok {
		return block, nil
	}
	c.misses.Add(1)
	block, err := stores.GetChecked(ctx, c.below, id)
	if err != nil {
		return nil, err
	}
	c.keep(id, block)
	return block, nil
}

// keep puts a block into the cache, if it can.
func (c *cache) keep(id cid.Cid, block []byte) {
	bytes := room(int64(len(block)))
	if bytes > c.account.limit {
		return
	}
	if err := c.account.claim(bytes); err != nil {
		c.failed(err)
		return
	}
	err := c.files.write(id, block)
	c.account.settle(bytes, err == nil)
	c.failed(err)
}

// failed calls warn with the first error of the cache's own.
func (c *cache) failed(err error) {
	if err != nil && c.warn != nil {
		c.warned.Do(func() { c.warn(fmt.Sprintf("cache %s: %v; going on without it", c.dir, err)) })
	}
}

// Stats returns what the cache has done.
func (c *cache) Stats() Stats {
	bytes, err := c.account.bytes()
	c.failed(err)
	return Stats{c.hits.Load(), c.misses.Load(), c.damaged.Load(), bytes}
}

// Close closes the cache and the store below.
func (c *cache) Close() error {
	err := c.account.close()
	if err != nil {
		err = fmt.Errorf("cache %s: closing: %w", c.dir, err)
	}
	return errors.Join(err, c.below.Close())
}
