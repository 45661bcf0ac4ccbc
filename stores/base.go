package stores

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
)

// ErrTooLarge is the error for a block of more than MaxBlockBytes.
var ErrTooLarge = fmt.Errorf("more than %d bytes, the most that a block may have", MaxBlockBytes)

// Blocks are the blocks of one kind of store, as NewBase takes them.
type Blocks struct {
	// Get returns the bytes of a block, or an error that is NotFound.
	Get func(ctx context.Context, c cid.Cid) ([]byte, error)
	// Has reports whether a block is there.
	Has func(ctx context.Context, c cid.Cid) (bool, error)
	// Checked means that Get has checked what it returns against the CID.
	Checked bool
}

// Base implements what is the same in every kind of store, which embeds it. A kind
// is not asked for blocks that their own CID holds, nor for those that a CID does
// not tell from others (CheckDigest). Who embeds such a kind to return
// other bytes from Get has to check them, since Checks reports that they are.
type Base struct {
	blocks  Blocks
	lsys    *linking.LinkSystem
	digests *digests
}

// NewBase returns the Base of a kind of store.
func NewBase(blocks Blocks) Base {
	b := Base{blocks: blocks, digests: &digests{}}
	b.lsys = reading(b.digests, openBlocks(b.limited))
	return b
}

// AllowWeakDigests has the store take CIDs whose digests have fewer than
// MinDigestBytes, from now on. What it gives for them is what whoever made the
// blocks wants.
func (b *Base) AllowWeakDigests() { b.digests.weak.Store(true) }

// CheckDigest returns the error of a CID that the store does not take. It is for
// kinds of stores that have more methods than a Base which take one.
func (b *Base) CheckDigest(c cid.Cid) error { return b.digests.check(c) }

// LinkSystem returns the LinkSystem of the store.
func (b *Base) LinkSystem() *linking.LinkSystem { return b.lsys }

// Get returns the bytes of a block, which were checked against the CID once. The
// error wraps ErrTooLarge where there are more than MaxBlockBytes, and is that of
// CheckDigest for a CID which the store does not take.
func (b *Base) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := b.CheckDigest(c); err != nil {
		return nil, err
	}
	if block, ok := Inlined(c); ok {
		return block, nil
	}
	block, err := b.limited(ctx, c)
	if err == nil && !b.blocks.Checked {
		err = Check(c, block)
	}
	if err != nil {
		return nil, err
	}
	return block, nil
}

// limited is Get of what the LinkSystem checks.
func (b *Base) limited(ctx context.Context, c cid.Cid) ([]byte, error) {
	block, err := b.blocks.Get(ctx, c)
	if err == nil {
		err = checkSize(c, block)
	}
	if err != nil {
		return nil, err
	}
	return block, nil
}

func checkSize(c cid.Cid, block []byte) error {
	if len(block) > MaxBlockBytes {
		return fmt.Errorf("block %s: %w", c, ErrTooLarge)
	}
	return nil
}

// checker is a store whose Get checks what it returns.
type checker interface{ checks() }

func (b *Base) checks() {}

// Checks reports whether what Get of a store returns was checked against the CID.
// That is so for every store with a Base.
func Checks(s Store) bool {
	_, ok := s.(checker)
	return ok
}

// GetChecked returns what Get of a store returns, which is checked against the CID
// here unless it was there. The error wraps ErrWrongBytes where it is something else.
// Which digests a CID may have is for the store to say, if it has a Base, or else
// for the caller (CheckDigest).
func GetChecked(ctx context.Context, s Store, c cid.Cid) ([]byte, error) {
	block, err := s.Get(ctx, c)
	if err == nil && !Checks(s) {
		err = Check(c, block)
	}
	if err != nil {
		return nil, err
	}
	return block, nil
}

// Has reports whether the store has a block.
func (b *Base) Has(ctx context.Context, c cid.Cid) (bool, error) {
	if err := b.CheckDigest(c); err != nil {
		return false, err
	}
	if _, ok := Inlined(c); ok {
		return true, nil
	}
	return b.blocks.Has(ctx, c)
}

// DefaultRoot returns none: most kinds of stores have no root of their own.
func (b *Base) DefaultRoot() (cid.Cid, bool) { return cid.Undef, false }

// WritableBase is the Base of a store that takes blocks. It does not take what it
// would not return: blocks of more than MaxBlockBytes.
type WritableBase struct {
	Base
	put func(ctx context.Context, c cid.Cid, block []byte) error
}

// NewWritableBase returns the Base of a kind of store that takes blocks with put.
func NewWritableBase(blocks Blocks, put func(ctx context.Context, c cid.Cid, block []byte) error) WritableBase {
	w := WritableBase{NewBase(blocks), put}
	Writing(w.lsys, w.Put)
	return w
}

// Put puts a block into the store, unless its CID holds it.
func (w *WritableBase) Put(ctx context.Context, c cid.Cid, block []byte) error {
	if err := w.CheckDigest(c); err != nil {
		return err
	}
	if _, ok := Inlined(c); ok {
		return nil
	}
	if err := checkSize(c, block); err != nil {
		return err
	}
	return w.put(ctx, c, block)
}

// ReadBlock reads a block to the end of r. It returns ErrTooLarge, after no more
// than one byte too many, where there are more than MaxBlockBytes. size is how many
// there are likely to be; memory is taken for no more than that, and else as bytes
// arrive.
func ReadBlock(r io.Reader, size int64) ([]byte, error) {
	if size > MaxBlockBytes {
		return nil, ErrTooLarge
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(0, size)+bytes.MinRead))
	n, err := buffer.ReadFrom(io.LimitReader(r, MaxBlockBytes+1))
	switch {
	case err != nil:
		return nil, err
	case n > MaxBlockBytes:
		return nil, ErrTooLarge
	}
	return buffer.Bytes(), nil
}
