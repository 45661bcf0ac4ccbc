// Package open makes stores of lines of text, as the command's --store has them:
//
//	DIR, embedded:DIR      the embedded store in a directory
//	FILE.car, car:FILE     a CAR file
//	URL.car, car:URL       a CAR on a web server, to read
//	flatfs:DIR             the blocks directory of a Kubo repository
//	kubo:[URL]             a Kubo node's RPC API; without URL that of this machine
//	gateway:URL[,URL…]     trustless gateways, asked in turn
package open

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// Kind is a kind of store.
type Kind string

// The kinds, as they stand before the colon.
const (
	Embedded Kind = "embedded"
	CAR      Kind = "car"
	Flatfs   Kind = "flatfs"
	Kubo     Kind = "kubo"
	Gateway  Kind = "gateway"
	// WebCAR is written as CAR is: a URL is behind the colon.
	WebCAR Kind = "car:http"
)

// Location is where a store is.
type Location struct {
	Kind  Kind
	Place string // what stands after the colon
}

// Parse reads a location. Without a kind it is a path: of a CAR if there is a
// file, or if the name ends in .car; of an embedded store else. Begin a path
// with ./ where it has a colon that might be taken for a kind's.
func Parse(text string) (Location, error) {
	kind, place, found := strings.Cut(text, ":")
	if found {
		if Kind(kind) == CAR && isURL(place) {
			return checked(Location{WebCAR, place})
		}
		switch kind := Kind(kind); kind {
		case Embedded, CAR, Flatfs, Gateway:
			if place == "" {
				return Location{}, fmt.Errorf("store %q: what comes behind %s: is missing", text, kind)
			}
			return checked(Location{kind, place})
		case Kubo:
			return checked(Location{kind, place})
		}
		path, _, _ := strings.Cut(text, "?") // which checked refuses
		if isURL(text) && strings.EqualFold(filepath.Ext(path), ".car") {
			return checked(Location{WebCAR, text})
		}
		if strings.HasPrefix(place, "//") {
			return Location{}, fmt.Errorf("store %q: write kubo:URL or gateway:URL, or car:URL for a CAR", kind+"://…")
		}
	}
	if text == "" {
		return Location{}, fmt.Errorf("the store has no name")
	}
	if isCAR(text) {
		return Location{CAR, text}, nil
	}
	return Location{Embedded, text}, nil
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// checked refuses addresses of other machines that cannot be any. Errors do not
// show them: there may be credentials in them.
func checked(l Location) (Location, error) {
	addresses := []string{l.Place}
	switch {
	case l.Kind == Gateway:
		addresses = strings.Split(l.Place, ",")
	case l.Kind == WebCAR, l.Kind == Kubo && strings.Contains(l.Place, "://"):
	default:
		return l, nil
	}
	for _, address := range addresses {
		if _, err := remote.ParseURL(address); err != nil {
			return Location{}, fmt.Errorf("%s: %w", l.prefix(), err)
		}
	}
	return l, nil
}

func isCAR(path string) bool {
	info, err := os.Stat(path)
	if err == nil {
		return info.Mode().IsRegular()
	}
	return strings.EqualFold(filepath.Ext(path), ".car")
}

// String is the location as Parse reads it.
func (l Location) String() string { return string(l.prefix()) + ":" + l.Place }

// prefix returns what stands before the colon.
func (l Location) prefix() Kind {
	if l.Kind == WebCAR {
		return CAR
	}
	return l.Kind
}

// Mode is what a store is opened for.
type Mode uint8

const (
	// Read is for reading alone.
	Read Mode = iota
	// Build is for one new map, of which all blocks are written. A store that
	// is not there yet is made; a CAR is made anew.
	Build
	// Add is for more blocks. A store that is not there yet is made.
	Add
	// Edit is for maps that are there.
	Edit
)

// Check returns early, without opening anything, the error that Writing would
// return: stores.ErrReadOnly, stores.ErrNoStore, carfile.ErrNotCAR.
func (l Location) Check(mode Mode, o Options) error {
	switch {
	case mode == Read:
		return nil
	case l.Kind == Gateway || l.Kind == Flatfs || l.Kind == WebCAR:
		return fmt.Errorf("%s: a store of this kind %w", l, stores.ErrReadOnly)
	case l.Kind == CAR && mode != Build:
		return fmt.Errorf("%s: a CAR that is built %w", l, stores.ErrReadOnly)
	case l.Kind == CAR:
		if dir := StoreAround(l.Place); dir != "" {
			return fmt.Errorf("cannot write %s: it is part of the store in %s", l.Place, dir)
		}
		return carfile.CheckTarget(l.Place, o.carOptions()...)
	case l.Kind == Embedded && mode == Edit:
		// Opening for writing would make a store where there is none.
		if err := embedded.CheckExists(l.Place); err != nil {
			return err
		}
		return embedded.CheckWritable(l.Place)
	case l.Kind == Embedded:
		return embedded.CheckWritable(l.Place)
	}
	return nil
}

// StoreAround returns the directory of an embedded store in which a file is, or would be;
// "" where it would be in none.
func StoreAround(path string) string {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return ""
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	for {
		if isStore(dir) {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// Same reports whether two locations are known to be the same store: a directory
// or a file, under whatever paths, or the same text.
func (l Location) Same(other Location) bool {
	if l == other {
		return true
	}
	return l.local() && other.local() && sameFile(l.Place, other.Place)
}

func (l Location) local() bool { return l.Kind == Embedded || l.Kind == CAR || l.Kind == Flatfs }

func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// Fresh reports whether a store is not there yet, or will be made anew: then it
// has no blocks to begin with.
func (l Location) Fresh() bool {
	switch l.Kind {
	case CAR:
		return true
	case Embedded:
		return !isStore(l.Place)
	}
	return false
}

// isStore reports whether there is an embedded store in a directory, of any format.
func isStore(dir string) bool {
	err := embedded.CheckExists(dir)
	return err == nil || errors.As(err, new(*embedded.FormatError))
}
