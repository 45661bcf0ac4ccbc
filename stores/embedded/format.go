package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

const (
	// markerName is the file that says whose directory it is.
	markerName = "hamt-store"
	format     = "3"
	oldFormat  = "2"
	marker     = "go-ipld-hamt embedded store\nformat " + format + "\n"
	lockName   = "lock"
	packsDir   = "packs"
	packSuffix = ".car"
	// maxPackNumber is larger than the number of any pack. Nobody gets there.
	maxPackNumber = math.MaxInt32
)

func packName(n int) string { return fmt.Sprintf("%06d%s", n, packSuffix) }

// packNumber returns the number in the name of a pack.
func packNumber(name string) (n int, ok bool) {
	_, err := fmt.Sscanf(name, "%d"+packSuffix, &n)
	return n, err == nil && 0 < n && n < maxPackNumber && name == packName(n)
}

func (s *Store) packPath(name string) string { return filepath.Join(s.dir, packsDir, name) }

// isFormat2 reports whether the files in a directory are those of a store of format 2:
// a Pebble database, and a file of blocks.
func isFormat2(names []string) bool {
	manifest := slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "MANIFEST-") })
	return manifest && slices.Contains(names, "LOCK") && slices.Contains(names, "blocks")
}

// FormatError reports that a directory has a store in a format that this software does
// not know, or does not any more.
type FormatError struct {
	Dir    string
	Format string // its number, or what stands there
}

func (e *FormatError) Error() string {
	if e.Format == oldFormat {
		return fmt.Sprintf("%s is a store of format %s, which an earlier version wrote; make one of format %s of it with: %s",
			e.Dir, oldFormat, format, migration(e.Dir))
	}
	return fmt.Sprintf("%s is a store of format %.20q, and this software knows %q", e.Dir, e.Format, format)
}

// migration returns the command that makes a store of this format of an older one. It
// is a module of its own: what it takes to read that format is no part of this one.
func migration(dir string) string {
	const module = "github.com/ipld-hamt/go-ipld-hamt/stores"
	version := "latest"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && strings.HasPrefix(m.Version, "v") {
				version = m.Version
			}
		}
	}
	if strings.ContainsFunc(dir, func(r rune) bool {
		return !strings.ContainsRune("/._-", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) || strings.HasPrefix(dir, "-") {
		dir = "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	return fmt.Sprintf("go run %s/format2@%s %s", module, version, dir)
}

// CheckExists returns an error unless there is a store in a directory that can
// be opened for reading: stores.ErrNoStore where there is none, a *FormatError where
// there is one of another format.
func CheckExists(dir string) error { return checkReadable(disk{}, dir) }

// CheckWritable returns early, without opening anything, the error that Open for
// writing would: stores.ErrNoStore where a directory has files that are no
// store's.
func CheckWritable(dir string) error {
	_, err := checkWritable(disk{}, dir)
	return err
}

func checkReadable(fs filesystem, dir string) error {
	data, err := readMarker(fs, dir)
	if err != nil {
		return err
	}
	if data == "" {
		if names, err := fs.List(dir); err == nil && isFormat2(names) {
			return &FormatError{dir, oldFormat}
		}
		return fmt.Errorf("%w in %s: build or import a map first, or name another with --store", stores.ErrNoStore, dir)
	}
	return checkMarker(fs, dir, data)
}

// checkWritable reports whether there is a store, or nothing, where one can be
// made.
func checkWritable(fs filesystem, dir string) (exists bool, err error) {
	data, err := readMarker(fs, dir)
	if err != nil {
		return false, err
	}
	if data != "" {
		return true, checkMarker(fs, dir, data)
	}
	names, err := fs.List(dir)
	if err != nil {
		return false, err
	}
	if isFormat2(names) {
		return false, &FormatError{dir, oldFormat}
	}
	// What is left of a store whose making was broken off.
	ours := []string{lockName, markerName + ".tmp"}
	if slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(ours, name) }) {
		return false, fmt.Errorf("%s: the directory is not empty, and no store: %w", dir, stores.ErrNoStore)
	}
	return false, nil
}

// readMarker returns what the marker says: "" where there is none.
func readMarker(fsys filesystem, dir string) (string, error) {
	path := filepath.Join(dir, markerName)
	data, err := readFile(fsys, path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", nil
	case errors.As(err, new(*fs.PathError)) && !errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("%w in %s: %w", stores.ErrNoStore, dir, err) // a file, say
	case err != nil:
		return "", err
	case len(data) == 0:
		return "", fmt.Errorf("%w in %s: %s is empty", stores.ErrNoStore, dir, path)
	}
	return string(data), nil
}

func checkMarker(fs filesystem, dir, data string) error {
	if data == marker {
		return nil
	}
	what, _, _ := strings.Cut(marker, format)
	if rest, ok := strings.CutPrefix(data, what); ok {
		return &FormatError{dir, strings.TrimSpace(rest)}
	}
	// A marker that is damaged is told from somebody else's file by the log.
	if read, err := readLog(fs, dir); err == nil && read.last > 0 {
		return nil
	}
	return fmt.Errorf("%w in %s: %s is not what a store has", stores.ErrNoStore, dir, markerName)
}

// LogError reports that the log has lost steps that others follow. A store can
// be read as far as its log goes; to be written to, it has to be repaired.
type LogError struct {
	Dir string // of the store
	Err error
}

func (e *LogError) Error() string {
	return fmt.Sprintf("store %s: %v; hamt fsck --repair finds what can be found", e.Dir, e.Err)
}

func (e *LogError) Unwrap() error { return e.Err }
