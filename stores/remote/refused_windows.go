package remote

import (
	"errors"
	"syscall"
)

// isRefused reports whether an error is that nobody listens at an address.
func isRefused(err error) bool {
	const connectionRefused = syscall.Errno(10061) // WSAECONNREFUSED
	return errors.Is(err, connectionRefused)
}
