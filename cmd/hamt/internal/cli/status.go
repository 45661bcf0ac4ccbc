package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/proof"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// The exit statuses, as the help has them.
const (
	statusDone        = 0
	statusAbsent      = 1
	statusUsage       = 2
	statusFault       = 3
	statusInterrupted = 130 // as shells have it: 128 + SIGINT
)

// outcome is an error whose exit status is known where it is made.
type outcome struct {
	status int
	err    error // nil where there is nothing to say
}

func (o *outcome) Error() string {
	if o.err == nil {
		return ""
	}
	return o.err.Error()
}

func (o *outcome) Unwrap() error { return o.err }

// usage returns an error that the user of the command has made.
func usage(format string, args ...any) error {
	return &outcome{statusUsage, fmt.Errorf(format, args...)}
}

// absent says that what was asked for is not there.
func absent(format string, args ...any) error {
	return &outcome{statusAbsent, fmt.Errorf(format, args...)}
}

// statusOf returns the exit status for what a verb returned.
func statusOf(err error) int {
	var known *outcome
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	case errors.As(err, &known):
		return known.status
	case errors.Is(err, proof.ErrNotProven): // whatever is the matter with it
		return statusFault
	case errors.Is(err, proof.ErrDiffers):
		return statusAbsent
	case errors.As(err, new(*input.Error)), errors.Is(err, input.ErrEmpty), errors.Is(err, stores.ErrReadOnly), errors.Is(err, diff.ErrHashFunctions),
		errors.Is(err, carfile.ErrNotCAR), errors.Is(err, fault.ErrParams), isBadEntry(err):
		return statusUsage
	}
	return statusFault
}

// isBadEntry reports whether the library refused what was to be written, and not
// what it read.
func isBadEntry(err error) bool {
	for _, kind := range []error{fault.ErrValue, fault.ErrKey, fault.ErrRepeatedKey, fault.ErrReadOnlyLayout} {
		if errors.Is(err, kind) {
			return true
		}
	}
	// A block that was never written has no link.
	var f *fault.Error
	return errors.As(err, &f) && f.Link == nil &&
		(errors.Is(err, fault.ErrTooLarge) || errors.Is(err, fault.ErrMaxDepth))
}

// messageOf returns what there is to say about an error.
func messageOf(err error) string {
	var other *fault.OtherLayout
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "not done before the --deadline; the same command again goes on with what is there"
	case errors.Is(err, carfile.ErrNotCAR):
		return err.Error() + "; --force replaces it"
	case errors.Is(err, fault.ErrWeakDigest) && !errors.Is(err, proof.ErrNotProven):
		return err.Error() + "; --weak-digests takes it all the same"
	case errors.Is(err, fault.ErrParams):
		return err.Error() + "; give the --hash and --bit-width that it was made with"
	case errors.Is(err, diff.ErrHashFunctions):
		return err.Error() + "; --by-lookup compares them all the same"
	case errors.As(err, &other):
		return err.Error() + "; --layout says so"
	}
	return err.Error()
}

// trimPrefix drops the prefix that the library's errors have of their own.
func trimPrefix(message string) string { return strings.TrimPrefix(message, "hamt: ") }

// plain is an error without that prefix, for the inside of another.
type plain struct{ error }

func (p plain) Error() string { return trimPrefix(p.error.Error()) }
func (p plain) Unwrap() error { return p.error }
