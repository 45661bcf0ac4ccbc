//go:build !windows

package remote

import (
	"errors"
	"syscall"
)

// isRefused reports whether an error is that nobody listens at an address.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
