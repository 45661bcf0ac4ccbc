package boxo

import (
	"context"
	"errors"
	"net/http"

	"github.com/ipfs/boxo/gateway"
	format "github.com/ipfs/go-ipld-format"
)

// Error is a block that could not be had or read. For boxo a block that was not
// found is a path that does not exist: the gateway answers 404. This error says
// that nothing is known about the path: the gateway answers 502, or 504 where
// the time is up.
type Error struct{ err error }

// unavailable returns err as an *Error.
func unavailable(err error) error {
	if already, ok := errors.AsType[*Error](err); ok {
		return already
	}
	return &Error{err}
}

func (e *Error) Error() string { return e.err.Error() }

// Is reports whether the error is target, unless target is that a block was
// not found, which boxo looks for. The error is not unwrapped for the same
// reason; a *fault.Error with the block's link is found by errors.As.
func (e *Error) Is(target error) bool {
	return !format.IsNotFound(target) && errors.Is(e.err, target)
}

// As implements what errors.As looks for.
func (e *Error) As(target any) bool {
	status, ok := target.(**gateway.ErrorStatusCode)
	if !ok {
		return errors.As(e.err, target)
	}
	code := http.StatusBadGateway
	if errors.Is(e.err, context.DeadlineExceeded) {
		code = http.StatusGatewayTimeout
	}
	*status = gateway.NewErrorStatusCode(errors.New(e.Error()), code)
	return true
}
