//go:build unix

package remote

import (
	"fmt"
	"os"
)

// checkPrivate refuses a file that others than its owner can read.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can read %s (mode %o); make it 600", f.Name(), mode)
	}
	return nil
}
