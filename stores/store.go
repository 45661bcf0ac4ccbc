package stores

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
)

// Store is a place of blocks that can be read. It is safe for concurrent use.
type Store interface {
	// LinkSystem returns access to the blocks, for the library and for any other
	// go-ipld-prime code. Blocks are checked against their links as they are
	// loaded. Where the Store is Writable, what it stores goes through Put.
	LinkSystem() *linking.LinkSystem
	// Get returns the bytes of a block; the error is NotFound where the store does
	// not have it. Whether they were checked against the CID, Checks reports;
	// GetChecked sees to it. They may be shared with other callers and must not be
	// changed.
	Get(ctx context.Context, c cid.Cid) ([]byte, error)
	// Has reports whether the store has a block.
	Has(ctx context.Context, c cid.Cid) (bool, error)
	// DefaultRoot is the root that is meant where none is named.
	DefaultRoot() (cid.Cid, bool)
	// Close releases the store. Blocks that were put and not published may be
	// lost.
	Close() error
}

// Rooted is a Store that has roots of its own, of which the first is the default.
type Rooted interface {
	Store
	// Roots returns the roots; they are not to be changed.
	Roots() []cid.Cid
}

// Writable is a Store that takes blocks.
type Writable interface {
	Store
	// Put takes a block, whose bytes must stay as they are from now on. It can
	// be read at once; that it is there to stay is for Publish to say.
	Put(ctx context.Context, c cid.Cid, block []byte) error
	// Publish returns when all blocks that were put are where they belong, to
	// stay there, and makes known to the store that one of them is the root of
	// something: a CAR file gets it into its header. Only then may anybody
	// else hear of the root.
	Publish(ctx context.Context, root cid.Cid) error
}

// Syncer is a Writable that can keep what was put though nothing is published:
// for a writer that was interrupted, and will go on from there.
type Syncer interface {
	// Sync returns when all blocks that were put are where they belong, or can
	// not get there.
	Sync() error
}

// MaxBlockBytes is the largest block that is taken from a store, and the largest
// that the library reads unless told otherwise.
const MaxBlockBytes = 16 << 20

var (
	// ErrNoStore means that there is nothing to read.
	ErrNoStore = errors.New("there is no store")
	// ErrLocked means that another process has the store open for writing.
	ErrLocked = errors.New("another process has the store open for writing")
	// ErrReadOnly means that a store of this kind cannot be written to.
	ErrReadOnly = errors.New("is read-only")
	// ErrWrongBytes means that what a store gave is not what the CID names.
	ErrWrongBytes = errors.New("wrong bytes")
)

// NotFound is the error for a block that is not in the store. It follows
// go-ipld-prime's convention for telling that.
type NotFound struct{ CID cid.Cid }

func (e NotFound) Error() string { return fmt.Sprintf("block %s is not in the store", e.CID) }

// NotFound is true.
func (e NotFound) NotFound() bool { return true }

// IsNotFound reports whether an error means that a block is not there, and not
// that it could not be asked for.
func IsNotFound(err error) bool {
	var notFound interface{ NotFound() bool }
	return errors.As(err, &notFound) && notFound.NotFound()
}
