//go:build !unix

package embedded

// SyncDir does nothing: there a directory cannot be opened to be synced, and the
// file system keeps a log of what happens to names.
func (disk) SyncDir(string) error { return nil }
