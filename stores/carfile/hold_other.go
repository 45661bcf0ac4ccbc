//go:build !unix

package carfile

import (
	"io"
	"os"
)

// hold does nothing, since nothing is removed: a lock here would keep the file from
// being written.
func hold(*os.File) (io.Closer, error) { return io.NopCloser(nil), nil }

// syncDir does nothing: there a directory cannot be opened to be synced, and the
// file system keeps a log of what happens to names.
func syncDir(string) error { return nil }

// removeUnlessHeld cannot know whether a file is held, and leaves it.
func removeUnlessHeld(string) {}
