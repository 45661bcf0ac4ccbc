package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
)

// Store is a place of blocks that can be read.
type Store interface {
	// LinkSystem gives access to the blocks. Reading is safe for concurrent
	// use.
	LinkSystem() *linking.LinkSystem
	// DefaultRoot is the root that is meant where none is given.
	DefaultRoot() (cid.Cid, bool)
	// Close releases the store. Blocks that were not synced may be lost.
	Close() error
}

// Options say how a store is opened.
type Options struct {
	// Wait is how long to wait for another process that has the store open.
	Wait time.Duration
	// Warn is told what goes wrong in the background.
	Warn func(message string)
	// Die ends the process, since the engine cannot go on: it failed to write
	// its log.
	Die func(message string)
}

var (
	// ErrNoStore says that there is nothing to read.
	ErrNoStore = errors.New("there is no store")
	// ErrLocked says that another process has the store open.
	ErrLocked = errors.New("another process has the store open")
	// ErrReadOnly says that a store of this kind cannot be written to.
	ErrReadOnly = errors.New("is read-only")
)

// IsCAR says whether a location stands for a CAR: a file, or a name that ends
// like one.
func IsCAR(location string) bool {
	info, err := os.Stat(location)
	if err == nil {
		return info.Mode().IsRegular()
	}
	return strings.EqualFold(filepath.Ext(location), ".car")
}

// OpenForReading opens what is at a location: a directory or a CAR.
func OpenForReading(ctx context.Context, location string, o Options) (Store, error) {
	if IsCAR(location) {
		return OpenCAR(location)
	}
	return openEmbedded(ctx, location, false, o)
}

// OpenForWriting opens the store in a directory, and makes one where there is
// nothing yet.
func OpenForWriting(ctx context.Context, location string, o Options) (*Embedded, error) {
	if err := CheckWritable(location); err != nil {
		return nil, err
	}
	return openEmbedded(ctx, location, true, o)
}

// CheckWritable says early, without opening anything, what OpenForWriting would
// stumble over.
func CheckWritable(location string) error {
	if IsCAR(location) {
		return fmt.Errorf("%s: a CAR %w", location, ErrReadOnly)
	}
	entries, err := os.ReadDir(location)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	// The engine would spread its files among those that are there.
	if len(entries) > 0 && !looksEmbedded(location) {
		return fmt.Errorf("%s: the directory is not empty, and no store: %w", location, ErrNoStore)
	}
	return nil
}

// CheckExists says whether there is a store in a directory.
func CheckExists(dir string) error {
	if looksEmbedded(dir) {
		return nil
	}
	return fmt.Errorf("%w in %s: build or import a map first, or name another with --store", ErrNoStore, dir)
}

// looksEmbedded says whether the engine has been in a directory. Its lock file
// is the first it makes.
func looksEmbedded(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "LOCK"))
	return err == nil
}
