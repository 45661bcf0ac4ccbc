package stores

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Named is a store that knows roots by name.
type Named interface {
	// Lookup finds the root that a name stands for.
	Lookup(ctx context.Context, name string) (root cid.Cid, found bool, err error)
	// Names visits all names in their order.
	Names(ctx context.Context) iter.Seq2[Name, error]
	// SetName lets a name stand for a root, whatever it stood for. It publishes
	// the root first.
	SetName(ctx context.Context, name string, root cid.Cid) error
	// MoveName compares and swaps: it is SetName of a name that has to stand for
	// the root from, and ErrMoved where it does not. An undefined from means a name
	// that has to stand for nothing, an undefined to one that will.
	MoveName(ctx context.Context, name string, from, to cid.Cid) error
	// RenameName lets the name to stand for what the name from does, which is then
	// forgotten, and reports whether from was there. The error is ErrNameTaken where
	// to stands for something already.
	RenameName(ctx context.Context, from, to string) (found bool, err error)
	// RemoveName forgets a name, and reports whether it was there.
	RemoveName(ctx context.Context, name string) (found bool, err error)
}

// Logged is a Named store that remembers what names stood for.
type Logged interface {
	Named
	// History returns what a name has stood for and does stand for, the oldest
	// first, as far as the store remembers: nothing for a name that never was.
	History(ctx context.Context, name string) ([]Move, error)
}

// Remembering is a Named store whose names remember the parameters of the maps that
// they stand for, where the blocks do not carry them (Filecoin's layouts).
type Remembering interface {
	Named
	// SetNameParams is SetName of a name that remembers parameters from then on.
	// SetName has it remember none. MoveName has it remember what it did when it
	// stood for the new root last, or else what it does.
	SetNameParams(ctx context.Context, name string, root cid.Cid, p params.Params) error
	// NameParams returns the parameters that a name remembers, and whether it does.
	NameParams(ctx context.Context, name string) (p params.Params, ok bool, err error)
}

// Move is a step of a name.
type Move struct {
	Time time.Time // by the clock of who did it
	Root cid.Cid   // that the name came to stand for; undefined where it was removed
	By   string    // what did it, if that was said: a verb of the command, say
}

// Name is a name and the root it stands for.
type Name struct {
	Name string
	Root cid.Cid
}

var (
	// ErrMoved means that a name stands for something else than it was thought to.
	ErrMoved = errors.New("the name was moved by somebody else")
	// ErrNameTaken means that a name that has to be free stands for something.
	ErrNameTaken = errors.New("the name is taken")
)

// CheckName returns an error unless a name is one. Anything that can be typed and
// cannot be mistaken for a CID, a path from one, or a flag will do.
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
	for _, prefix := range []string{"/ipfs/", "/ipld/", "/ipns/", "ipfs://", "ipld://", "ipns://"} {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("name %q is a path", name)
		}
	}
	head, _, slash := strings.Cut(name, "/")
	if _, err := cid.Decode(head); err == nil {
		if slash {
			return fmt.Errorf("name %q begins with a CID", name)
		}
		return fmt.Errorf("name %q is a CID", name)
	}
	return nil
}
