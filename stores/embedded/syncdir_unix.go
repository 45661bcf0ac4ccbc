//go:build unix

package embedded

import (
	"errors"
	"os"
)

func (disk) SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
