package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Temporary reports whether the same request may succeed when it is sent again:
// after the statuses 408, 425, 429 and 5xx other than 501 and 505; after a
// timeout of one attempt; after a connection that was reset or broken, or ended too
// early, or was refused where there were answers before (see Nobody). Of several errors in one, one is enough.
//
// Not temporary are all others: other statuses, names that do not exist,
// certificates that are not to be trusted, wrong bytes, the end of a context,
// and what is marked as Permanent.
func Temporary(err error) bool {
	if err == nil {
		return false
	}
	switch e := err.(type) {
	case *backoff.PermanentError:
		return false
	case *StatusError:
		return e.temporary()
	case *timeoutError:
		return true
	case *networkError:
		return !e.nobody && !lasting(e.err)
	case *net.OpError:
		return !lasting(e)
	}
	if err == io.ErrUnexpectedEOF {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return Temporary(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if Temporary(err) {
				return true
			}
		}
	}
	return false
}

// lasting reports whether an error of the network will be the same next time.
func lasting(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		return name.IsNotFound
	}
	return is[*tls.CertificateVerificationError](err) || is[tls.AlertError](err) || is[tls.RecordHeaderError](err) ||
		is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err) || is[*net.AddrError](err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// RetryAfter is how long an error asks to wait before the request is sent again:
// 0 where it does not say. Of several temporary errors in one, that which asks
// for the least decides.
func RetryAfter(err error) time.Duration {
	switch e := err.(type) {
	case *StatusError:
		return e.RetryAfter
	case interface{ Unwrap() error }:
		return RetryAfter(e.Unwrap())
	case interface{ Unwrap() []error }:
		return leastRetryAfter(e.Unwrap())
	}
	return 0
}

func leastRetryAfter(errs []error) (least time.Duration) {
	first := true
	for _, err := range errs {
		if !Temporary(err) {
			continue
		}
		if after := RetryAfter(err); first || after < least {
			least, first = after, false
		}
	}
	return least
}
