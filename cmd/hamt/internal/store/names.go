package store

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ipfs/go-cid"
)

// Name is a name and the root it stands for.
type Name struct {
	Name string
	Root cid.Cid
}

// ErrMoved says that a name stands for another root than it was thought to.
var ErrMoved = errors.New("the name was moved by somebody else")

// CheckName says what is wrong with a name. Anything that can be typed and
// cannot be mistaken for a CID or a flag will do.
func CheckName(name string) error {
	const most = 255
	switch {
	case name == "" || len(name) > most || !utf8.ValidString(name):
		return fmt.Errorf("name %q is not 1 to %d bytes of UTF-8", name, most)
	case strings.HasPrefix(name, "-"):
		return fmt.Errorf("name %q begins with a dash, as flags do", name)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }):
		return fmt.Errorf("name %q has white space or control characters", name)
	}
	if _, err := cid.Decode(name); err == nil {
		return fmt.Errorf("name %q is a CID", name)
	}
	return nil
}

func nameKey(name string) []byte { return append([]byte{namePrefix}, name...) }

// Lookup finds the root that a name stands for.
func (e *Embedded) Lookup(name string) (root cid.Cid, found bool, err error) {
	value, found, err := e.get(nameKey(name))
	if err != nil || !found {
		return cid.Undef, false, err
	}
	if root, err = cid.Cast(value); err != nil {
		return cid.Undef, false, fmt.Errorf("store %s: name %q: %w", e.dir, name, err)
	}
	return root, true, nil
}

// Names visits all names in their order.
func (e *Embedded) Names() iter.Seq2[Name, error] {
	return func(yield func(Name, error) bool) {
		it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{namePrefix}, UpperBound: []byte{namePrefix + 1}})
		if err != nil {
			yield(Name{}, fmt.Errorf("store %s: %w", e.dir, err))
			return
		}
		stopped := false
		for ok := it.First(); ok && !stopped; ok = it.Next() {
			name := Name{Name: string(it.Key()[1:])}
			name.Root, err = cid.Cast(it.Value())
			stopped = !yield(name, err)
		}
		if err := it.Close(); err != nil && !stopped {
			yield(Name{}, fmt.Errorf("store %s: %w", e.dir, err))
		}
	}
}

// Set lets a name stand for a root, whatever it stood for. All blocks that were
// put are on the disk before the name is.
func (e *Embedded) Set(name string, root cid.Cid) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set(name, root)
}

// Move is Set of a name that has to stand for the root from; ErrMoved where it
// does not.
func (e *Embedded) Move(name string, from, to cid.Cid) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, found, err := e.Lookup(name)
	if err != nil {
		return err
	}
	if !found || !now.Equals(from) {
		return fmt.Errorf("name %q: %w", name, ErrMoved)
	}
	return e.set(name, to)
}

// set writes a name behind all blocks in the log. e.mu is locked.
func (e *Embedded) set(name string, root cid.Cid) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	if err := e.db.Set(nameKey(name), root.Bytes(), pebble.Sync); err != nil {
		return e.cannotWrite(err)
	}
	return nil
}

// Remove forgets a name, and says whether it was there. The blocks stay.
func (e *Embedded) Remove(name string) (found bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, found, err = e.Lookup(name); err != nil || !found {
		return false, err
	}
	if err := e.db.Delete(nameKey(name), pebble.Sync); err != nil {
		return false, e.cannotWrite(err)
	}
	return true, nil
}
