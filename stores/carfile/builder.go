package carfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// Builder is a CARv1 that is being built, as a store. Blocks go to a temporary
// file beside the target as they come and can be read at once; Publish puts the
// whole file under the target's name. Until then, and whenever the process or
// the machine dies, what was there is there: the old file, or none.
//
// In memory are the CIDs of the blocks and their places, about 150 bytes for
// each, and up to a MiB of blocks that are to be written.
//
// A process that is killed leaves its temporary file, named .NAME.part* with
// random digits after the target's NAME. It begins with zeros where a CAR has its
// header, so no tool takes it for one. On Unix the next builder with the same
// target removes it: files that are being written are locked.
//
// Several builders may have the same target, in any processes: each writes a
// file of its own, and the last to publish is found there.
type Builder struct {
	stores.WritableBase
	path   string
	target target

	mu       sync.RWMutex
	sections sections
	// file holds what of the sections is written, behind a header of reserved
	// bytes. It is temporary, or the published one, which does not change.
	file      *os.File
	temporary *temporary // nil when file is the published one
	reserved  int64
	root      cid.Cid // the published one
	closed    bool
}

var _ stores.Writable = (*Builder)(nil)

// Create begins a CAR that will be at path. The directory has to be there, and
// to be writable. A CAR that is there is replaced by Publish, where a symbolic link
// leads to it also; any other file is not, and the error wraps ErrNotCAR.
func Create(path string, options ...WriteOption) (*Builder, error) {
	target, err := newTarget(path, options)
	if err != nil {
		return nil, err
	}
	file, err := newTemporary(target)
	if err != nil {
		return nil, err
	}
	b := &Builder{path: path, target: target, sections: newSections(), file: file.File, temporary: file}
	b.WritableBase = stores.NewWritableBase(stores.Blocks{Get: b.get, Has: b.has}, b.put)
	return b, nil
}

// get returns a copy of a block that was put.
func (b *Builder) get(_ context.Context, c cid.Cid) ([]byte, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	where, ok := b.sections.index[c]
	if !ok {
		return nil, stores.NotFound{CID: c}
	}
	if at := where.at - b.sections.written; at >= 0 {
		return bytes.Clone(b.sections.pending[at:][:where.length]), nil
	}
	block := make([]byte, where.length)
	if _, err := b.file.ReadAt(block, b.reserved+where.at); err != nil {
		return nil, fmt.Errorf("%s: block %s: %w", b.path, c, err)
	}
	return block, nil
}

// has reports whether a block was put.
func (b *Builder) has(_ context.Context, c cid.Cid) (bool, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.sections.has(c), nil
}

// put appends a block, unless it is there already. After an error in writing,
// as when the disk is full, the CAR cannot be published.
func (b *Builder) put(_ context.Context, c cid.Cid, block []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.sections.add(c, block); err != nil {
		return b.named(err)
	}
	if !b.sections.full() {
		return nil
	}
	reserve := b.reserved
	if reserve == 0 {
		head, err := header(c) // the root's CID will most likely be as long
		if err != nil {
			return b.named(err)
		}
		reserve = int64(len(head))
	}
	return b.named(b.fail(b.flush(reserve)))
}

// Publish puts all blocks, under a header that names the root, on the disk and
// under the target's name. The root has to be among the blocks.
//
// More blocks may be put and published later, under the same root or another:
// each time a whole new file, with one root, takes the place of the last. That
// copies the blocks, once for each Publish; the first one copies them only
// where the root's CID is not as long as it was thought to be.
func (b *Builder) Publish(_ context.Context, root cid.Cid) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.CheckDigest(root); err != nil {
		return b.named(err)
	}
	if _, inlined := stores.Inlined(root); !inlined && !b.sections.has(root) {
		return fmt.Errorf("%s: the root: %w", b.path, stores.NotFound{CID: root})
	}
	if b.temporary == nil && len(b.sections.pending) == 0 && root.Equals(b.root) {
		return nil
	}
	return b.named(b.fail(b.publish(root)))
}

func (b *Builder) publish(root cid.Cid) error {
	head, err := header(root)
	if err != nil {
		return err
	}
	if err := b.flush(int64(len(head))); err != nil {
		return err
	}
	if _, err := b.file.WriteAt(head, 0); err != nil {
		return err
	}
	if err := b.temporary.place(); err != nil {
		return err
	}
	// Opened anew: not every system renames a file that is open.
	if b.file, err = os.Open(b.target.path); err != nil {
		return err
	}
	b.temporary, b.root = nil, root
	return nil
}

// flush writes what is pending to a temporary file behind a header of some
// length.
func (b *Builder) flush(reserve int64) error {
	if b.sections.err != nil {
		return b.sections.err
	}
	if b.temporary != nil && b.sections.written == 0 {
		b.reserved = reserve
	}
	if b.temporary == nil || b.reserved != reserve {
		if err := b.move(reserve); err != nil {
			return err
		}
	}
	return b.sections.flush(io.NewOffsetWriter(b.file, b.reserved+b.sections.written))
}

// move copies what is written to a new temporary file, behind a header of
// another length.
func (b *Builder) move(reserve int64) error {
	to, err := newTemporary(b.target)
	if err != nil {
		return err
	}
	_, err = to.Seek(reserve, io.SeekStart)
	if err == nil {
		_, err = io.Copy(to, io.NewSectionReader(b.file, b.reserved, b.sections.written))
	}
	if err != nil {
		to.discard()
		return err
	}
	err = b.release()
	b.file, b.temporary, b.reserved = to.File, to, reserve
	return err
}

// release lets go of the file that blocks were read from.
func (b *Builder) release() error {
	if b.temporary != nil {
		b.temporary.discard()
		return nil
	}
	return b.file.Close()
}

// fail remembers an error, so that nothing is written or published after it.
func (b *Builder) fail(err error) error {
	if err != nil && b.sections.err == nil {
		b.sections.err = err
	}
	return err
}

// named returns an error with the name of the file.
func (b *Builder) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("building %s: %w", b.path, err)
}

// DefaultRoot returns the root that was published last.
func (b *Builder) DefaultRoot() (cid.Cid, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.root, b.root.Defined()
}

// Close drops what was not published.
func (b *Builder) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed, b.sections.err = true, os.ErrClosed
	return b.release()
}
